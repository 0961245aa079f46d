// `edge-load run`: arguments to plan, plan to report, report to exit status.

import ArgumentParser
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

  @Option(help: "A server's http:// URL; repeat it to spread connections over several.")
  var target: [String] = []

  @Option(name: [.customShort("c"), .long], help: "Connections over all targets.")
  var connections = 16

  @Option(
    name: [.customShort("d"), .long], help: "How long requests are begun (default: 10s).",
    transform: TimeSpan.parse)
  var duration = TimeSpan.seconds(10)

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

  @Option(help: "The Host field, instead of the target's own.")
  var host: String?

  @Option(help: "A field for every request, as 'Name: value'; may be repeated.")
  var header: [String] = []

  @Option(
    help: "Longest wait for a connection or a response (default: 10s).",
    transform: TimeSpan.parse)
  var timeout = TimeSpan.seconds(10)

  @Option(help: "Event loops.")
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
    let showsProgress = !quiet && isatty(STDERR_FILENO) == 1
    let report = try LoadRun(plan: plan, showsProgress: showsProgress).run()
    writeWhole(json ? try report.json() : ReportText(report: report).text, to: STDOUT_FILENO)
    guard report.isClean else { throw CommandFailure(status: CommandFailure.sawErrors) }
  }

  private func plan(paths: [String]) throws(LoadPlanError) -> LoadPlan {
    var targets: [LoadTarget] = []
    for url in target { targets.append(try LoadTarget(url: url)) }
    var fields: [RequestField] = []
    for text in header { fields.append(try RequestField(text)) }
    return LoadPlan(
      targets: targets, connections: connections, duration: duration, rate: rate, paths: paths,
      zipf: zipf, seed: seed, host: host, fields: fields, timeout: timeout, threads: threads)
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
