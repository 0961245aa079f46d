import EdgeCache
import EdgeFleet
import Glibc
import Logging
import Synchronization

// What a PoP tells its operator, on standard error. Nobody who has something to tell waits until it is read: lines go
// to a LogWriter as those of the access log do. Faults that are repeated are told once, and then how often they came.

/// The log of events.
public final class OperationalLog: Sendable {
  private let writer: LogWriter
  private let format: FleetConfiguration.LogFormat
  private let filter = Mutex(RepetitionFilter<OperationalLine>())
  private let box: Box
  private let clock = ProcessClock()

  /// What the writer's thread calls before there is a log.
  private final class Box: Sendable {
    let log = Mutex<OperationalLog?>(nil)
  }

  /// Bytes that may wait to be written; what is more is dropped.
  private static let mostWaiting = 1 << 20

  /// A log on standard error; nil if there are no threads to be had.
  public static func standardError(_ format: FleetConfiguration.LogFormat) -> OperationalLog? {
    try? OperationalLog(LogFile(standard: STDERR_FILENO), format)
  }

  init(_ file: LogFile, _ format: FleetConfiguration.LogFormat) throws(LogFileProblem) {
    let box = Box()
    (self.format, self.box) = (format, box)
    writer = try LogWriter(
      file, name: "log", limit: Self.mostWaiting,
      tell: { news in box.log.withLock { $0 }?.tell(news) },
      tick: { isLast in box.log.withLock { $0 }?.tellRepetitions(all: isLast) })
    box.log.withLock { $0 = self }
  }

  /// A logger that writes here.
  public func logger(_ level: Logger.Level) -> Logger {
    Logger(label: "edge-pop") { _ in OperationalLogHandler(log: self, logLevel: level) }
  }

  /// Number of lines dropped so far.
  var dropped: UInt64 { writer.dropped }

  /// Writes a line for programs to wait for, as it is.
  public func write(plain line: String) { writer.add(LogBlock(line: line)) }

  /// Writes what waits, for as long as that, and ends.
  public func close(within limit: Duration) async {
    await writer.close(within: limit)
    box.log.withLock { $0 = nil }
  }

  // MARK: Lines

  /// Adds a line; one that is a fault and came a moment ago is counted instead.
  func add(_ line: OperationalLine) {
    if line.level >= .warning {
      let verdict = filter.withLock { $0.take(line, now: clock.now.milliseconds) }
      for repetition in verdict.told { tell(repetition) }
      guard verdict.isWritten else { return }
    }
    writer.add(LogBlock(line: line.text(format, at: clock.read().wall.milliseconds)))
  }

  private func tell(_ news: LogNews) {
    guard case .recovered(let dropped) = news, dropped > 0 else { return }
    add(
      OperationalLine(
        level: .warning, message: "lines of this log were dropped, for nobody took them",
        fields: [("dropped", "\(dropped)")]))
  }

  /// Tells how often faults came again; says in how many milliseconds there may be more to tell.
  private func tellRepetitions(all: Bool) -> Int? {
    let (due, next) = filter.withLock { filter in
      (filter.due(now: clock.now.milliseconds, all: all), filter.next)
    }
    for repetition in due { tell(repetition) }
    return next.map { Int(max(1, $0 - clock.now.milliseconds)) }
  }

  private func tell(_ repetition: RepetitionFilter<OperationalLine>.Repetition) {
    var line = repetition.line
    line.repetition = repetition.text
    writer.add(LogBlock(line: line.text(format, at: clock.read().wall.milliseconds)))
  }
}

/// What the loggers of a program write with.
struct OperationalLogHandler: LogHandler {
  let log: OperationalLog
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?

  init(log: OperationalLog, logLevel: Logger.Level) {
    (self.log, self.logLevel) = (log, logLevel)
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let own = (event.metadata ?? [:]).sorted { $0.key < $1.key }
    let common = metadata.filter { event.metadata?[$0.key] == nil }.sorted { $0.key < $1.key }
    log.add(
      OperationalLine(
        level: event.level, message: "\(event.message)",
        fields: (common + own).map { ($0.key, "\($0.value)") }))
  }
}
