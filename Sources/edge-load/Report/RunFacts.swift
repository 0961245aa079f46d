// What was run: without it a report that is found a year later says nothing.

import EdgeFleet

/// What was run, when, and by which version.
struct RunFacts: Codable, Equatable, Sendable {
  /// The version of edge-load.
  var version: String
  /// When it began, as RFC 3339 has it.
  var started: String
  /// How long requests were to be begun; nil for as long as there are any.
  var durationSeconds: Double?
  /// How many requests there were to be; nil for as many as the duration allows.
  var requests: Int?
  /// How long the load was on before anything was counted.
  var warmupSeconds: Double
  /// Threads.
  var threads: Int
  /// The method of the requests.
  var method: String
  /// The Host field, where it is not the targets' own.
  var host: String?
  /// What was requested: a workload by name, a log, or a number of paths.
  var source: String
  /// How a log was replayed.
  var speed: String?

  /// The facts of a plan.
  init(_ plan: LoadPlan, started: String) {
    (version, self.started) = (Release.version, started)
    durationSeconds = plan.duration < .longest ? plan.duration.inSeconds : nil
    (requests, warmupSeconds, threads) = (plan.requests, plan.warmup.inSeconds, plan.threads)
    (method, host) = (plan.method, plan.host)
    if let replay = plan.replay {
      source = "log \(replay.path)"
      speed = replay.speed.map { "\(ReportText.number($0, digits: 3))x" } ?? "max"
    } else if plan.workload != nil {
      source = "workload \(plan.workloadName ?? "of its own"), seed \(plan.seed)"
    } else {
      let order = plan.zipf.map { "Zipf \(ReportText.number($0, digits: 2))" } ?? "in turn"
      source =
        plan.paths.count > 1
        ? "\(plan.paths.count) paths, \(order)"
        : "one path" + (plan.isUnique ? ", every URL another" : "")
    }
  }

  /// The facts as rows: what, and how much.
  func rows(_ report: LoadReport) -> [(String, String)] {
    let seconds = { (value: Double) in ReportText.seconds(value) }
    var rows = [("started", started), ("measured", seconds(report.seconds))]
    if let durationSeconds { rows.append(("duration asked for", seconds(durationSeconds))) }
    if let requests { rows.append(("requests asked for", "\(requests)")) }
    if warmupSeconds > 0 { rows.append(("warm-up", seconds(warmupSeconds))) }
    let threads = threads == 1 ? "1 thread" : "\(threads) threads"
    rows.append(("connections", "\(report.connections), \(threads)"))
    let rate = report.askedRate.map(ReportText.askedRate)
    rows.append(
      (
        "rate",
        speed.map { "as the log has it, speed \($0)" }
          ?? rate.map { "open loop, \($0) requests per second" } ?? "closed loop, no rate"
      ))
    rows.append(("requests for", "\(source), \(method)"))
    if let host { rows.append(("Host", host)) }
    rows.append(("edge-load", version))
    return rows
  }
}
