// A request log as the source of requests: the same URLs in the same order, at their own times, a
// multiple of their speed, or as fast as answers come.
//
// Only GET and HEAD are replayed, as GET: what a log cannot give back is the content of the others.
// A key that is no path (traces for simulators number their objects) becomes the path of a resource
// of that size, which the sample origin serves.

/// What is replayed, and how fast.
struct ReplayPlan: Equatable, Sendable {
  /// The log; `-` for standard input.
  var path: String
  /// How many times as fast as it was recorded; nil for as fast as answers come.
  var speed: Double?
}

/// The requests of a log that are one thread's; confined to it.
final class Replay {
  /// When the next request is due, in nanoseconds from the first one; nil at the end.
  private(set) var nextTime: Int64?

  private var reader: TraceReader
  private let plan: ReplayPlan
  private let loop: Int
  private let threads: Int
  private var number = 0
  private var upcoming: [UInt8] = []
  private var firstTime: Double?

  /// Opens the log; each thread takes every `threads`-th request.
  init(_ plan: ReplayPlan, loop: Int, threads: Int) throws(TraceProblem) {
    self.plan = plan
    (self.loop, self.threads) = (loop, threads)
    reader = try TraceReader(path: plan.path)
    advance()
  }

  /// The path of the next request; nil at the end.
  func next() -> [UInt8]? {
    guard nextTime != nil else { return nil }
    let path = upcoming
    advance()
    return path
  }

  private func advance() {
    nextTime = nil
    while true {
      let request: TraceRequest?
      do throws(TraceProblem) {
        request = try reader.next()
      } catch {
        // A line in a million that is torn must not end a replay; a log that breaks off does.
        if error.line == nil { return }
        continue
      }
      guard let request else { return }
      guard request.method == "GET" || request.method == "HEAD" else { continue }
      number += 1
      let base = firstTime ?? request.time
      firstTime = base
      guard (number - 1) % threads == loop else { continue }
      // Logs are in the order in which answers ended; no request is due before the first.
      nextTime = Int64(max(0, request.time - base) / (plan.speed ?? 1) * 1e9)
      upcoming = Self.path(of: request)
      return
    }
  }

  /// The path that a key stands for.
  static func path(of request: TraceRequest) -> [UInt8] {
    let text = String(decoding: request.key, as: UTF8.self)
    if LoadTarget.isPath(text) { return request.key }
    if let target = try? LoadTarget(url: text) { return Array(target.path.utf8) }
    return Array("/w/\(request.size)/\(TargetText.percentEncoded(text))".utf8)
  }
}
