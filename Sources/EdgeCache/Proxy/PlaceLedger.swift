// The places among the connections to one upstream, as a pure state machine that all event loops share: events in,
// and in ``takeNews()`` what other loops are to be told. It never touches a connection; pools do (``ConnectionPool``).
//
// Invariants: `taken` never exceeds the limit; while somebody waits here, all places are taken or on their way to
// somebody (so a place that is given back goes to whoever has waited longest, at once); and whoever waits while
// another loop has an idle connection has had that loop asked for it, or a place is on its way (`promised`).
//
// How a loop is asked, so that no wish is lost and none is told twice: it is told once (``News/wanted(loop:)``), and is
// `isAsked` from then on. It lets go of idle connections as far as they are needed. It stays asked, and sends each
// connection on that comes back to it, until it keeps one: that is only when nobody needs it, and the next who does
// asks anew.
//
// Slots bound those who hold a connection for as long as their client likes: one takes a slot first, then a place.

/// Places among the connections to one upstream, for all event loops.
public struct PlaceLedger: Sendable {
  /// What a loop is to be told.
  public enum News: Hashable, Sendable {
    /// A place is its own: ``ConnectionPool/placeCame(_:)``.
    case place(loop: Int)
    /// A slot is its own: ``ConnectionPool/slotCame(_:)``.
    case slot(loop: Int)
    /// Somebody needs a place: ``ConnectionPool/asked(_:)``.
    case wanted(loop: Int)

    /// The loop.
    public var loop: Int {
      switch self {
      case .place(let loop), .slot(let loop), .wanted(let loop): loop
      }
    }
  }

  private struct Waiting: Sendable {
    let ticket: UInt64
    let since: Instant
  }

  private struct Loop: Sendable {
    /// Those who wait for a place, by the order in which they came.
    var queue: [Waiting] = []
    /// Connections that it closes because others need their places.
    var promised = 0
    var isAsked = false
    /// Connections whose responses are read slowly, as of its last look.
    var slowReaders = 0
  }

  /// By how many milliseconds somebody of another loop must have waited longer, so that a connection which comes back
  /// is closed for him: a new one costs more than a used one that somebody here can have at once.
  static let patience: Int64 = 50

  /// Connections that there may be.
  public let limit: Int
  /// Most of those that are held for as long as a client likes.
  public let slotLimit: Int
  /// Places that are taken: connections that are idle, in use, being made or being closed.
  public private(set) var taken = 0
  /// Slots that are taken.
  public private(set) var slots = 0
  /// Slots of those who have a place too.
  public internal(set) var streaming = 0
  /// Those who wait for a place.
  public private(set) var waiting = 0
  /// Connections that changed their protocol, which have no place any more.
  public private(set) var tunnels = 0
  /// How many of those there may be.
  public let tunnelLimit: Int
  /// Places that will be given back because somebody waits.
  private var promised = 0
  private var nextTicket: UInt64 = 0
  private var loops: [Loop]
  /// Those who wait for a slot, by the order in which they came.
  private var slotQueue: [(loop: Int, ticket: UInt64)] = []
  private var news: [News] = []

  /// At most `limit` places, and so many tunnels, for so many loops.
  public init(limit: Int, tunnels: Int = .max, loops count: Int = 1) {
    invariant(limit > 0 && count > 0, "an upstream without connections, or without loops")
    self.limit = limit
    tunnelLimit = tunnels
    slotLimit = max(1, limit - (limit + 3) / 4)
    loops = Array(repeating: Loop(), count: count)
  }

  /// Those who wait for a place or a slot.
  public var allWaiting: Int { waiting + slotWaiting }
  /// Those who wait for a slot.
  var slotWaiting: Int { slotQueue.count }

  /// Those who wait for a place and for whom none is on its way.
  var uncovered: Int { max(0, waiting - promised) }

  /// What other loops are to be told, each once.
  public mutating func takeNews() -> [News] {
    if news.isEmpty { return [] }
    defer { news = [] }
    return news
  }

  // MARK: Places

  /// Takes a place; false if there is none. O(1).
  mutating func take() -> Bool {
    if taken >= limit { return false }
    taken += 1
    return true
  }

  /// Somebody of a loop waits for a place. Returns his ticket. O(loops).
  mutating func wait(_ loop: Int, now: Instant) -> UInt64 {
    let ticket = newTicket()
    loops[loop].queue.append(Waiting(ticket: ticket, since: now))
    waiting += 1
    for other in loops.indices where other != loop && !loops[other].isAsked {
      loops[other].isAsked = true
      news.append(.wanted(loop: other))
    }
    return ticket
  }

  private mutating func newTicket() -> UInt64 {
    nextTicket += 1
    return nextTicket
  }

  /// The one with that ticket waits no longer; no matter if his place is on its way already. O(queue).
  mutating func stopWaiting(_ loop: Int, _ ticket: UInt64) {
    guard let index = loops[loop].queue.firstIndex(where: { $0.ticket >= ticket }),
      loops[loop].queue[index].ticket == ticket
    else { return }
    loops[loop].queue.remove(at: index)
    waiting -= 1
  }

  /// A loop gives a place back, which goes to whoever has waited longest. True if that is somebody of the same loop,
  /// which has the place then. O(loops + queue).
  mutating func giveBack(_ loop: Int) -> Bool {
    taken -= 1
    invariant(taken >= 0, "more places given back than taken")
    if loops[loop].promised > 0 {
      loops[loop].promised -= 1
      promised -= 1
    }
    guard let next = longestWaiting() else { return false }
    loops[next].queue.removeFirst()
    waiting -= 1
    taken += 1
    if next == loop { return true }
    news.append(.place(loop: next))
    return false
  }

  private func longestWaiting() -> Int? {
    var found: (loop: Int, ticket: UInt64)?
    for (index, loop) in loops.enumerated() {
      if let first = loop.queue.first, first.ticket < found?.ticket ?? .max {
        found = (index, first.ticket)
      }
    }
    return found?.loop
  }

  /// A loop will give back so many places, because somebody waits.
  mutating func promise(_ loop: Int, _ count: Int = 1) {
    loops[loop].promised += count
    promised += count
  }

  /// True if a connection that comes back to a loop, where somebody has waited since that moment, had better be closed
  /// for somebody of another one. O(loops).
  func isForOthers(_ loop: Int, waitingSince since: Instant) -> Bool {
    guard waiting - loops[loop].queue.count > promised else { return false }
    let longest = since.adding(milliseconds: -Self.patience)
    for (index, other) in loops.enumerated() where index != loop {
      if let first = other.queue.first, first.since <= longest { return true }
    }
    return false
  }

  /// A loop keeps an idle connection, for nobody needs it: who needs one asks.
  mutating func forgetAsking(_ loop: Int) { loops[loop].isAsked = false }

  // MARK: Slots

  /// Takes a slot; false if there is none. O(1).
  mutating func takeSlot() -> Bool {
    if slots >= slotLimit { return false }
    slots += 1
    return true
  }

  /// Takes a slot, whatever the bound is.
  mutating func forceSlot() { slots += 1 }

  /// Somebody of a loop waits for a slot. Returns his ticket. O(1).
  mutating func waitForSlot(_ loop: Int) -> UInt64 {
    let ticket = newTicket()
    slotQueue.append((loop, ticket))
    return ticket
  }

  /// The one with that ticket waits for a slot no longer. O(queue).
  mutating func stopWaitingForSlot(_ ticket: UInt64) {
    slotQueue.removeAll { $0.ticket == ticket }
  }

  /// A loop gives a slot back, which goes to whoever has waited longest. True if that is somebody of the same loop,
  /// which has the slot then. O(queue).
  mutating func giveSlotBack(_ loop: Int) -> Bool {
    slots -= 1
    invariant(slots >= 0, "more slots given back than taken")
    guard slots < slotLimit, !slotQueue.isEmpty else { return false }
    let next = slotQueue.removeFirst().loop
    slots += 1
    if next == loop { return true }
    news.append(.slot(loop: next))
    return false
  }

  // MARK: Tunnels

  /// True if there are as many tunnels as there may be.
  public var areTunnelsFull: Bool { tunnels >= tunnelLimit }

  /// A connection changes its protocol; false if it may not. Its place is given back besides.
  public mutating func beginTunnel() -> Bool {
    if areTunnelsFull { return false }
    tunnels += 1
    return true
  }

  /// A connection that had changed its protocol is closed.
  public mutating func endTunnel() {
    tunnels -= 1
    invariant(tunnels >= 0, "more tunnels ended than began")
  }

  // MARK: Slow readers

  /// How many responses that are read slowly a loop had better end while others wait, of so many that it has and so
  /// many of them that are slower than anybody may be. O(loops).
  public mutating func slowReaders(_ loop: Int, _ count: Int, slowest: Int) -> Int {
    loops[loop].slowReaders = count
    let all = loops.reduce(0) { $0 + $1.slowReaders }
    let reserve = (limit + 3) / 4
    let excess = max(0, all + streaming - (limit - reserve))
    let ended = min(uncovered, count, max(slowest, excess))
    loops[loop].slowReaders -= ended
    return ended
  }
}
