// A request log as the source of requests: the same URLs in the same order, at their own times, a
// multiple of their speed, or as fast as answers come.
//
// Only GET and HEAD are replayed, as GET: what a log cannot give back is the content of the others.
// A key that is no path (traces for simulators number their objects) becomes the path of a resource
// of that size, which the sample origin serves.
//
// All threads read the one log, each takes the next request when it has sent the last: so standard input serves as many
// of them as there are, and every line is counted once.

import Synchronization

/// What is replayed, and how fast.
struct ReplayPlan: Equatable, Sendable {
  /// The log; `-` for standard input.
  var path: String
  /// How many times as fast as it was recorded; nil for as fast as answers come.
  var speed: Double?
  /// The format; nil to find out.
  var format: String?
  /// The share of lines that may be left out, from 0 to 1.
  var mostLeftOut = LogAccount.usualShare
  /// The longest time without a request that is waited for.
  var longestGap = ReplayPlan.usualGap

  /// Long enough for a quiet night to be told from a clock that was set.
  static let usualGap = TimeSpan.seconds(600)
}

/// When the requests of a log are due: their distances in the log, but for silences that are too long and clocks that
/// were set, which become the longest silence or none.
struct ReplayClock {
  /// A silence that was cut short.
  struct Cut: Equatable {
    /// How long it was in the log, in seconds; negative where the time went back.
    var seconds: Double
  }

  private let speed: Double
  private let longest: Double
  private var last: Double?
  /// When the last request was due, in seconds from the first one.
  private var due = 0.0

  /// A clock that goes `speed` times as fast, and never stands still for more than the longest gap.
  init(speed: Double, longestGap: TimeSpan) {
    (self.speed, longest) = (speed, longestGap.inSeconds)
  }

  /// When a request of that time is due, in nanoseconds from the first one.
  mutating func take(_ time: Double) -> (due: Int64, cut: Cut?) {
    var cut: Cut?
    if let last {
      var gap = (time - last) / speed
      if abs(gap) > longest {
        cut = Cut(seconds: time - last)
        gap = gap > 0 ? longest : 0
      }
      due += gap
    }
    last = time
    // Logs are in the order in which answers ended; no request is due before the first.
    return (Int64(Int(nearest: max(0, due) * 1e9)), cut)
  }
}

/// The log that is replayed; shared by all threads.
final class ReplayLog: Sendable {
  /// A request, and when it is due.
  struct Request: Equatable, Sendable {
    /// Nanoseconds from the first request.
    var due: Int64
    /// What is asked for.
    var path: [UInt8]
  }

  private struct State: ~Copyable {
    var reader: TraceReader
    var clock: ReplayClock
    var account: LogAccount
    var upcoming: Request?
    var isAtEnd = false
  }

  private let state: Mutex<State>
  private let isPaced: Bool
  private let tell: @Sendable (String) -> Void

  /// Opens a log and reads as far as its first request. `tell` is told what cannot wait for the report.
  init(_ plan: ReplayPlan, tell: @escaping @Sendable (String) -> Void = { _ in })
    throws(TraceProblem)
  {
    let name = plan.path == "-" ? "standard input" : plan.path
    var account = LogAccount(path: name)
    account.mostLeftOut = plan.mostLeftOut
    let reader = try TraceReader(path: plan.path, format: plan.format)
    let clock = ReplayClock(speed: plan.speed ?? 1, longestGap: plan.longestGap)
    state = Mutex(State(reader: reader, clock: clock, account: account))
    isPaced = plan.speed != nil
    self.tell = tell
    let first = self.read()
    state.withLock { $0.upcoming = first }
    guard first == nil else { return }
    let found = self.account
    if let failure = found.failure { throw failure }
    throw TraceProblem(name, "has no request that can be replayed\(found.leftOutText)")
  }

  /// What became of the lines so far.
  var account: LogAccount { state.withLock { $0.account } }

  /// The next request; nil at the end.
  func next() -> Request? {
    if let first = state.withLock({ state in
      defer { state.upcoming = nil }
      return state.upcoming
    }) {
      return first
    }
    return read()
  }

  private func read() -> Request? {
    let (request, news) = state.withLock { state in Self.read(&state, isPaced: isPaced) }
    news.forEach(tell)
    return request
  }

  private static func read(
    _ state: inout State, isPaced: Bool
  ) -> (request: Request?, news: [String]) {
    while !state.isAtEnd {
      do throws(TraceProblem) {
        guard let request = try state.reader.next() else { break }
        state.account.format = state.reader.formatName
        guard request.method == "GET" || request.method == "HEAD" else {
          state.account.leaveOut(.method, line: request.line, "is \(request.method.prefix(32))")
          continue
        }
        if isPaced, !request.isTimed {
          state.account.leaveOut(
            .time, line: request.line, "has no time; replay it with --speed max")
          continue
        }
        state.account.requests += 1
        let (due, cut) = isPaced ? state.clock.take(request.time) : (0, nil)
        let result = Request(due: due, path: path(of: request))
        guard let cut else { return (result, []) }
        state.account.shortenedGaps = (state.account.shortenedGaps ?? 0) + 1
        // The first one is told at once: somebody may be waiting for it.
        guard state.account.shortenedGaps == 1 else { return (result, []) }
        let gap = ReportText.seconds(abs(cut.seconds))
        return (
          result,
          [
            "line \(request.line) of \(state.account.path) is \(gap) "
              + "\(cut.seconds < 0 ? "before" : "after") the one before it; it is not waited for that "
              + "long (--longest-gap)"
          ]
        )
      } catch {
        // A line in a million that is torn must not end a replay; a log that breaks off does.
        if error.line != nil {
          state.account.leaveOut(error)
        } else {
          (state.account.problem, state.account.failure) = (error.description, error)
          break
        }
      }
    }
    state.isAtEnd = true
    state.account.format = state.reader.formatName
    return (nil, [])
  }

  /// The path that a key stands for, as it can stand in a request line. Of a URL the host is left out: the target
  /// decides, and `--host`.
  static func path(of request: TraceRequest) -> [UInt8] {
    if request.key.first == UInt8(ascii: "/") { return TargetText.requestable(request.key) }
    if let url = AbsoluteTarget(request.key) { return TargetText.requestable(url.path) }
    return Array("/w/\(request.size)/".utf8) + TargetText.percentEncoded(request.key)
  }
}

/// The requests of a log that are one thread's; confined to it.
final class Replay {
  private let log: ReplayLog
  private var upcoming: ReplayLog.Request?

  /// A thread's share of a log.
  init(_ log: ReplayLog) {
    self.log = log
    upcoming = log.next()
  }

  /// When the next request is due, in nanoseconds from the first one; nil at the end.
  var nextTime: Int64? { upcoming?.due }

  /// The path of the next request; nil at the end.
  func next() -> [UInt8]? {
    guard let request = upcoming else { return nil }
    upcoming = log.next()
    return request.path
  }
}
