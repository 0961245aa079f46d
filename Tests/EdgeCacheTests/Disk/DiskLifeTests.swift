import NIOCore
import Testing

@testable import EdgeCache

@Suite("Lives of segments")
struct DiskLifeTests {
  private static let request = CoreExchange.parseRequest("GET / HTTP/1.1↵Host: a").fields
  private static let now = FilledStore.now

  private static func has(_ path: String, _ filled: FilledStore, _ store: DiskStore) -> Bool {
    store.read(filled.key(path), request: request, now: now) != nil
  }

  /// What may happen to the beginning of the newest segment.
  enum Damage: CaseIterable {
    case bit, noise, zeros, sector, unreadable, number, short

    func apply(_ volume: SimulatedVolume) throws {
      switch self {
      case .bit: volume.damage(.segment(0)) { $0[20] ^= 0x40 }
      case .noise: volume.damage(.segment(0)) { for place in 0..<64 { $0[place] = 0xA5 } }
      case .zeros: volume.damage(.segment(0)) { for place in 0..<64 { $0[place] = 0 } }
      case .sector: volume.damage(.segment(0)) { for place in 0..<512 { $0[place] = 0 } }
      case .unreadable: volume.makeUnreadable(.segment(0))
      case .number:
        let bytes = volume.bytes(.segment(0))
        volume.damage(.segment(1)) { $0 = bytes }
        volume.damage(.segment(0)) { $0[20] ^= 0x40 }
      case .short: try volume.truncate(.segment(0), to: 40)
      }
    }
  }

  @Test(
    "No life is given out twice: what was purged or invalidated stays away",
    arguments: Damage.allCases,
    [false, true])
  func reused(_ damage: Damage, isPurged: Bool) throws {
    let filled = try FilledStore()
    // The first one is longer than a sector, so that the second one survives it.
    filled.write("/a", String(repeating: "a", count: 700))
    filled.write("/k")
    let volume = filled.volume.crashed(machine: false, seed: 1)
    try damage.apply(volume)
    let purges = PurgeLog()
    let store = try FilledStore.open(volume, purges)
    #expect(!Self.has("/k", filled, store))
    if damage != .zeros, damage != .sector {
      let isTold = store.statistics.notices.contains {
        if case .segmentsLost = $0 { true } else { false }
      }
      #expect(isTold || damage == .short, "\(store.statistics.notices)")
    }
    if isPurged {
      let purge = Purge([.url(filled.key("/k"))])
      try store.purge(purge, sequence: purges.append(purge).sequence, now: Self.now)
    } else if let removal = store.remove(filled.key("/k").hash) {
      store.log([removal], now: Self.now)
    }
    let other = try FilledStore()
    store.write(
      other.write("/b", String(repeating: "b", count: 700)), stamp: store.purges.head)
    // So many purges that the log is written anew, without what nothing stored is older than.
    for _ in 0..<20 where isPurged {
      let many = (0..<1000).map { number in
        let purge = Purge([.url(filled.key("/never/\(number)"))])
        return (purge: purge, sequence: purges.append(purge).sequence)
      }
      try store.log(many, syncs: true, now: Self.now)
    }
    let third = try FilledStore.open(volume.crashed(machine: false, seed: 2))
    #expect(!Self.has("/k", filled, third) && Self.has("/b", filled, third))
    let isQuiet = !third.statistics.notices.contains { $0.isDamage }
    #expect(isQuiet, "\(third.statistics.notices)")
  }
}
