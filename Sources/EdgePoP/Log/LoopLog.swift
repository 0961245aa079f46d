import EdgeCache
import EdgeSocket
import NIOCore

/// The access log of one event loop: lines that are put together, until there are enough of them to be handed over or
/// a fifth of a second has passed. No line takes memory of its own, or a lock.
final class LoopLog {
  let log: AccessLog
  private let reactor: Reactor
  /// What lines may have besides what a request brings, in bytes.
  private let mostOwn: Int
  /// Always the same, so that nothing is counted to get at it; its memory changes.
  private let block: LogBlock
  private var isTimerSet = false
  private var isEnding = false
  private var sampling: LogSampler
  /// The second that ``date`` is of.
  private var second = Int64.min
  private let date = LogBlock(capacity: 32)

  /// What of that is the same for every PoP: all members of a line in JSON, with the longest numbers and words.
  static let mostFixed = 1536
  /// After so many nanoseconds lines are handed over that are fewer than a block has room for.
  private static let delay: Int64 = 200_000_000

  /// The log of a loop, with names of at most so many bytes in all.
  init(_ log: AccessLog, on reactor: Reactor, names: Int) {
    (self.log, self.reactor) = (log, reactor)
    sampling = LogSampler(share: log.sample)
    mostOwn = Self.mostFixed + LogBlock.mostForByte * names
    block = log.takeBlock(atLeast: 0)
  }

  /// True if times are told in microseconds, and requests by their names.
  var isDetailed: Bool { log.format == .json }

  /// Writes the line of a request, if it is one of those that are written.
  func write(
    _ served: borrowing ServedRequest, _ head: borrowing RequestHead, _ line: AccessLogLine
  ) {
    guard served.isAlwaysLogged || sampling.takes() else { return }
    let most = mostOwn + LogBlock.mostForByte * head.fields.bytes.readableBytes
    if block.room < most { makeRoom(for: head) }
    switch log.format {
    case .combined: line.writeCombined(served, head, time(served.started), to: block)
    case .vhostCombined:
      line.writeHost(head, to: block)
      line.writeCombined(served, head, time(served.started), to: block)
    case .json: line.writeJSON(served, head, isoTime(served), to: block)
    }
    added()
  }

  /// Writes the line of something that is no request.
  func write(_ served: borrowing ServedRequest, _ line: AccessLogLine) {
    let most = mostOwn + LogBlock.mostForByte * served.firstLine.count
    if block.room < most { makeRoom(most) }
    switch log.format {
    case .combined: line.writeCombined(served, time(served.started), to: block)
    case .vhostCombined:
      block.put("- ")
      line.writeCombined(served, time(served.started), to: block)
    case .json: line.writeJSON(served, isoTime(served), to: block)
    }
    added()
  }

  private func added() {
    if isEnding { return flush() }
    if isTimerSet { return }
    setTimer()
  }

  @inline(never)
  private func setTimer() {
    isTimerSet = true
    _ = reactor.schedule(after: Self.delay) { [self] in
      isTimerSet = false
      flush()
    }
  }

  /// Of a long head little is in its line.
  @inline(never)
  private func makeRoom(for head: borrowing RequestHead) {
    let most = mostOwn + LogBlock.mostForByte * AccessLogLine.bytes(of: head)
    if block.room < most { makeRoom(most) }
  }

  @inline(never)
  private func makeRoom(_ size: Int) {
    let other = log.takeBlock(atLeast: size)
    block.exchange(with: other)
    log.add(other)
  }

  /// Hands over what there is.
  func flush() {
    if block.count > 0 { makeRoom(0) }
  }

  /// Hands over what there is, and from now on each line at once.
  func end() {
    isEnding = true
    flush()
  }

  // MARK: Dates

  /// `10/Oct/2000:13:55:36 +0000`.
  @inline(__always)
  private func time(_ instant: Instant) -> LogBlock {
    let now = instant.wall.seconds
    if now != second { setDate(now) }
    return date
  }

  /// `2000-10-10T13:55:36`, and the microseconds that have passed of the second.
  @inline(__always)
  private func isoTime(_ served: borrowing ServedRequest) -> (second: LogBlock, fraction: Int64) {
    let microseconds =
      served.startedMicroseconds == 0
      ? served.started.wall.milliseconds * 1000
      : served.startedMicroseconds + served.started.wallOffset * 1000
    let (quotient, rest) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
    if quotient != second { setDate(quotient) }
    return (date, rest)
  }

  @inline(never)
  private func setDate(_ now: Int64) {
    second = now
    date.clear()
    let text = HTTPDate.bytes(now)
    let parts = (day: text[5..<7], month: text[8..<11], year: text[12..<16], time: text[17..<25])
    if isDetailed {
      let month = 1 + (Self.months.firstIndex { $0.elementsEqual(parts.month) } ?? 0)
      date.put(Array(parts.year))
      date.put(ASCII.dash)
      date.put(Int64(month), digits: 2)
      date.put(ASCII.dash)
      date.put(Array(parts.day))
      date.put("T")
      date.put(Array(parts.time))
    } else {
      date.put(Array(parts.day))
      date.put(ASCII.slash)
      date.put(Array(parts.month))
      date.put(ASCII.slash)
      date.put(Array(parts.year))
      date.put(ASCII.colon)
      date.put(Array(parts.time))
      date.put(" +0000")
    }
  }

  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ].map { Array($0.utf8) }
}

/// Says which lines are written where that is a share of them: every so manieth.
struct LogSampler {
  private let step: UInt32
  private let takesAll: Bool
  private var credit: UInt32 = 0

  /// For a share from 0 to 1.
  init(share: Double) {
    takesAll = share >= 1
    step = takesAll ? 0 : UInt32(max(0, share) * 4_294_967_296)
  }

  /// True if the next one is written. O(1).
  @inline(__always)
  mutating func takes() -> Bool {
    if takesAll { return true }
    let (sum, isDue) = credit.addingReportingOverflow(step)
    credit = sum
    return isDue
  }
}
