import EdgeSocket

// Which client is closed when there is no place for another. Pure: connections and moments come in.
//
// Nothing is kept in order while there are places: a hit would pay for that. When they are short all connections of
// the loop are looked at once, and an eighth of them chosen in advance; what has begun something meanwhile is passed
// over. So choosing costs O(1) for each connection that is closed, amortised.

/// What a client's connection does, as far as that decides whether it may be closed.
enum ClientStanding: Sendable, Hashable {
  /// All was sent, and it is about to be closed anyway.
  case leaving(since: Int64)
  /// It has been answered, and has asked for nothing since.
  case idle(since: Int64)
  /// Its next head is not complete, and may never be.
  case head(since: Int64)
  /// It is being served.
  case busy
}

/// Chooses the clients that are closed when places are short.
struct ClientPlaces<Client> {
  /// One connection.
  struct Holder {
    let client: Client
    /// Whose it is; nil if any number of its connections is right.
    let network: ClientNetwork?
    let standing: ClientStanding
  }

  /// Who is next, best first, as things were when all were looked at; in reverse.
  private var chosen: [Holder] = []
  private var nextLook = Int64.min

  /// Who has been in a head for as many nanoseconds may be closed for others: an honest client sends it at once.
  static var headTime: Int64 { 1_000_000_000 }
  /// Nanoseconds until so many are looked at again after too few could be chosen: little of a loop's time.
  static func pause(_ count: Int) -> Int64 { 100_000_000 + Int64(count) * 5_000 }
  private static var fewest: Int { 16 }

  /// The next who is to be closed; nil if there is nobody for now. `holders` lists all connections, and `stands` says
  /// whether a client still does what it did. Amortised O(1), if it is called for each connection too many.
  mutating func next(
    now: Int64, holders: () -> [Holder], stands: (Holder) -> Bool
  ) -> Holder? {
    for isSecond in [false, true] {
      while let holder = chosen.popLast() {
        if stands(holder) { return holder }
      }
      guard !isSecond, now >= nextLook else { return nil }
      let all = holders()
      let most = max(Self.fewest, all.count / 8)
      chosen = Self.choose(most, of: all, now: now)
      nextLook = chosen.count < most ? now + Self.pause(all.count) : now
      chosen.reverse()
    }
    return nil
  }

  /// Forgets who was chosen: places are no longer short.
  mutating func forget() { chosen = [] }

  /// At most so many, best first: those that are leaving, then those that are idle, the longest first, then those in a
  /// head, of whoever has most connections. O(holders × log holders).
  static func choose(_ most: Int, of holders: [Holder], now: Int64) -> [Holder] {
    var leaving: [(since: Int64, holder: Holder)] = []
    var idle = leaving
    var heads: [ClientNetwork: [(since: Int64, holder: Holder)]] = [:]
    var held: [ClientNetwork: Int] = [:]
    for holder in holders {
      if let network = holder.network { held[network, default: 0] += 1 }
      switch holder.standing {
      case .leaving(let since): leaving.append((since, holder))
      case .idle(let since): idle.append((since, holder))
      case .head(let since):
        if let network = holder.network, now - since >= headTime {
          heads[network, default: []].append((since, holder))
        }
      case .busy: break
      }
    }
    var chosen: [Holder] = []
    for group in [leaving, idle] where chosen.count < most {
      chosen += group.sorted { $0.since < $1.since }.prefix(most - chosen.count).map(\.holder)
    }
    if chosen.count == most || heads.isEmpty { return chosen }
    for holder in chosen { if let network = holder.network { held[network, default: 1] -= 1 } }
    return chosen + fromHeaviest(most - chosen.count, of: heads, held: held)
  }

  /// Takes one after the other from whoever has most by then, the longest in its head first. O(heads × log heads).
  private static func fromHeaviest(
    _ most: Int, of heads: [ClientNetwork: [(since: Int64, holder: Holder)]],
    held: [ClientNetwork: Int]
  ) -> [Holder] {
    // The n-th connection that is taken from somebody is taken while he has n - 1 fewer than before: sorted by that,
    // all are in their order.
    var order: [(held: Int, since: Int64, holder: Holder)] = []
    for (network, queue) in heads {
      let all = held[network, default: 0]
      for (index, next) in queue.sorted(by: { $0.since < $1.since }).enumerated() {
        order.append((all - index, next.since, next.holder))
      }
    }
    order.sort { $0.held != $1.held ? $0.held > $1.held : $0.since < $1.since }
    return order.prefix(most).map(\.holder)
  }
}

extension ClientPlaces.Holder: Sendable where Client: Sendable {}
