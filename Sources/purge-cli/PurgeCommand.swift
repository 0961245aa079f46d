// The command line: what to purge, where, and how long to wait. Everything that can be wrong with it
// is found before the first request is sent.

import ArgumentParser
import EdgeFleet
import FoundationEssentials

/// Something about the command line, the environment or a file that prevents a purge.
struct WrongUse: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// The root of the command line.
struct PurgeCLI: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "purge-cli",
    abstract: "Remove stored responses from every PoP of a fleet.",
    discussion: """
      Exit status: 0 when every PoP acknowledged the purge, 2 when some did not, 1 for wrong use.

      Environment: EDGE_CONFIG names the configuration, EDGE_ADMIN_TOKEN holds the admin token, \
      NO_COLOR turns colours off.
      """,
    version: Release.version,
    subcommands: [PurgeURLs.self, PurgeEverything.self])
}

/// A command that sends a purge.
protocol PurgeCommand {
  var options: PurgeOptions { get }
  /// What to purge.
  func request() throws -> PurgeRequest
}

extension PurgeCommand {
  /// Sends the purge and reports on it.
  func send() async throws -> ExitStatus {
    let request = try request()
    let fanOut = PurgeFanOut(
      targets: try options.targets(), token: try options.token(), timeout: try options.patience())
    return await PurgeRun(request: request, asJSON: options.json).report(fanOut)
  }
}

struct PurgeURLs: ParsableCommand, PurgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "url",
    abstract: "Purge URLs: every variant, under both schemes and every port of the host.")

  @Argument(
    help: ArgumentHelp(
      "Absolute URLs, percent-encoded as clients send them; no wildcards.", valueName: "url"))
  var urls: [String]

  @OptionGroup var options: PurgeOptions

  func request() throws -> PurgeRequest {
    do {
      return try PurgeRequest.urls(try urls.map(PurgeURL.init(parsing:)))
    } catch {
      throw WrongUse("\(error)")
    }
  }
}

struct PurgeEverything: ParsableCommand, PurgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "everything",
    abstract: "Purge every stored response of every site.")

  @OptionGroup var options: PurgeOptions

  func request() -> PurgeRequest { .everything }
}

/// Where to send a purge and how to report on it.
struct PurgeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The fleet's configuration (default: $EDGE_CONFIG, or else Config/pops.json).",
      valueName: "file"),
    completion: .file(extensions: ["json"]))
  var config: String?

  @Option(
    help: ArgumentHelp(
      "The admin API of one PoP, such as http://127.0.0.1:9080, instead of a configuration; "
        + "repeatable.",
      valueName: "url"))
  var admin: [String] = []

  @Option(
    help: ArgumentHelp("Purge this PoP of the configuration only; repeatable.", valueName: "id"))
  var pop: [String] = []

  @Option(
    help: ArgumentHelp(
      "How long to try each PoP, such as 500ms, 5s or 1m.", valueName: "duration"))
  var timeout = "5s"

  @Option(
    help: ArgumentHelp(
      "A file which holds the admin token (default: $EDGE_ADMIN_TOKEN).", valueName: "file"),
    completion: .file())
  var adminTokenFile: String?

  @Flag(help: "Print one JSON document.")
  var json = false

  private static var environment: [String: String] { ProcessInfo.processInfo.environment }

  /// The PoPs to purge, each once.
  func targets() throws -> [PurgeFanOut.Target] {
    guard admin.isEmpty else {
      guard config == nil, pop.isEmpty else {
        throw WrongUse("--admin names PoPs without a configuration; leave out --config and --pop")
      }
      return try Self.unique(admin.map(adminEndpoint)).map { .init(admin: $0) }
    }
    let configuration = try configuration()
    let pops = try pop.isEmpty ? configuration.pops : Self.unique(pop).map(configuration.named)
    // A PoP that takes any free port says which one in its log, not in the configuration.
    if let pop = pops.first(where: { $0.admin.port == 0 }) {
      throw WrongUse("the admin port of \(pop.id) is 0, chosen when it starts; use --admin URL")
    }
    return pops.map { .init($0) }
  }

  private func configuration() throws -> FleetConfiguration {
    let named = config ?? Self.environment["EDGE_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
    let path = named ?? FleetConfiguration.defaultPath
    guard named != nil || FileManager.default.fileExists(atPath: path) else {
      throw WrongUse("there is no \(path) here; name the configuration with --config FILE")
    }
    do throws(ConfigurationError) {
      return try FleetConfiguration.load(path: path)
    } catch {
      throw WrongUse(error.description)
    }
  }

  /// How long to try each PoP.
  func patience() throws -> Duration {
    do throws(ValueProblem) {
      let duration = try DurationText.parse(timeout)
      guard duration > .zero else { throw ValueProblem(timeout, "is no time at all") }
      return duration
    } catch {
      throw WrongUse("--timeout: \(error)")
    }
  }

  /// The admin token, or nil if there is none to present.
  func token() throws -> AdminToken? {
    do throws(AdminToken.Problem) {
      if let adminTokenFile { return try AdminToken.read(path: adminTokenFile) }
      guard let text = Self.environment["EDGE_ADMIN_TOKEN"], !text.isEmpty else { return nil }
      return try AdminToken(text)
    } catch {
      throw WrongUse(error.description)
    }
  }

  private static func unique<Value: Hashable>(_ values: [Value]) -> [Value] {
    var seen: Set<Value> = []
    return values.filter { seen.insert($0).inserted }
  }
}

extension FleetConfiguration {
  /// The PoP that `--pop` names.
  fileprivate func named(_ id: String) throws -> PoP {
    do throws(UnknownPoP) {
      return try pop(id: id)
    } catch {
      throw WrongUse("--pop: \(error)")
    }
  }
}

/// The address that a value of `--admin` names.
private func adminEndpoint(_ text: String) throws -> SocketEndpoint {
  do throws(ValueProblem) {
    let url = try UpstreamURL(parsing: text)
    guard url.scheme == .http else {
      throw ValueProblem(text, "is https; the admin API is plain http on a private network")
    }
    return url.endpoint
  } catch {
    throw WrongUse("--admin: \(error)")
  }
}
