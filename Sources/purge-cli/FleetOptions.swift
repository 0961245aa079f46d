// The options that every command has: which PoPs, how long, with which token. Everything that can
// be wrong with them is found before the first request is sent.

import ArgumentParser
import EdgeFleet
import FoundationEssentials
import NIOSSL

/// Where to send a request and how to report on it.
struct FleetOptions: ParsableArguments {
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
    help: ArgumentHelp("Only this PoP of the configuration; repeatable.", valueName: "id"),
    completion: .custom { words, _, _ in
      FleetConfiguration.popNames(words, after: "--config", else: Self.usualConfig)
    })
  var pop: [String] = []

  @Option(
    help: ArgumentHelp(
      "How long each PoP has to answer, such as 500ms, 5s or 1m.", valueName: "duration"))
  var timeout = "5s"

  @Option(
    help: ArgumentHelp(
      "A file which holds the admin token (default: $EDGE_ADMIN_TOKEN).", valueName: "file"),
    completion: .file())
  var adminTokenFile: String?

  @Option(
    help: ArgumentHelp(
      "A file of authorities (PEM) that certify PoPs whose admin API is https (default: adminTLS.ca "
        + "of the configuration).", valueName: "file"), completion: .file())
  var ca: String?

  @Option(
    help: ArgumentHelp(
      "A file with a certificate (PEM) to present to PoPs (default: that of the configuration).",
      valueName: "file"), completion: .file())
  var certificate: String?

  @Option(
    help: ArgumentHelp("The file with its key (PEM).", valueName: "file"), completion: .file())
  var key: String?

  @Flag(help: "Print one JSON document.")
  var json = false

  /// The PoPs to send to, each once.
  func targets() throws -> [PurgeFanOut.Target] {
    guard admin.isEmpty else {
      guard config == nil, pop.isEmpty else {
        throw WrongUse("--admin names PoPs without a configuration; leave out --config and --pop")
      }
      return try Self.unique(admin.map { try adminEndpoint($0, isSecure: ca != nil) })
        .map { .init(admin: $0) }
    }
    let configuration = try configuration()
    let pops = try pop.isEmpty ? configuration.pops : Self.unique(pop).map(configuration.named)
    // A PoP that takes any free port says which one in its log, not in the configuration.
    if let pop = pops.first(where: { $0.admin.port == 0 }) {
      throw WrongUse("the admin port of \(pop.id) is 0, chosen when it starts; use --admin URL")
    }
    return pops.map { .init($0) }
  }

  /// What the admin API is asked with; nil if it is plain. With `isOptional` there need be no configuration.
  func tls(isOptional: Bool = false) throws -> NIOSSLContext? {
    if (certificate == nil) != (key == nil) {
      throw WrongUse("--certificate and --key go together")
    }
    let (path, isDefault) = path
    let isLeftOut = isOptional && isDefault && !FileManager.default.fileExists(atPath: path)
    let known = admin.isEmpty && !isLeftOut ? try configuration().adminTLS : nil
    guard let ca = ca ?? known?.ca else {
      if certificate != nil { throw WrongUse("--certificate means nothing without --ca") }
      return nil
    }
    let secured = FleetConfiguration.AdminTLS(ca: ca, certificate: "", key: "")
    do throws(ValueProblem) {
      return try secured.clientContext(
        certificate: certificate ?? known?.certificate, key: key ?? known?.key)
    } catch {
      throw WrongUse(error.description)
    }
  }

  /// The stream that carries purges, and the PoPs to wait for; nil if purges go to each PoP directly.
  func bus() throws -> PurgeBusFanOut? {
    guard admin.isEmpty, pop.isEmpty, let bus = try configuration().purgeBus else { return nil }
    let timeout = try patience()
    let targets = try targets()
    do throws(ValueProblem) {
      return PurgeBusFanOut(
        targets: targets, stream: try PurgeStream(bus), timeout: timeout)
    } catch {
      throw WrongUse("purgeBus.ca: \(error)")
    }
  }

  /// The file of the configuration, and whether nobody named it.
  private var path: (path: String, isDefault: Bool) {
    let named = config ?? Environment.value("EDGE_CONFIG")
    return (named ?? FleetConfiguration.defaultPath, named == nil)
  }

  /// The file of the configuration where no option names one.
  private static var usualConfig: String {
    Environment.value("EDGE_CONFIG") ?? FleetConfiguration.defaultPath
  }

  private func configuration() throws -> FleetConfiguration {
    let (path, isDefault) = path
    guard !isDefault || FileManager.default.fileExists(atPath: path) else {
      throw WrongUse("there is no \(path) here; name the configuration with --config FILE")
    }
    do throws(ConfigurationError) {
      return try FleetConfiguration.load(path: path)
    } catch {
      throw WrongUse(error.description)
    }
  }

  /// Nobody waits longer, and sums of times stay far from what clocks can count.
  private static let longestPatience = Duration.seconds(24 * 3600)

  /// How long each PoP has to answer.
  func patience() throws -> Duration {
    do throws(ValueProblem) {
      let duration = try DurationText.parse(timeout)
      guard duration > .zero else { throw ValueProblem(timeout, "is no time at all") }
      guard duration <= Self.longestPatience else {
        throw ValueProblem(
          timeout, "is too long; at most \(DurationText.print(Self.longestPatience))")
      }
      return duration
    } catch {
      throw WrongUse("--timeout: \(error)")
    }
  }

  /// The admin token, or nil if there is none to present.
  func token() throws -> AdminToken? {
    do throws(AdminToken.Problem) {
      if let adminTokenFile { return try AdminToken.read(path: adminTokenFile) }
      return try Environment.value("EDGE_ADMIN_TOKEN").map { text throws(AdminToken.Problem) in
        try AdminToken(text)
      }
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
private func adminEndpoint(_ text: String, isSecure: Bool) throws -> SocketEndpoint {
  do throws(ValueProblem) {
    let url = try UpstreamURL(parsing: text)
    if url.scheme == .https, !isSecure {
      throw ValueProblem(text, "is https; say with --ca FILE who certifies it")
    }
    if url.scheme == .http, isSecure {
      throw ValueProblem(text, "is http, which --ca means nothing for")
    }
    return url.endpoint
  } catch {
    throw WrongUse("--admin: \(error)")
  }
}
