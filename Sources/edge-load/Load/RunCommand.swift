// `edge-load run`: arguments to plan, plan to report, report to exit status.

import ArgumentParser
import EdgeFleet
import FoundationEssentials
import Glibc

/// Puts servers under load and reports latencies and hit ratio.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Put one or more servers under HTTP/1.1 load and report what came back.",
    discussion: """
      Without --rate each connection sends its next request when the response is complete (closed \
      loop). With --rate requests are due at a constant rate, and latency counts from when a \
      request was due, so that waiting for a stalled server is not hidden. \
      Ctrl-C ends the run early and still reports. \
      Exits with 0 if all is well, 2 after errors or 5xx responses, 1 for wrong use.
      """
  )

  @Option(
    help: "A server's http:// URL; repeat it for several, each with its share as URL@WEIGHT.")
  var target: [String] = []

  @Option(name: [.customShort("c"), .long], help: "Connections over all targets.")
  var connections = 16

  @Option(
    name: [.customShort("d"), .long],
    help: "How long requests are begun (default: 10s, or until --requests are done).",
    transform: TimeSpan.parse)
  var duration: TimeSpan?

  @Option(name: [.customShort("n"), .long], help: "End after this many requests in all.")
  var requests: Int?

  @Option(
    help: "How long the load is on before anything is counted, such as 5s.",
    transform: TimeSpan.parse)
  var warmup = TimeSpan.zero

  @Option(help: "Further connections that make one request, then stay open and rest.")
  var idle = 0

  @Flag(help: "A new connection for every request.")
  var newConnections = false

  @Option(help: "Open loop: requests per second over all connections.")
  var rate: Double?

  @Option(help: "A path to request; repeat it for several.")
  var path: [String] = []

  @Option(help: "A file with one path to a line; # begins a comment line.")
  var pathsFile: String?

  @Option(help: "Choose paths by Zipf's law with this exponent, the first path most often.")
  var zipf: Double?

  @Option(help: "Seeds the choice of paths: the same seed, the same sequence.")
  var seed: UInt64 = 1

  @Flag(help: "Every request for another URL: a number where {n} stands, or else in the query.")
  var unique = false

  @Option(help: "The method of every request (default: GET, or POST with --body-size).")
  var method: String?

  @Option(help: "Content sent with every request, such as 64KiB.")
  var bodySize: String?

  @Option(help: "The Host field, instead of the target's own.")
  var host: String?

  @Option(help: "A field for every request, as 'Name: value'; may be repeated.")
  var header: [String] = []

  @Option(
    help: "Longest wait for a connection or a response (default: 10s).",
    transform: TimeSpan.parse)
  var timeout = TimeSpan.seconds(10)

  @Option(help: "Threads, each with its share of the connections.")
  var threads = 1

  @Flag(help: "Report as JSON.")
  var json = false

  @Flag(name: [.customShort("q"), .long], help: "No progress lines.")
  var quiet = false

  func validate() throws {
    do {
      // The file of paths is read when the command runs; all else is checked here.
      try plan(paths: path).validate()
    } catch LoadPlanError.value("--zipf", _) where pathsFile != nil {
      return
    } catch {
      throw ValidationError(error.description)
    }
  }

  func run() throws {
    var paths = path
    if let pathsFile { paths += try Self.readPaths(pathsFile) }
    let plan: LoadPlan
    do {
      plan = try self.plan(paths: paths)
      try plan.validate()
    } catch {
      throw CommandFailure.cannotStart(error.description)
    }
    DescriptorLimit.raise()
    let showsProgress = !quiet && isatty(STDERR_FILENO) == 1
    let report = try LoadRun(plan: plan, showsProgress: showsProgress).run()
    writeWhole(json ? try report.json() : ReportText(report: report).text, to: STDOUT_FILENO)
    guard report.isClean else { throw CommandFailure(status: CommandFailure.sawErrors) }
  }

  private func plan(paths: [String]) throws(LoadPlanError) -> LoadPlan {
    var targets: [LoadTarget] = []
    for url in target { targets.append(try LoadTarget(argument: url)) }
    var fields: [RequestField] = []
    for text in header { fields.append(try RequestField(text)) }
    var size = 0
    if let bodySize {
      guard let parsed = try? ByteSize(parsing: bodySize) else {
        throw .value(option: "--body-size", need: "a size, such as 512 or 64KiB")
      }
      size = Int(parsed.bytes)
    }
    var plan = LoadPlan(
      targets: targets, connections: connections, rate: rate, paths: paths, zipf: zipf,
      seed: seed, host: host, fields: fields, timeout: timeout, threads: threads)
    plan.duration = duration ?? (requests == nil ? .seconds(10) : .longest)
    (plan.requests, plan.warmup, plan.restingConnections) = (requests, warmup, idle)
    (plan.newConnections, plan.isUnique, plan.contentSize) = (newConnections, unique, size)
    plan.method = method ?? (size > 0 ? "POST" : "GET")
    return plan
  }

  private static func readPaths(_ file: String) throws(CommandFailure) -> [String] {
    let text: String
    do {
      text = try String(contentsOfFile: file, encoding: .utf8)
    } catch {
      throw .cannotStart("cannot read the paths in \(file); give --paths-file a readable text file")
    }
    let paths = LoadPlan.paths(inFile: text)
    guard !paths.isEmpty else {
      throw .cannotStart("no path in \(file); give one path to a line, such as /index.html")
    }
    return paths
  }
}
