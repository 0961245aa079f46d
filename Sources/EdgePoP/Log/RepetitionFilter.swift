/// Keeps a fault that comes again and again from filling the log: it is told once, and then how often it came, every so
/// many seconds. A pure state machine; time is in milliseconds, of whatever clock.
struct RepetitionFilter<Line: Hashable & Sendable>: Sendable {
  /// A line that came again.
  struct Repetition: Hashable, Sendable {
    var line: Line
    var times: Int
    /// In so many milliseconds.
    var within: Int64
  }

  private struct Window: Sendable {
    var began: Int64
    var times = 0
  }

  private var windows: [Line: Window] = [:]
  /// Lines that are known, oldest first; each once.
  private var order: [Line] = []

  /// How long a line is remembered, in milliseconds.
  static var window: Int64 { 10_000 }
  /// Lines that are remembered.
  static var most: Int { 256 }

  /// A line comes; true if it is to be written. O(1), or O(lines) when it is not known.
  mutating func take(_ line: Line, now: Int64) -> Bool {
    if windows[line] != nil {
      windows[line]?.times += 1
      return false
    }
    // Of more than can be remembered each is written.
    guard windows.count < Self.most else { return true }
    windows[line] = Window(began: now)
    order.append(line)
    return true
  }

  /// What came again, of all windows that are over, or of all. A line that did not come again is forgotten. O(lines).
  mutating func due(now: Int64, all: Bool = false) -> [Repetition] {
    var told: [Repetition] = []
    var kept: [Line] = []
    for line in order {
      guard let window = windows[line] else { continue }
      guard all || now - window.began >= Self.window else {
        kept.append(line)
        continue
      }
      if window.times > 0 {
        told.append(Repetition(line: line, times: window.times, within: now - window.began))
        windows[line] = Window(began: now)
        kept.append(line)
      } else {
        windows[line] = nil
      }
    }
    order = kept
    return told
  }

  /// When a window is over next; nil if none is open. O(lines).
  var next: Int64? { windows.values.map { $0.began + Self.window }.min() }
}
