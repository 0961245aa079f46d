/// A look at the times of everything on a loop, once a second: in parts, so that a thousand connections whose time is up
/// at about the same moment do not keep all others waiting while they are ended. Pure: the time comes in.
struct TimeRound {
  /// How many things are looked at in a part, if the round does not have to be cut finer than ``most``.
  static let partSize = 128
  /// More parts than this would only wake the loop more often.
  static let most = 32
  /// How long a round takes, in nanoseconds.
  static let length: Int64 = 1_000_000_000

  /// Into how many parts the present round is cut.
  private(set) var parts = 1
  /// The part that is due, from 0.
  private(set) var part = 0
  /// When the present round began.
  private var began: Int64

  init(now: Int64) {
    began = now
  }

  /// True if the part that is due is the first of its round.
  var isFirst: Bool { part == 0 }
  /// True if it is the last.
  var isLast: Bool { part == parts - 1 }

  /// Cuts the round that begins with the part that is due, for so many things.
  mutating func cut(for count: Int, now: Int64) {
    parts = min(max(1, count / Self.partSize), Self.most)
    part = 0
    began = now
  }

  /// Goes on to the next part, and says when it is due: no sooner than now.
  mutating func next(now: Int64) -> Int64 {
    part = isLast ? 0 : part + 1
    let due = began + Self.length / Int64(parts) * Int64(part == 0 ? parts : part)
    return max(due, now)
  }
}
