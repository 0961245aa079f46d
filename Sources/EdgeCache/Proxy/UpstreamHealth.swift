// Which upstream to try next. Learned from requests alone: an upstream that cannot be connected to, or that has not
// answered several requests in a row in time, is left out for a while, twice as long each time, and when all are left out the one whose time is
// up first is tried all the same.

/// Upstreams in the order of preference: all of a tier before any of the next.
public struct UpstreamGroup: Sendable, Hashable {
  /// Indices of upstreams; the tiers of a regional API are its region and those to fail over to.
  public let tiers: [[Int]]

  /// A group of tiers.
  public init(tiers: [[Int]]) {
    self.tiers = tiers
  }

  /// True if it has that upstream. O(group).
  public func has(_ upstream: Int) -> Bool { tiers.contains { $0.contains(upstream) } }
}

/// What one event loop knows about the upstreams.
public struct UpstreamHealth: Sendable {
  private struct Record: Sendable {
    var failures = 0
    var heldUntil = Instant(milliseconds: .min)
    /// Requests in a row that it has not answered in time.
    var timeouts = 0
    /// True if that is why it is left out: then it can be connected to, which says nothing.
    var isHung = false
  }

  /// Shortest and longest time for which an upstream is left out, in milliseconds.
  public static let holdDown: ClosedRange<Int64> = 1_000...30_000

  /// Requests in a row that are not answered in time, before an upstream is left out.
  public static let mostTimeouts = 3

  private var records: [Record]
  /// Whose turn it is, by the first upstream of a tier: groups do not disturb each other's order.
  private var turns: [Int]

  /// Knows nothing bad about any of `count` upstreams.
  public init(count: Int) {
    records = Array(repeating: Record(), count: count)
    turns = Array(repeating: 0, count: count)
  }

  /// The next upstream of a group that is not in `tried`; nil when all were tried. O(group).
  public mutating func next(
    _ group: UpstreamGroup, tried: UpstreamSet, now: Instant
  ) -> Int? {
    for tier in group.tiers where !tier.isEmpty {
      turns[tier[0]] &+= 1
      let turn = turns[tier[0]]
      for offset in 0..<tier.count {
        let candidate = tier[(turn &+ offset) % tier.count]
        if records[candidate].heldUntil <= now, !tried.contains(candidate) { return candidate }
      }
    }
    let rest = group.tiers.joined().filter { !tried.contains($0) }
    return rest.min { records[$0].heldUntil < records[$1].heldUntil }
  }

  /// The upstream could not be connected to; true if it is left out from now on, false if it was
  /// already: a burst of failures at once is one failure. O(1).
  @discardableResult
  public mutating func failed(_ upstream: Int, now: Instant) -> Bool {
    let record = records[upstream]
    guard record.heldUntil <= now else { return false }
    let doubled = Self.holdDown.lowerBound << Int64(min(record.failures, 5))
    let hold = min(doubled, Self.holdDown.upperBound)
    records[upstream].failures += 1
    records[upstream].heldUntil = now.adding(milliseconds: hold)
    return true
  }

  /// The upstream was connected to; true if it had failed. O(1).
  @discardableResult
  public mutating func succeeded(_ upstream: Int) -> Bool {
    let record = records[upstream]
    guard record.failures > 0, !record.isHung else { return false }
    records[upstream] = Record(timeouts: record.timeouts)
    return true
  }

  /// The upstream has not answered a request of a group in time; true if it is left out from now on: after several in a
  /// row, unless all others of the group are. O(group).
  public mutating func timedOut(
    _ upstream: Int, in group: UpstreamGroup, now: Instant
  ) -> Bool {
    records[upstream].timeouts += 1
    guard records[upstream].timeouts >= Self.mostTimeouts,
      group.tiers.joined().contains(where: { $0 != upstream && !isHeldDown($0, now: now) }),
      failed(upstream, now: now)
    else { return false }
    records[upstream].isHung = true
    return true
  }

  /// The upstream has answered a request; true if it was left out for not doing so. O(1).
  @discardableResult
  @inlinable
  public mutating func answered(_ upstream: Int) -> Bool {
    isSuspect(upstream) ? clear(upstream) : false
  }

  @usableFromInline
  func isSuspect(_ upstream: Int) -> Bool { records[upstream].timeouts > 0 }

  @usableFromInline
  mutating func clear(_ upstream: Int) -> Bool {
    let wasHung = records[upstream].isHung
    records[upstream] = Record()
    return wasHung
  }

  /// Until when the upstream is left out; nil if it is not. O(1).
  public func heldUntil(_ upstream: Int, now: Instant) -> Instant? {
    isHeldDown(upstream, now: now) ? records[upstream].heldUntil : nil
  }

  /// True if the upstream is left out at the moment. O(1).
  public func isHeldDown(_ upstream: Int, now: Instant) -> Bool {
    now < records[upstream].heldUntil
  }
}

/// Some upstreams; the first 64 of a PoP take no memory.
public struct UpstreamSet: Sendable, Hashable, ExpressibleByArrayLiteral {
  private var low: UInt64 = 0
  private var others: [Int] = []

  /// Those with these numbers.
  public init(arrayLiteral upstreams: Int...) {
    for upstream in upstreams { insert(upstream) }
  }

  /// None.
  public init() {}

  /// True if an upstream is among them. O(1) for the first 64.
  public func contains(_ upstream: Int) -> Bool {
    upstream < 64 ? low >> UInt64(upstream) & 1 != 0 : others.contains(upstream)
  }

  /// Adds an upstream.
  public mutating func insert(_ upstream: Int) {
    if upstream < 64 {
      low |= 1 << UInt64(upstream)
    } else if !others.contains(upstream) {
      others.append(upstream)
    }
  }
}
