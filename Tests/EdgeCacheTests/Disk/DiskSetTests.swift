import NIOCore
import Seeds
import Testing

@testable import EdgeCache

@Suite("Several disks")
struct DiskSetTests {
  private static let now = FilledStore.now
  private static let options = DiskOptions(
    size: 4 << 16, segmentSize: 1 << 16, admission: .all)
  private static let request = CoreExchange.parseRequest("GET / HTTP/1.1↵Host: a").fields

  private static func open(
    _ volumes: [SimulatedVolume], _ purges: PurgeLog = PurgeLog(), seed: UInt64
  ) throws -> [DiskStore] {
    var words = SeededRandom(seed: seed)
    return try DiskStore.openSet(
      volumes.map { ($0, options) }, purges: purges, now: now, random: { words.next() },
      clock: { 0 })
  }

  private static func response(_ path: String, _ store: DiskStore) -> StoredResponse {
    let key = CacheKey(url: "http://www.example\(path)".utf8, secret: store.secret)!
    return .sample(key, "the content of \(path)", now: now)
  }

  private static func has(_ path: String, _ store: DiskStore) -> Bool {
    store.read(response(path, store).key, request: request, now: now) != nil
  }

  private static func crashed(_ volumes: [SimulatedVolume]) -> [SimulatedVolume] {
    volumes.map { $0.crashed(machine: false, seed: 3) }
  }

  @Test("One secret, and what is on each is there again, in any order")
  func together() throws {
    var volumes = [SimulatedVolume(seed: 1), SimulatedVolume(seed: 2)]
    let stores = try Self.open(volumes, seed: 1)
    for (index, store) in stores.enumerated() {
      #expect(store.write(Self.response("/\(index)", store), stamp: 0))
    }
    volumes = Self.crashed(volumes).reversed()
    let again = try Self.open(volumes, seed: 2)
    #expect(again[0].header.secret == stores[0].header.secret)
    #expect(again[1].header.secret == stores[0].header.secret)
    #expect(Self.has("/1", again[0]) && Self.has("/0", again[1]))
    // A third one joins them.
    volumes = Self.crashed(volumes) + [SimulatedVolume(seed: 4)]
    let three = try Self.open(volumes, seed: 3)
    #expect(Self.has("/1", three[0]) && Self.has("/0", three[1]))
    #expect(three[2].header.secret == stores[0].header.secret)
  }

  @Test("A purge that one of them knows holds on all")
  func purges() throws {
    let volumes = [SimulatedVolume(seed: 1), SimulatedVolume(seed: 2)]
    let log = PurgeLog()
    let stores = try Self.open(volumes, log, seed: 1)
    stores[1].write(Self.response("/a", stores[1]), stamp: 0)
    let purge = Purge([.url(Self.response("/a", stores[0]).key)])
    // Only the first got so far before the crash.
    try stores[0].purge(purge, sequence: log.append(purge).sequence, now: Self.now)
    let again = try Self.open(Self.crashed(volumes), seed: 2)
    #expect(!Self.has("/a", again[1]))
  }

  @Test("One that was away while the others went on comes back empty")
  func away() throws {
    var volumes = [SimulatedVolume(seed: 1), SimulatedVolume(seed: 2)]
    let stores = try Self.open(volumes, seed: 1)
    for (index, store) in stores.enumerated() {
      store.write(Self.response("/\(index)", store), stamp: 0)
    }
    volumes = Self.crashed(volumes)
    let alone = try Self.open([volumes[0]], seed: 2)[0]
    #expect(Self.has("/0", alone))
    volumes = Self.crashed(volumes)
    let again = try Self.open(volumes, seed: 3)
    #expect(Self.has("/0", again[0]) && !Self.has("/1", again[1]))
    #expect(again[1].write(Self.response("/new", again[1]), stamp: 0))
    // From now on both are there again.
    volumes = Self.crashed(volumes)
    let last = try Self.open(volumes, seed: 4)
    #expect(Self.has("/0", last[0]) && Self.has("/new", last[1]) && !Self.has("/1", last[1]))
  }

  @Test(
    "A clock that is set back is no loss of purges, whichever disk knows of it first",
    arguments: 0...1)
  func setBack(first: Int) throws {
    let volumes = [SimulatedVolume(seed: 1), SimulatedVolume(seed: 2)]
    let log = PurgeLog()
    let stores = try Self.open(volumes, log, seed: 1)
    let back = Instant(
      milliseconds: Self.now.milliseconds + 1000, wallOffset: Self.now.wallOffset - 5000)
    stores[first].keepTime(back)
    for store in stores { store.write(Self.response("/a", store), stamp: log.head) }
    stores[1 - first].keepTime(back)
    for store in stores { store.write(Self.response("/b", store), stamp: log.head) }
    var words = SeededRandom(seed: 2)
    let again = try DiskStore.openSet(
      Self.crashed(volumes).map { ($0, Self.options) }, purges: PurgeLog(),
      now: Instant(milliseconds: Self.now.milliseconds + 60_000), random: { words.next() },
      clock: { 0 })
    #expect(again.map(\.statistics.notices) == [[], []])
    #expect(again.allSatisfy { Self.believes("/b", $0) })
  }

  /// True if it is used without asking the origin.
  private static func believes(_ path: String, _ store: DiskStore) -> Bool {
    store.read(response(path, store).key, request: request, now: now)
      .map { !$0.response.freshness.alwaysValidate } ?? false
  }

  @Test(
    "Each was used alone: what was purged on one is not served from the other", arguments: 1...3)
  func apart(starts: Int) throws {
    let (one, two) = (SimulatedVolume(seed: 1), SimulatedVolume(seed: 2))
    _ = try Self.open([one, two], seed: 1)
    // The second, with some purges more, is given /x.
    let second = PurgeLog()
    let twoAlone = try Self.open([two], second, seed: 2)[0]
    for number in 0..<10 {
      let purge = Purge([.url(Self.response("/never/\(number)", twoAlone).key)])
      try twoAlone.purge(purge, sequence: second.append(purge).sequence, now: Self.now)
    }
    twoAlone.write(Self.response("/x", twoAlone), stamp: second.head)
    // The first has it purged, and the other one counts as many changes, or more.
    let first = PurgeLog()
    let oneAlone = try Self.open([one], first, seed: 3)[0]
    let purge = Purge([.url(Self.response("/x", oneAlone).key)])
    try oneAlone.purge(purge, sequence: first.append(purge).sequence, now: Self.now)
    for start in 1..<starts {
      _ = try Self.open([two, SimulatedVolume(seed: UInt64(start))], seed: UInt64(9 + start))
    }
    func crashed() -> [SimulatedVolume] {
      [one, two].map { $0.crashed(machine: false, seed: 1) }
    }
    for volumes in [crashed(), crashed().reversed()] {
      var stores = try Self.open(volumes, seed: 4)
      for start in 0..<2 {
        let isBelieved = stores.contains { Self.believes("/x", $0) }
        #expect(!isBelieved, "start \(start)")
        stores = try Self.open(volumes, seed: 5)
      }
      #expect(stores.allSatisfy { $0.write(Self.response("/new", $0), stamp: $0.purges.head) })
      let again = try Self.open(volumes, seed: 6)
      #expect(again.allSatisfy { Self.believes("/new", $0) && $0.statistics.notices == [] })
    }
  }

  @Test("One that begins anew has nothing left behind that could come up again")
  func leftovers() throws {
    var volumes = [SimulatedVolume(seed: 1), SimulatedVolume(seed: 2)]
    let stores = try Self.open(volumes, seed: 1)
    stores[1].write(Self.response("/a", stores[1]), stamp: 0)
    stores[1].write(Self.response("/b", stores[1]), stamp: 0)
    volumes = Self.crashed(volumes)
    // While it is away /b is purged.
    let log = PurgeLog()
    let alone = try Self.open([volumes[0]], log, seed: 2)[0]
    let purge = Purge([.url(Self.response("/b", alone).key)])
    try alone.purge(purge, sequence: log.append(purge).sequence, now: Self.now)
    let back = PurgeLog()
    let again = try Self.open(Self.crashed(volumes), back, seed: 3)
    #expect(again[1].write(Self.response("/c", again[1]), stamp: back.head))
    // Behind a record that is as long as the one that was there.
    let volume = again[1].volume as? SimulatedVolume
    let last = try Self.open([try #require(volume)], seed: 4)[0]
    #expect(Self.has("/c", last) && !Self.has("/b", last))
  }

  @Test("Disks of different sets are refused, and left as they are")
  func different() throws {
    let volumes = [SimulatedVolume(seed: 1), SimulatedVolume(seed: 2)]
    let first = try Self.open([volumes[0]], seed: 1)[0]
    let second = try Self.open([volumes[1]], seed: 2)[0]
    first.write(Self.response("/a", first), stamp: 0)
    second.write(Self.response("/b", second), stamp: 0)
    let left = Self.crashed(volumes)
    #expect(throws: DiskSetProblem(disk: 1, problem: .otherSet)) { try Self.open(left, seed: 3) }
    #expect(Self.has("/b", try Self.open([left[1]], seed: 4)[0]))
  }

  @Test("purge.log is written anew, and every purge that is needed still holds")
  func compaction() throws {
    let filled = try FilledStore()
    for name in ["a", "b", "c"] { filled.write("/\(name)") }
    try filled.purge(.url(filled.key("/a")))
    if let removal = filled.store.remove(filled.key("/b").hash) {
      filled.store.log([removal], now: Self.now)
    }
    // Far more than is worth keeping: of URLs that nothing is stored for.
    let many = DiskStore.smallestLog / 64 + 10
    let scopes = (0..<many).map { number -> (purge: Purge, sequence: UInt64) in
      let purge = Purge([.url(filled.key("/never/\(number % 7)"))])
      return (purge, filled.purges.append(purge).sequence)
    }
    try filled.store.log(scopes, syncs: true, now: Self.now)
    let size = filled.volume.bytes(.purgeLog).count
    #expect(size > 64 && size <= (many + 16) * 112)
    let purges = PurgeLog()
    let volume = filled.volume.crashed(machine: true, seed: 5)
    let again = try FilledStore.open(volume, purges, seed: 9)
    func has(_ path: String) -> Bool {
      again.read(filled.key(path), request: Self.request, now: Self.now) != nil
    }
    #expect(!has("/a") && !has("/b"))
    // One more is that of the new life.
    #expect(purges.head == filled.purges.head + 1, "numbers are given out only once")
  }
}
