import NIOCore
import Seeds
import Synchronization
import Testing

@testable import EdgeCache

// What an unsafe request or a newer response made unusable does not come back, whatever of it is on its way to the
// disk, or lies there and is not in the directory.

@Suite("Disk store, what does not come back")
struct DiskReturnTests {
  private static let request = CoreExchange.parseRequest("GET / HTTP/1.1↵Host: a").fields
  private static let now = FilledStore.now

  private static func isServed(_ key: CacheKey, by store: DiskStore) -> Bool {
    store.read(key, request: request, now: now) != nil
  }

  private static func text(_ key: CacheKey, _ store: DiskStore) -> String? {
    store.read(key, request: request, now: now)?.response.content.pieces.first
      .map { String(buffer: $0) }
  }

  /// What makes something unusable.
  enum Reason: CaseIterable {
    case unsafeRequest, newerResponse

    /// What is to be logged, if anything.
    func remove(_ response: StoredResponse, _ store: DiskStore) -> DiskStore.Removal? {
      switch self {
      case .unsafeRequest: store.remove(response.key.hash)
      case .newerResponse: store.remove(response.key, response.selector)
      }
    }

    @discardableResult
    func invalidate(_ response: StoredResponse, _ store: DiskStore) -> Bool {
      guard let removal = remove(response, store) else { return false }
      store.log([removal], now: DiskReturnTests.now)
      return true
    }
  }

  private static func again(_ volume: SimulatedVolume, segments: Int = 4) throws -> DiskStore {
    try open(volume.crashed(machine: false, seed: 5), segments: segments, seed: 9)
  }

  private static func open(
    _ volume: SimulatedVolume, _ purges: PurgeLog = PurgeLog(), segments: Int, seed: UInt64 = 7
  ) throws -> DiskStore {
    var words = SeededRandom(seed: seed)
    return try DiskStore.open(
      volume,
      DiskOptions(
        size: FilledStore.segment * segments, segmentSize: FilledStore.segment, admission: .all),
      purges: purges, now: now, random: { words.next() }, clock: { 0 })
  }

  // MARK: On its way

  /// Between the moment at which a queue forgets a response and the one at which it is in the directory.
  @Test(
    "What becomes unusable while it is written is not there, now and later; what is written with it is",
    arguments: Reason.allCases, [nil] + SimulatedVolume.Moment.allCases)
  func underWay(_ reason: Reason, _ moment: SimulatedVolume.Moment?) throws {
    for isRecycled in [false, true] {
      let filled = try FilledStore()
      let store = filled.store
      if isRecycled { for _ in 0..<3 { filled.seal() } }
      filled.write("/b", "old")
      // What comes next needs another segment.
      filled.write("/filler", String(repeating: "x", count: 55_000))
      let batch = ["/a", "/b", "/c"].map { path in
        DiskWrite(.sample(filled.key(path), String(repeating: path, count: 5000)), stamp: 0)
      }
      let victim = batch[1].response
      let announced = store.announce(batch)
      let removals = Mutex<[DiskStore.Removal]>([])
      let happened = Mutex(0)
      if let moment {
        filled.volume.watch { (now) throws(DiskError) in
          guard now == moment else { return }
          happened.withLock { $0 += 1 }
          if let removal = reason.remove(victim, store) { removals.withLock { $0.append(removal) } }
        }
      } else {
        happened.withLock { $0 += 1 }
        if let removal = reason.remove(victim, store) { removals.withLock { $0.append(removal) } }
      }
      store.write(announced)
      filled.volume.watch(nil)
      #expect(happened.withLock { $0 } > 0, "\(moment.map { "\($0)" } ?? "before")")
      let all = removals.withLock { $0 }
      #expect(!all.isEmpty, "it is logged")
      store.log(all, now: Self.now)
      for store in [store, try Self.again(filled.volume)] {
        #expect(!Self.isServed(victim.key, by: store), "\(reason) \(String(describing: moment))")
        for path in ["/a", "/c"] { #expect(Self.isServed(filled.key(path), by: store)) }
      }
      // What comes later is not meant.
      store.write(.sample(victim.key, "new"), stamp: 0)
      for store in [store, try Self.again(filled.volume)] {
        #expect(Self.text(victim.key, store) == "new")
      }
    }
  }

  @Test("What is not written any more is known of no longer")
  func finished() throws {
    let filled = try FilledStore()
    let response = StoredResponse.sample(filled.key("/a"), "text")
    let announced = filled.store.announce([DiskWrite(response, stamp: 0)])
    #expect(filled.store.remove(response.key.hash) != nil)
    #expect(filled.store.write(announced) == 0)
    #expect(filled.store.remove(response.key.hash) == nil)
    let other = StoredResponse.sample(filled.key("/b"), String(repeating: "b", count: 1 << 17))
    #expect(!filled.store.write(other, stamp: 0), "it is too large")
    #expect(filled.store.remove(other.key.hash) == nil)
  }

  // MARK: On disk, and not in the directory

  /// Why something is not in the directory.
  enum Stray: CaseIterable {
    case readError, quarantine, recycling, recyclingFailed, damagedList
  }

  @Test(
    "What is not in the directory, and the next start may find, is removed all the same",
    arguments: Reason.allCases, Stray.allCases)
  func strays(_ reason: Reason, _ stray: Stray) throws {
    let filled = try FilledStore()
    let (volume, store) = (filled.volume, filled.store)
    let victim = filled.write("/a", "old")
    for path in ["/b", "/c", "/d"] { filled.write(path) }
    let isLogged = Mutex(false)
    var left = volume
    switch stray {
    case .readError:
      volume.arm(.init(read: 1000))
      #expect(!Self.isServed(victim.key, by: store))
      volume.arm(.init())
      isLogged.withLock { $0 = reason.invalidate(victim, store) }
    case .quarantine:
      filled.seal()
      volume.arm(.init(read: 1000))
      for path in ["/b", "/c", "/d"] { #expect(!Self.isServed(filled.key(path), by: store)) }
      volume.arm(.init())
      #expect(store.statistics.quarantined == [0])
      isLogged.withLock { $0 = reason.invalidate(victim, store) }
    case .recycling, .recyclingFailed:
      // Its segment is the next one to be written anew.
      while store.statistics.freeSegments > 0 {
        filled.write("/filler", String(repeating: "x", count: 6000))
      }
      volume.watch { (moment) throws(DiskError) in
        guard moment == .renewal else { return }
        if stray == .recyclingFailed { throw SimulatedVolume.noRoom("renew", .segment(0)) }
        // Who writes has the log: it is logged as soon as that is over, or is not.
        if reason.remove(victim, store) != nil { isLogged.withLock { $0 = true } }
      }
      for index in 0..<12 { filled.write("/more/\(index)", String(repeating: "x", count: 6000)) }
      volume.watch(nil)
      if stray == .recyclingFailed {
        #expect(store.trouble?.cause.isFull == true)
        isLogged.withLock { $0 = reason.invalidate(victim, store) }
      }
      #expect(!Self.isServed(victim.key, by: store))
    case .damagedList:
      filled.seal()
      let records = try filled.records(0)
      // Its list cannot be read, nor what is before it.
      volume.damage(.segment(0)) { $0[FilledStore.segment - 1] ^= 1 }
      volume.damage(.segment(0)) { $0[records[0].offset + 8] ^= 1 }
      let damaged = volume.crashed(machine: false, seed: 4)
      let store = try Self.open(damaged, segments: 4)
      #expect(!Self.isServed(victim.key, by: store))
      isLogged.withLock { $0 = reason.invalidate(victim, store) }
      damaged.damage(.segment(0)) { $0[records[0].offset + 8] ^= 1 }
      left = damaged
    }
    #expect(isLogged.withLock { $0 }, "\(stray)")
    let again = try Self.again(left)
    #expect(!Self.isServed(victim.key, by: again), "\(stray)")
  }

  @Test("Once its segment is written anew, nothing is logged in vain")
  func forgotten() throws {
    let filled = try FilledStore()
    let victim = filled.write("/a")
    filled.volume.arm(.init(read: 1000))
    #expect(!Self.isServed(victim.key, by: filled.store))
    filled.volume.arm(.init())
    #expect(filled.store.remove(filled.key("/other").hash) == nil)
    for _ in 0..<8 { filled.seal() }
    #expect(filled.store.remove(victim.key.hash) == nil)
  }

  @Test("More than is remembered is taken to be anything, and that ends with the segment")
  func manyStrays() {
    var strays = DiskStrays()
    for number in 0..<200_000 as Range<UInt64> { strays.add(number, in: 0) }
    let other = KeyHash(low: 1 << 40, high: 7)
    #expect(strays.mayHave(other))
    strays.renew(0)
    #expect(!strays.mayHave(other) && strays.memory == 0)
    for segment in 0..<200 { strays.add(UInt64(segment), in: segment) }
    #expect(strays.mayHave(other) && strays.mayHave(KeyHash(low: 3 << 16, high: 1)))
    for segment in 64..<200 { strays.renew(segment) }
    #expect(!strays.mayHave(other) && strays.mayHave(KeyHash(low: 3 << 16, high: 1)))
    for segment in 0..<64 { strays.renew(segment) }
    #expect(!strays.mayHave(KeyHash(low: 3 << 16, high: 1)) && strays.memory == 0)
    strays.addAny(in: 5)
    strays.addAny(in: 5)
    strays.add(3, in: 5)
    #expect(strays.mayHave(other))
    strays.renew(5)
    #expect(!strays.mayHave(other))
  }

  // MARK: Behind the last segment

  @Test("What there was no room for at a start is not there when there is room again")
  func beyond() throws {
    for isPurged in [false, true] {
      let volume = SimulatedVolume(seed: 3)
      let store = try Self.open(volume, segments: 8)
      let filled = try FilledStore()
      for index in 0..<60 {
        let content = String(repeating: "x", count: 6000)
        store.write(.sample(filled.key("/f/\(index)"), content), stamp: store.purges.head)
      }
      let victim = StoredResponse.sample(filled.key("/a"))
      store.write(victim, stamp: store.purges.head)
      let used = volume.used
      try volume.remove(.segment(4))
      volume.resize(used)

      let second = volume.crashed(machine: false, seed: 1)
      let purges = PurgeLog()
      let reduced = try Self.open(second, purges, segments: 8)
      #expect(reduced.statistics.isReduced && reduced.statistics.segments < 8)
      #expect(!Self.isServed(victim.key, by: reduced))
      second.resize(nil)
      if isPurged {
        let purge = Purge([.url(victim.key)])
        try reduced.purge(purge, sequence: purges.append(purge).sequence, now: Self.now)
      } else {
        Reason.unsafeRequest.invalidate(victim, reduced)
      }
      // Nothing is left that the log would be kept for, and it is written anew.
      for index in 0..<60 {
        let content = String(repeating: "x", count: 6000)
        reduced.write(.sample(filled.key("/g/\(index)"), content), stamp: purges.head)
      }
      for _ in 0..<20 {
        let many = (0..<1000).map { number in
          let purge = Purge([.url(filled.key("/never/\(number)"))])
          return (purge: purge, sequence: purges.append(purge).sequence)
        }
        try reduced.log(many, syncs: true, now: Self.now)
      }
      let third = try Self.open(second.crashed(machine: false, seed: 1), segments: 8, seed: 8)
      #expect(third.statistics.segments == 8)
      #expect(!Self.isServed(victim.key, by: third), "purged \(isPurged)")
    }
  }
}
