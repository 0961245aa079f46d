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

  @OptionGroup(title: "Targets and purges") var places: TargetOptions

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

  @Option(help: "A file with one path to a line; # begins a comment line.", completion: .file())
  var pathsFile: String?

  @OptionGroup(title: "Workload") var options: WorkloadOptions

  @Option(
    help: "Replay a request log, in any format that --format names; .gz too.", completion: .file())
  var replay: String?

  @Option(
    help: "The log's format, if its first lines do not tell: \(LogFormatKind.choice).",
    completion: .list(LogFormatKind.allNames))
  var format: String?

  @Option(
    help:
      "The share of the log's lines that may be left out with status 0, from 0 to 1 (default: 0.1)."
  )
  var mostLeftOut: Double?

  @Option(
    help: "The longest time without a request that is waited for (default: 10m).",
    transform: TimeSpan.parse)
  var longestGap: TimeSpan?

  @Option(
    help: "How fast to replay: 1x as recorded, 2x, or max (as fast as answers come).",
    completion: .list(["1x", "2x", "10x", "max"]))
  var speed = "1x"

  @Option(help: "Share of requests with If-None-Match, 0 to 1.")
  var conditional = 0.0

  @Option(help: "Share of requests for a range of the content, 0 to 1.")
  var range = 0.0

  @Flag(help: "Before the run, request every URL of the core once from every target.")
  var prefill = false

  @Flag(help: "Every request for another URL: a number where {n} stands, or else in the query.")
  var unique = false

  @Option(
    help: "The method of every request (default: GET, or POST with --body-size).",
    completion: .list(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]))
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

  @Option(help: "Also write the report as JSON to this file.", completion: .file())
  var report: String?

  @Option(
    help: "Also write the report as a page with plots to this file.", completion: .file())
  var html: String?

  @Flag(name: [.customShort("q"), .long], help: "Show nothing while the run goes on.")
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
    try checkFiles()
    DescriptorLimit.raise()
    let report = try LoadRun(plan: plan, showsProgress: !quiet).run()
    StandardOutput.write(json ? try report.json() : ReportText(report: report).text)
    // What cannot be written must not keep the other from being written.
    var problems: [String] = []
    do throws(OutputFile.Problem) {
      if let file = self.report { try OutputFile.write((try? report.json()) ?? "", to: file) }
    } catch {
      problems.append("--report: \(error)")
    }
    do throws(OutputFile.Problem) {
      if let html { try OutputFile.write(ReportPage(report: report).html, to: html) }
    } catch {
      problems.append("--html: \(error)")
    }
    if let complaint = report.log?.complaint { problems.append(complaint) }
    guard report.isClean, problems.isEmpty else {
      throw CommandFailure(
        status: CommandFailure.sawErrors,
        line: problems.isEmpty ? nil : problems.joined(separator: "; "))
    }
  }

  /// Says before a run of an hour, and not after it, that its report cannot be written.
  private func checkFiles() throws(CommandFailure) {
    if let report, report == html {
      throw .cannotStart("--report and --html are the same file, \(report)")
    }
    for (option, file) in [("--report", report), ("--html", html)] {
      guard let file else { continue }
      do throws(OutputFile.Problem) {
        try OutputFile.check(file)
      } catch {
        throw .cannotStart("\(option): \(error)")
      }
    }
  }

  private func plan(paths: [String]) throws(LoadPlanError) -> LoadPlan {
    let targets = try places.targets()
    var fields: [RequestField] = []
    for text in header { fields.append(try RequestField(text)) }
    var size = 0
    if let bodySize { size = try WorkloadOptions.size(bodySize, option: "--body-size") }
    var plan = LoadPlan(
      targets: targets, connections: connections, rate: rate, paths: paths.map(LoadTarget.encoded),
      zipf: options.zipf,
      seed: options.seed, host: host, fields: fields, timeout: timeout, threads: threads)
    plan.duration = duration ?? (requests == nil && replay == nil ? .seconds(10) : .longest)
    if let replay {
      plan.replay = ReplayPlan(path: replay, speed: try Self.speed(speed), format: format)
      plan.replay?.mostLeftOut = mostLeftOut ?? LogAccount.usualShare
      plan.replay?.longestGap = longestGap ?? ReplayPlan.usualGap
    } else if let option = [
      ("--format", format != nil), ("--most-left-out", mostLeftOut != nil),
      ("--longest-gap", longestGap != nil),
    ].first(where: \.1)?.0 {
      throw .value(option: option, need: "used with --replay")
    }
    plan.purges = try places.purges()
    (plan.workload, plan.workloadName) = (try options.model(), options.workload)
    (plan.conditional, plan.range, plan.prefills) = (conditional, range, prefill)
    (plan.requests, plan.warmup, plan.restingConnections) = (requests, warmup, idle)
    (plan.newConnections, plan.isUnique, plan.contentSize) = (newConnections, unique, size)
    plan.method = method ?? (size > 0 ? "POST" : "GET")
    return plan
  }

  /// `2x`, or nil for `max`.
  private static func speed(_ text: String) throws(LoadPlanError) -> Double? {
    if text == "max" { return nil }
    guard text.hasSuffix("x"), let speed = DecimalText.parse(text.dropLast()), speed > 0 else {
      throw .value(option: "--speed", need: "max or a factor, such as 2x")
    }
    return speed
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
