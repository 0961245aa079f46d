/// A line that faults are told by.
protocol RepeatedLine: Hashable, Sendable {
  /// What all lines about the same kind of fault have in common.
  associatedtype Kind: Hashable, Sendable
  var kind: Kind { get }
}

/// Keeps faults that come again and again from filling the log: each is told once, and then how often it came, every so
/// many seconds; of faults of one kind that differ, so many are told in that time, and how many more there were. A kind
/// that is new is always told. A pure state machine of bounded memory; time is in milliseconds, of whatever clock.
struct RepetitionFilter<Line: RepeatedLine>: Sendable {
  /// What came without being written.
  struct Repetition: Hashable, Sendable {
    /// The line that came again; of others of a kind, the newest.
    var line: Line
    var times: Int
    /// In so many milliseconds.
    var within: Int64
    /// True if these are lines of the same kind as others that were written, but not the same.
    var areOthers = false
  }

  /// What comes of a line.
  struct Verdict: Hashable, Sendable {
    /// True if it is to be written.
    var isWritten = true
    /// What is to be told before it, for it is forgotten.
    var told: [Repetition] = []
  }

  /// The time in which what comes is counted.
  private struct Window: Sendable {
    var began: Int64
    /// Lines that were not written.
    var times = 0
    /// The newest of those.
    var line: Line
    /// Of a kind: lines that were written.
    var written = 0

    func repetition(_ now: Int64, areOthers: Bool) -> Repetition? {
      guard times > 0 else { return nil }
      return Repetition(line: line, times: times, within: now - began, areOthers: areOthers)
    }
  }

  private var lines = Windows<Line>()
  private var kinds = Windows<Line.Kind>()

  /// How long a line is remembered, in milliseconds.
  static var window: Int64 { 10_000 }
  /// Lines that are remembered, and kinds.
  static var most: Int { 256 }
  /// Lines of one kind that are written in that time.
  static var mostOfKind: Int { 64 }

  /// A line comes. O(1), or O(lines) when one has to be forgotten for it.
  mutating func take(_ line: Line, now: Int64) -> Verdict {
    if lines.open[line] != nil {
      lines.open[line]?.times += 1
      return Verdict(isWritten: false)
    }
    let kind = line.kind
    if let window = kinds.open[kind], window.written >= Self.mostOfKind {
      kinds.open[kind]?.times += 1
      kinds.open[kind]?.line = line
      return Verdict(isWritten: false)
    }
    var verdict = Verdict()
    if kinds.open[kind] == nil {
      let evicted = kinds.add(kind, Window(began: now, line: line), atMost: Self.most)
      if let told = evicted?.repetition(now, areOthers: true) { verdict.told.append(told) }
    }
    kinds.open[kind]?.written += 1
    let evicted = lines.add(line, Window(began: now, line: line), atMost: Self.most)
    if let told = evicted?.repetition(now, areOthers: false) { verdict.told.append(told) }
    return verdict
  }

  /// What came without being written, of all windows that are over, or of all. Where nothing did, the line is forgotten.
  /// O(lines).
  mutating func due(now: Int64, all: Bool = false) -> [Repetition] {
    lines.endWindows(now, all: all).compactMap { $0.repetition(now, areOthers: false) }
      + kinds.endWindows(now, all: all).compactMap { $0.repetition(now, areOthers: true) }
  }

  /// When a window is over next; nil if none is open. O(lines).
  var next: Int64? {
    guard let began = [lines.first, kinds.first].compactMap({ $0 }).min() else { return nil }
    return began + Self.window
  }

  /// Windows by what they are of.
  private struct Windows<Key: Hashable & Sendable>: Sendable {
    var open: [Key: Window] = [:]
    /// Those that are open, oldest first; each once.
    private var order: [Key] = []

    /// When the oldest began.
    var first: Int64? { order.first.flatMap { open[$0]?.began } }

    /// Opens another one; the oldest is forgotten where there are too many.
    mutating func add(_ key: Key, _ window: Window, atMost most: Int) -> Window? {
      let evicted = order.count < most ? nil : open.removeValue(forKey: order.removeFirst())
      open[key] = window
      order.append(key)
      return evicted
    }

    /// Those that are over, as they were. They begin anew where something was counted.
    mutating func endWindows(_ now: Int64, all: Bool) -> [Window] {
      var ended: [Window] = []
      var (kept, renewed): ([Key], [Key]) = ([], [])
      for key in order {
        guard let window = open[key] else { continue }
        guard all || now - window.began >= RepetitionFilter.window else {
          kept.append(key)
          continue
        }
        ended.append(window)
        if window.times > 0 {
          open[key] = Window(began: now, line: window.line)
          renewed.append(key)
        } else {
          open[key] = nil
        }
      }
      order = kept + renewed
      return ended
    }
  }
}

extension RepetitionFilter.Repetition {
  /// What is told of it.
  var text: String {
    let seconds = max(1, (within + 500) / 1000)
    if !areOthers { return "repeated \(times) times in \(seconds) s" }
    return switch times {
    case ...1: "one more of its kind came in \(seconds) s"
    case 2: "this and another one of its kind came in \(seconds) s"
    default: "this and \(times - 1) others of its kind came in \(seconds) s"
    }
  }
}
