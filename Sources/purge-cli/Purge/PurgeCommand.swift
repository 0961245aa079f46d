// What to purge, on the command line. Everything that can be wrong with it is found before the first
// request is sent.

import ArgumentParser
import EdgeCache
import EdgeFleet

/// How a purge is carried out.
struct PurgeOptions: ParsableArguments {
  @Flag(help: "Make it stale rather than take it away: validated on the next request.")
  var soft = false

  @Flag(help: "Purge nothing; say how many stored responses each PoP has of it.")
  var dryRun = false

  @Flag(
    help: "Fetch the URLs at every PoP afterwards, and compare what comes. Only with scope url.")
  var verify = false

  @Flag(help: "With a purgeBus: order the purge, and do not wait for the PoPs to apply it.")
  var noWait = false

  @Option(
    help: ArgumentHelp(
      "Write the receipts of the PoPs to a file, for `purge-cli verify`.", valueName: "file"),
    completion: .file())
  var receipt: String?

  @OptionGroup var spool: SpoolOptions

  /// Says before a purge is sent, and not after it, that its receipts cannot be written.
  func checkReceipt() throws {
    do throws(OutputFile.Problem) {
      if let receipt { try OutputFile.check(receipt) }
    } catch {
      throw WrongUse("--receipt: \(error)")
    }
  }

  /// The request for a scope.
  func request(_ scope: PurgeRequest.Scope) throws -> PurgeRequest {
    do throws(PurgeRequest.Problem) {
      var request = try PurgeRequest(checking: scope, mode: soft ? .soft : .hard)
      request.isDryRun = dryRun
      return request
    } catch {
      throw WrongUse(error.description)
    }
  }
}

/// A command that sends a purge.
protocol PurgeCommand: FleetCommand {
  /// Where to send it.
  var options: FleetOptions { get }
  /// How to carry it out.
  var purging: PurgeOptions { get }
  /// What to purge.
  func scope() throws -> PurgeRequest.Scope
}

extension PurgeCommand {
  /// Sends the purge and reports on it.
  func send() async throws -> ExitStatus {
    let run = try PurgeRun(try purging.request(try scope()), purging, options)
    return try await run.send()
  }
}

/// Values of the command line, each read by `parse`.
private func parsed<Value>(
  _ texts: [String], _ parse: (String) throws(ValueProblem) -> Value
) throws -> [Value] {
  do {
    return try texts.map(parse)
  } catch {
    throw WrongUse("\(error)")
  }
}

struct PurgeURLs: ParsableCommand, PurgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "url",
    abstract: "Purge URLs: every variant, under both schemes and every port of the host.")

  @Argument(
    help: ArgumentHelp(
      "Absolute URLs, percent-encoded as clients send them; a * stands for any rest.",
      valueName: "url"))
  var urls: [String]

  @OptionGroup var purging: PurgeOptions
  @OptionGroup var options: FleetOptions

  func scope() throws -> PurgeRequest.Scope {
    .urls(try parsed(urls) { text throws(ValueProblem) in try PurgeURL(parsing: text) })
  }
}

struct PurgePrefixes: ParsableCommand, PurgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "prefix",
    abstract: "Purge every URL that begins so, byte by byte behind the host.")

  @Argument(
    help: ArgumentHelp(
      "Absolute URLs such as http://www.example/assets/.", valueName: "url"))
  var prefixes: [String]

  @OptionGroup var purging: PurgeOptions
  @OptionGroup var options: FleetOptions

  func scope() throws -> PurgeRequest.Scope {
    .prefixes(try parsed(prefixes) { text throws(ValueProblem) in try PurgeURL(parsing: text) })
  }
}

struct PurgeHosts: ParsableCommand, PurgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "host", abstract: "Purge every URL of hosts; subdomains are hosts of their own.")

  @Argument(help: ArgumentHelp("Hosts without a port.", valueName: "host"))
  var hosts: [String]

  @OptionGroup var purging: PurgeOptions
  @OptionGroup var options: FleetOptions

  func scope() throws -> PurgeRequest.Scope { .hosts(try parsed(hosts, PurgeRequest.host)) }
}

struct PurgeTags: ParsableCommand, PurgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "tag",
    abstract: "Purge what has a tag, of Cache-Tag, Surrogate-Key and their kin, on any host.")

  @Argument(help: ArgumentHelp("Tags, as the origin sends them.", valueName: "tag"))
  var tags: [String]

  @OptionGroup var purging: PurgeOptions
  @OptionGroup var options: FleetOptions

  func scope() throws -> PurgeRequest.Scope { .tags(try parsed(tags, PurgeRequest.tag)) }
}

struct PurgeEverything: ParsableCommand, PurgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "everything",
    abstract: "Purge every stored response of every site.")

  @OptionGroup var purging: PurgeOptions
  @OptionGroup var options: FleetOptions

  func scope() -> PurgeRequest.Scope { .everything }
}

struct PurgeList: ParsableCommand, FleetCommand {
  static let configuration = CommandConfiguration(
    commandName: "purge",
    abstract: "Purge what a file lists, or standard input with -.",
    discussion: """
      One purge a line: `url http://www.example/a.js`, `prefix http://www.example/img/`, \
      `host www.example`, `tag news`, `everything`; a line that is only a URL means that URL. \
      Lines of one kind are sent together, up to 4096 at a time. `#` begins a comment.
      """)

  @Argument(
    help: ArgumentHelp("A file, or - for standard input.", valueName: "file"), completion: .file())
  var file: String

  @OptionGroup var purging: PurgeOptions
  @OptionGroup var options: FleetOptions

  func send() async throws -> ExitStatus {
    var worst = ExitStatus.everywhere
    // All lines are read before the first is sent.
    let runs = try PurgeLines.read(file).map {
      try PurgeRun(try purging.request($0), purging, options)
    }
    // Each would replace those of the one before.
    if runs.count > 1, purging.receipt != nil {
      throw WrongUse(
        "--receipt holds those of one purge, and \(file) orders \(runs.count); lines of one kind that follow each "
          + "other are one purge")
    }
    for run in runs {
      if try await run.send() != .everywhere { worst = .notEverywhere }
    }
    return worst
  }
}
