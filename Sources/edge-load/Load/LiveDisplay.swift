// How far a run is, on standard error while it goes on: at a terminal a few lines that are drawn
// anew, elsewhere a line a second, which a log can hold.

import Glibc
import Synchronization

/// What the thread of a run tells to others, and they to it.
final class LoadProgress: Sendable {
  /// Complete responses that count.
  let responses = Atomic<Int>(0)
  /// Hits among them.
  let hits = Atomic<Int>(0)
  /// Errors.
  let errors = Atomic<Int>(0)
  /// The last second's median latency, in microseconds.
  let p50 = Atomic<Int>(0)
  /// The last second's 99th percentile, in microseconds.
  let p99 = Atomic<Int>(0)
  /// `LoadPhase.rawValue`.
  let phase = Atomic<Int>(0)
  /// Nanoseconds that were measured so far.
  let measured = Atomic<Int>(0)
  /// Set to end the run early.
  let isStopped = Atomic<Bool>(false)
}

/// Where a run is.
enum LoadPhase: Int {
  case connecting, prefilling, warmingUp, measuring

  /// The word for it.
  var label: String {
    switch self {
    case .connecting: "connecting"
    case .prefilling: "prefilling"
    case .warmingUp: "warming up"
    case .measuring: "running"
    }
  }
}

/// The live display of a run; used by one thread.
struct LiveDisplay {
  /// Whether lines are drawn anew.
  let isTerminal: Bool
  /// Whether colours may be used.
  let hasColour: Bool
  private let progress: [LoadProgress]
  private let seconds: Double?
  private let requests: Int?
  private var seen = (responses: 0, hits: 0, measured: 0)
  private var drawn = 0

  private static let width = 32

  /// A display of the sum of the threads' progress.
  init(_ progress: [LoadProgress], plan: LoadPlan, isTerminal: Bool, hasColour: Bool) {
    (self.progress, self.isTerminal, self.hasColour) = (progress, isTerminal, hasColour)
    seconds = plan.duration < .longest ? plan.duration.inSeconds : nil
    requests = plan.requests
  }

  /// Time between two pictures, in milliseconds.
  var interval: Int { isTerminal ? 250 : 1000 }

  /// The text that shows the present state.
  mutating func next() -> String {
    func sum(_ value: KeyPath<LoadProgress, Int>) -> Int {
      progress.reduce(0) { $0 + $1[keyPath: value] }
    }
    let (responses, hits) = (sum(\.responsesNow), sum(\.hitsNow))
    let measured = progress.map(\.measuredNow).max() ?? 0
    let span = Double(measured - seen.measured) / 1e9
    let more = responses - seen.responses
    let rate = span > 0 ? ReportText.rate(Double(more) / span) : "-"
    let ratio = more > 0 ? ReportText.percent(Double(hits - seen.hits) / Double(more)) : "-"
    seen = (responses, hits, measured)
    let phase = progress.map(\.phaseNow).min().flatMap(LoadPhase.init) ?? .connecting
    let latency = [\LoadProgress.p50Now, \.p99Now].map { value in
      let latest = progress.map { $0[keyPath: value] }.max() ?? 0
      return latest > 0 ? ReportText.microseconds(Double(latest)) : "-"
    }
    let errors = sum(\.errorsNow)
    let facts =
      "\(rate)/s, hits \(ratio), p50 \(latency[0]), p99 \(latency[1]), \(errors) errors"
    let elapsed = ReportText.seconds(Double(measured) / 1e9, digits: isTerminal ? 1 : 0)
    guard isTerminal else {
      return phase == .measuring ? "\(elapsed): \(facts)\n" : "\(phase.label)\n"
    }
    var lines = [phase.label]
    if phase == .measuring {
      let share = share(responses: responses, measured: Double(measured) / 1e9)
      lines = ["\(bar(share)) \(elapsed)", facts]
      if errors > 0, hasColour { lines[1] = "\u{1B}[31m\(facts)\u{1B}[0m" }
    }
    defer { drawn = lines.count }
    return erased() + lines.map { "\($0)\n" }.joined()
  }

  /// What takes away the last picture.
  mutating func erased() -> String {
    defer { drawn = 0 }
    return drawn > 0 ? "\u{1B}[\(drawn)F\u{1B}[J" : ""
  }

  private func share(responses: Int, measured: Double) -> Double {
    let byTime = seconds.map { measured / $0 } ?? 0
    let byCount = requests.map { Double(responses) / Double($0) } ?? 0
    return min(1, max(byTime, byCount))
  }

  private func bar(_ share: Double) -> String {
    let full = Int((share * Double(Self.width)).rounded())
    let done = String(repeating: "█", count: full)
    let rest = String(repeating: "░", count: Self.width - full)
    let percent = ReportText.number(share * 100)
    return (hasColour ? "\u{1B}[36m\(done)\u{1B}[0m" : done) + rest + " \(percent) %"
  }
}

extension LoadProgress {
  fileprivate var responsesNow: Int { responses.load(ordering: .relaxed) }
  fileprivate var hitsNow: Int { hits.load(ordering: .relaxed) }
  fileprivate var errorsNow: Int { errors.load(ordering: .relaxed) }
  fileprivate var p50Now: Int { p50.load(ordering: .relaxed) }
  fileprivate var p99Now: Int { p99.load(ordering: .relaxed) }
  fileprivate var phaseNow: Int { phase.load(ordering: .relaxed) }
  fileprivate var measuredNow: Int { measured.load(ordering: .relaxed) }
}
