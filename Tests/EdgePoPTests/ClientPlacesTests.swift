import EdgeSocket
import Seeds
import Testing

@testable import EdgePoP

// Who is closed when there is no place for another client: as tables, and as a crowd from a seed.

private typealias Places = ClientPlaces<Int>

private func network(_ host: String) -> ClientNetwork {
  guard let network = ClientNetwork(host) else { preconditionFailure("no address: \(host)") }
  return network
}

private let a = network("192.0.2.1")
private let b = network("192.0.2.2")
private let second: Int64 = 1_000_000_000

private func holder(
  _ client: Int, _ network: ClientNetwork?, _ standing: ClientStanding
) -> Places.Holder {
  .init(client: client, network: network, standing: standing)
}

@Suite("Places of clients")
struct ClientPlacesTests {
  /// Connections at second 10, and in which order they are closed.
  private static let orders: [(holders: [Places.Holder], closed: [Int])] = [
    ([], []),
    ([holder(1, a, .busy)], []),
    // The longest idle first, and before them who leaves anyway.
    (
      [
        holder(1, a, .idle(since: 3 * second)), holder(2, b, .idle(since: second)),
        holder(3, a, .leaving(since: 9 * second)), holder(4, b, .idle(since: 2 * second)),
      ], [3, 2, 4, 1]
    ),
    // A proxy that is believed has idle connections, too.
    ([holder(1, nil, .idle(since: second)), holder(2, a, .busy)], [1]),
    // Then those in a head, of whoever has most, the longest first.
    (
      [
        holder(1, a, .head(since: second)), holder(2, b, .head(since: 0)),
        holder(3, a, .head(since: 2 * second)), holder(4, a, .busy), holder(5, b, .idle(since: 0)),
      ], [5, 1, 3, 2]
    ),
    // Who has just come may be about to send its head.
    ([holder(1, a, .head(since: 9 * second + 1)), holder(2, a, .head(since: 9 * second))], [2]),
    // Of a proxy that is believed nobody in a head is closed: it is many clients.
    ([holder(1, nil, .head(since: 0)), holder(2, a, .head(since: second))], [2]),
    // Those that have been chosen already count no more.
    (
      [
        holder(1, a, .idle(since: 0)), holder(2, a, .idle(since: 0)), holder(3, a, .head(since: 0)),
        holder(4, b, .head(since: second)), holder(5, b, .head(since: 2 * second)),
      ], [1, 2, 4, 3, 5]
    ),
  ]

  @Test("Who is closed first", arguments: orders.indices)
  func order(index: Int) {
    let (holders, closed) = Self.orders[index]
    let chosen = Places.choose(100, of: holders, now: 10 * second).map(\.client)
    #expect(chosen == closed)
    for most in 0...closed.count {
      let some = Places.choose(most, of: holders, now: 10 * second).map(\.client)
      #expect(some == Array(closed.prefix(most)))
    }
  }

  @Test("What counts as one client: an address of IPv4, a /64 of IPv6")
  func networks() {
    let same = [
      ("192.0.2.1", "::ffff:192.0.2.1"), ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"),
      ("::1", "::2"),
    ]
    for (left, right) in same { #expect(network(left) == network(right), "\(left) \(right)") }
    let different = [
      ("192.0.2.1", "192.0.2.2"), ("2001:db8:0:1::1", "2001:db8:0:2::1"), ("::1", "127.0.0.1"),
      ("::", "0.0.0.0"),
    ]
    for (left, right) in different { #expect(network(left) != network(right), "\(left) \(right)") }
    #expect(ClientNetwork("edge.example.invalid") == nil)
  }

  @Test("Nobody is looked at twice while nothing can be chosen")
  func pause() {
    var places = Places()
    var looks = 0
    func next(_ now: Int64, _ holders: [Places.Holder]) -> Int? {
      places.next(
        now: now,
        holders: {
          looks += 1
          return holders
        }, stands: { _ in true })?.client
    }
    let busy = [holder(1, a, .busy)]
    for moment in [0, 1, 1000, 99_000_000] as [Int64] { #expect(next(moment, busy) == nil) }
    #expect(looks == 1)
    #expect(next(second, [holder(1, a, .idle(since: 0))]) == 1)
    #expect(looks == 2)
  }

  @Test("Who has begun something meanwhile is passed over")
  func passedOver() {
    var places = Places()
    let all = (0..<4).map { holder($0, a, .idle(since: Int64($0))) }
    #expect(places.next(now: second, holders: { all }, stands: { $0.client == 2 })?.client == 2)
    #expect(places.next(now: second, holders: { all }, stands: { _ in true })?.client == 3)
    places.forget()
    #expect(places.next(now: second, holders: { all }, stands: { _ in true }) == nil)
  }

  /// A crowd around few places: at every moment nobody is closed who could stay, and an address that takes all it can
  /// get does not keep others out.
  @Test("A crowd from a seed", arguments: 0..<40)
  func crowd(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    struct Member {
      var network: ClientNetwork
      var standing: ClientStanding
    }
    let limit = Int.random(in: 20...200, using: &random)
    let greedy = network("203.0.113.9")
    var members: [Int: Member] = [:]
    var places = Places()
    var (number, looks, closed, kept) = (0, 0, 0, 0)
    var now = second
    for _ in 0..<5000 {
      now += Int64.random(in: 0...20_000_000, using: &random)
      for _ in 0..<3 {
        guard let client = members.keys.min(by: { ($0 &* 31 ^ number) < ($1 &* 31 ^ number) })
        else {
          break
        }
        switch members[client]?.standing {
        case .busy: members[client]?.standing = .idle(since: now)
        case .idle:
          members[client]?.standing = Bool.random(using: &random) ? .busy : .idle(since: now)
        default: members[client] = nil
        }
      }
      number += 1
      let isGreedy = Int.random(in: 0..<4, using: &random) != 0
      members[number] = Member(
        network: isGreedy ? greedy : network("198.51.100.\(number % 250)"),
        standing: isGreedy
          ? .head(since: now) : Bool.random(using: &random) ? .busy : .idle(since: now))
      guard members.count > limit else { continue }
      let count = members.count
      let gone = places.next(
        now: now,
        holders: {
          looks += 1
          return members.map { holder($0.key, $0.value.network, $0.value.standing) }
        }, stands: { members[$0.client]?.standing == $0.standing })
      if let gone {
        closed += 1
        let member = members.removeValue(forKey: gone.client)
        #expect(member?.standing != .busy, "seed \(seed)")
        // In a head only of who has most, unless somebody was idle when all were looked at.
        if case .head = gone.standing { #expect(gone.network == greedy, "seed \(seed)") }
      } else {
        // The shell pauses: the newest is turned away by the kernel.
        kept += 1
        members[number] = nil
      }
      #expect(members.count < count, "seed \(seed)")
    }
    #expect(closed > 0, "seed \(seed)")
    // Each look chooses an eighth, or is followed by a pause.
    #expect(looks <= closed / 2 + kept + 60, "seed \(seed): \(looks) looks for \(closed) closed")
  }
}
