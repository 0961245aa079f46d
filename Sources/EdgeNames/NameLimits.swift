/// Bounds of what is known of names, and of how it is asked for; times in nanoseconds.
public struct NameLimits: Sendable {
  /// One second.
  public static let second: Int64 = 1_000_000_000

  /// For how long an answer is used, whatever it says itself: less would ask for each connection, more would
  /// notice a move only after a day.
  public var lifetime: ClosedRange<Int64> = second...3600 * second
  /// For how long past its lifetime an answer is used while name servers fail (RFC 8767 §5 suggests 1 to 3 days).
  public var stale: Int64 = 86_400 * second
  /// For how long somebody waits for name servers while there is an answer past its lifetime (RFC 8767 §5, where
  /// it is 1.8 s; here there must be time left to connect).
  public var patience: Int64 = second / 2
  /// After how long a look-up that failed is repeated; twice as long each time, up to the upper bound.
  public var retry: ClosedRange<Int64> = 3 * second...30 * second
  /// The same where this machine lacked what it takes.
  public var localRetry: Int64 = second
  /// A name is looked up again before its answer ends if it was asked for within this time.
  public var inUse: Int64 = 300 * second
  /// Names that are kept.
  public var names = 4096
  /// Addresses of each family that are kept of an answer.
  public var addresses = 16
  /// For how long an answer about one family alone is used at most, where it is not known what the other has.
  public var half: Int64 = 30 * second
  /// How long a look-up may take, all questions that belong to it together.
  public var lookup: Int64 = 5 * second
  /// How long addresses of the other family are waited for once one has come (RFC 8305 §3).
  public var otherFamily: Int64 = second / 20

  /// The limits that `docs/limits.md` lists.
  public init() {}
}
