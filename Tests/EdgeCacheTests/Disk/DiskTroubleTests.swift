import NIOCore
import Seeds
import Testing

@testable import EdgeCache

// Disks that are full, or fail, for a while: what is said of it, what still goes, and that it goes again without
// being told to.

@Suite("Disk store, in trouble")
struct DiskTroubleTests {
  private static let request = CoreExchange.parseRequest("GET / HTTP/1.1↵Host: a").fields
  private static let now = FilledStore.now

  /// True if something is served without being validated, false if it is validated, nil if it is not there.
  private static func isBelieved(
    _ path: String, _ filled: FilledStore, _ store: DiskStore
  ) -> Bool? {
    store.read(filled.key(path), request: request, now: now)
      .map { !$0.response.freshness.alwaysValidate }
  }

  private static func reopened(_ filled: FilledStore, machine: Bool = false) throws -> DiskStore {
    try FilledStore.open(filled.volume.crashed(machine: machine, seed: 5), seed: 9)
  }

  @Test("A full disk purges and writes on in the room that it reserved, and says that it is full")
  func reserved() throws {
    let filled = try FilledStore()
    filled.write("/a")
    filled.volume.fill()
    filled.store.tend(now: Self.now)
    let trouble = try #require(filled.store.trouble)
    #expect(trouble.concerns == .room && trouble.cause.isFull)
    #expect("\(trouble)".hasPrefix("the disk is full (No space left on device, "))
    #expect("\(trouble)".contains("make room"))
    for _ in 0..<500 { try filled.purge(.url(filled.key("/a"))) }
    filled.write("/b")
    #expect(filled.store.statistics.writes && filled.store.statistics.serves)
    let again = try Self.reopened(filled)
    #expect(Self.isBelieved("/a", filled, again) == nil)
    filled.volume.resize(nil)
    filled.store.tend(now: Self.now)
    #expect(filled.store.trouble == nil)
  }

  @Test(
    "A log that cannot grow: purges fail with the reason, nothing comes back, and it goes again")
  func log() throws {
    let filled = try FilledStore()
    for path in ["/a", "/b", "/c"] { filled.write(path) }
    filled.volume.fill(with: true)
    var reason = ""
    for path in ["/a", "/a", "/a"] {
      do throws(DiskError) {
        let purge = Purge([.url(filled.key(path))])
        try filled.store.purge(
          purge, sequence: filled.purges.append(purge).sequence, now: Self.now)
      } catch {
        reason = error.reason
      }
    }
    #expect(reason == "No space left on device")
    let trouble = try #require(filled.store.trouble)
    #expect(trouble.failures == 3 && trouble.concerns == .purges && trouble.cause.reason == reason)
    #expect(Self.isBelieved("/a", filled, filled.store) == nil)
    #expect(Self.isBelieved("/b", filled, filled.store) == true, "the tier stays on")
    // Whoever opens it now believes nothing, with a full disk as with an empty one.
    for machine in [false, true] {
      let again = try Self.reopened(filled, machine: machine)
      #expect(again.statistics.notices == [.fenced("\(LogLoss.incomplete)", isFull: true)])
      #expect("\(again.statistics.notices[0])".contains("the disk is full"))
      for path in ["/a", "/b"] { #expect(Self.isBelieved(path, filled, again) != true) }
      if !machine { #expect(Self.isBelieved("/b", filled, again) == false) }
    }
    filled.volume.resize(nil)
    filled.store.tend(now: Self.now)
    #expect(filled.store.trouble == nil)
    // What could not be written then has been written now.
    let again = try Self.reopened(filled)
    #expect(again.statistics.notices == [])
    #expect(Self.isBelieved("/a", filled, again) == nil)
    #expect(Self.isBelieved("/b", filled, again) == true)
  }

  @Test(
    "An unsafe request on a full disk leaves the tier on; what it invalidated does not come back")
  func removal() throws {
    let filled = try FilledStore()
    for path in ["/a", "/b"] { filled.write(path) }
    filled.volume.fill(with: true)
    let removal = try #require(filled.store.remove(filled.key("/a").hash))
    filled.store.log([removal], now: Self.now)
    #expect(filled.store.trouble?.concerns == .purges)
    #expect(filled.store.statistics.serves && filled.store.statistics.writes)
    #expect(Self.isBelieved("/a", filled, filled.store) == nil)
    #expect(Self.isBelieved("/b", filled, filled.store) == true)
    #expect(try Self.isBelieved("/a", filled, Self.reopened(filled)) == false)
    filled.volume.resize(nil)
    filled.store.tend(now: Self.now)
    let again = try Self.reopened(filled)
    #expect(Self.isBelieved("/a", filled, again) == nil)
    #expect(Self.isBelieved("/b", filled, again) == true)
  }

  @Test("While not even that can be written that something is missing, nothing is served")
  func dead() throws {
    let filled = try FilledStore()
    for path in ["/a", "/b"] { filled.write(path) }
    for faults in [SimulatedVolume.Faults(write: 1000), .init(full: 1000), .init(sync: 1000)] {
      filled.volume.arm(faults)
      #expect(throws: DiskError.self) { try filled.purge(.url(filled.key("/a"))) }
      #expect(!filled.store.statistics.serves && Self.isBelieved("/b", filled, filled.store) == nil)
      filled.volume.arm(.init())
      filled.store.tend(now: Self.now)
      #expect(filled.store.trouble == nil && filled.store.statistics.serves)
      #expect(Self.isBelieved("/b", filled, filled.store) == true)
      let again = try Self.reopened(filled)
      #expect(again.statistics.notices == [])
      #expect(Self.isBelieved("/a", filled, again) == nil)
      #expect(Self.isBelieved("/b", filled, again) == true)
    }
  }

  @Test("More purges than can be kept are told to be missing, and never taken for written")
  func overflow() throws {
    let filled = try FilledStore()
    filled.write("/a")
    filled.volume.fill(with: true)
    let many = (0...DiskStore.Log.mostUnlogged).map { number in
      let purge = Purge([.url(filled.key("/never/\(number)"))])
      return (purge: purge, sequence: filled.purges.append(purge).sequence)
    }
    #expect(throws: DiskError.self) {
      try filled.store.log(many, syncs: true, now: Self.now)
    }
    filled.volume.resize(nil)
    filled.store.tend(now: Self.now)
    #expect(filled.store.trouble == nil && Self.isBelieved("/a", filled, filled.store) == true)
    let again = try Self.reopened(filled)
    #expect(Self.isBelieved("/a", filled, again) == false)
  }

  @Test("Writes that find no room stop, cost nothing that is stored, and go on when there is room")
  func writes() throws {
    let filled = try FilledStore()
    filled.write("/a")
    filled.volume.arm(.init(full: 1000))
    filled.write("/b")
    #expect(!filled.store.statistics.writes)
    #expect(filled.store.trouble?.concerns.contains(.writes) == true)
    let failures = filled.store.statistics.writeErrors
    for index in 0..<50 { filled.write("/\(index)") }
    #expect(filled.store.statistics.writeErrors == failures, "it is not tried each time")
    for _ in 0..<5 { filled.store.tend(now: Self.now) }
    #expect(filled.store.trouble?.cause.isFull == true)
    filled.volume.arm(.init())
    filled.store.tend(now: Self.now)
    #expect(filled.store.trouble == nil && filled.store.statistics.writes)
    filled.write("/c")
    for path in ["/a", "/c"] { #expect(Self.isBelieved(path, filled, filled.store) == true) }
    #expect(filled.store.statistics.quarantined == [])
    #expect(try Self.isBelieved("/c", filled, Self.reopened(filled)) == true)
  }

  @Test("A record that failed to be written does not come up after it was invalidated")
  func failedRecord() throws {
    for isEnough in [false, true] {
      let filled = try FilledStore()
      filled.write("/a")
      // All of it lies there, and nobody knows: the machine said that it failed.
      filled.volume.failWriting(after: isEnough)
      filled.write("/b", String(repeating: "b", count: 3000))
      #expect(Self.isBelieved("/b", filled, filled.store) == nil)
      // Nothing is there, so there is nothing to remove.
      #expect(filled.store.remove(filled.key("/b").hash) == nil)
      let again = try Self.reopened(filled, machine: false)
      #expect(Self.isBelieved("/b", filled, again) != true, "\(isEnough)")
      #expect(Self.isBelieved("/a", filled, again) == true)
    }
  }

  @Test(
    "With any room a store opens beside its log, and can purge; or it says that there is too little",
    arguments: Array(stride(from: 7 << 10, through: 36 << 10, by: 516)) + [16 << 10 | 4, 20 << 10])
  func room(_ kibibytes: Int) throws {
    for size in [16 << 20, 20 << 20, 64 << 20, 1 << 30] {
      let volume = SimulatedVolume(seed: 1)
      volume.resize(kibibytes << 10)
      let purges = PurgeLog()
      func open(_ volume: SimulatedVolume, _ purges: PurgeLog) throws(DiskProblem) -> DiskStore {
        var words = SeededRandom(seed: 3)
        return try DiskStore.open(
          volume, DiskOptions(size: size, admission: .all), purges: purges, now: Self.now,
          random: { words.next() }, clock: { 0 })
      }
      let store: DiskStore
      do throws(DiskProblem) {
        store = try open(volume, purges)
      } catch {
        guard case .noRoom(let free, let needed, _) = error else { throw error }
        #expect(free < needed && free <= kibibytes << 10)
        #expect(kibibytes < 10 << 10)
        continue
      }
      #expect(store.statistics.segments >= 4 && store.statistics.trouble == nil)
      #expect(store.statistics.isReduced == (kibibytes << 10 < size))
      let key = CacheKey(url: "http://www.example/a".utf8, secret: store.secret)!
      for _ in 0..<1000 {
        let purge = Purge([.url(key)])
        try store.purge(purge, sequence: purges.append(purge).sequence, now: Self.now)
      }
      store.tend(now: Self.now)
      #expect(store.trouble == nil, "its own room is no trouble")
      // Others take the rest, and it starts again all the same.
      volume.fill()
      let again = try open(volume.crashed(machine: true, seed: 1), PurgeLog())
      #expect(again.statistics.notices == [] && again.statistics.segments >= 4)
    }
  }

  @Test("A full disk that segments take up gives up one for the log")
  func upgradeWithoutRoom() throws {
    let volume = SimulatedVolume(seed: 1)
    let header = StoreHeader(
      id: (1, 2), segmentSize: 2 << 20, segmentCount: 8, secret: (3, 4), created: Self.now.wall)
    volume.put(.header, header.bytes)
    volume.put(.purgeLog, [])
    for index in 0..<8 { volume.put(.segment(index), [UInt8](repeating: 0, count: 2 << 20)) }
    volume.fill()
    let purges = PurgeLog()
    var words = SeededRandom(seed: 3)
    let store = try DiskStore.open(
      volume, DiskOptions(size: 18 << 20, admission: .all), purges: purges, now: Self.now,
      random: { words.next() }, clock: { 0 })
    #expect(store.statistics.segments == 7 && store.statistics.isReduced)
    let purge = Purge([.everything])
    try store.purge(purge, sequence: purges.append(purge).sequence, now: Self.now)
  }

  @Test("Without room for the smallest store it says how much there is, and how much is needed")
  func noRoom() throws {
    let volume = SimulatedVolume(seed: 1)
    volume.resize(6 << 20)
    var words = SeededRandom(seed: 3)
    do throws(DiskProblem) {
      _ = try DiskStore.open(
        volume, DiskOptions(size: 64 << 20, admission: .all), purges: PurgeLog(), now: Self.now,
        random: { words.next() }, clock: { 0 })
      Issue.record("it was opened")
    } catch {
      #expect(
        "\(error)".hasPrefix(
          "the disk is full: there is room for 5.9 MiB, and at least 9.6 MiB are needed"),
        "\(error)")
    }
  }

  @Test("It never takes more than it may, also where that is less than four of its segments")
  func resized() throws {
    let volume = SimulatedVolume(seed: 1)
    func open(_ size: Int, _ segment: Int?, _ seed: UInt64) throws -> DiskStore {
      var words = SeededRandom(seed: seed)
      return try DiskStore.open(
        volume, DiskOptions(size: size, segmentSize: segment, admission: .all),
        purges: PurgeLog(), now: Self.now, random: { words.next() }, clock: { 0 })
    }
    var store = try open(64 << 20, nil, 1)
    #expect(store.statistics.notices == [] && volume.used <= 64 << 20)
    let response = StoredResponse.sample(
      CacheKey(url: "http://www.example/a".utf8, secret: store.secret)!, "a", now: Self.now)
    store.write(response, stamp: 0)
    store = try open(16 << 20, nil, 2)
    #expect(store.statistics.notices == [] || store.statistics.notices == [.resized])
    #expect(volume.used <= 16 << 20)
    store = try open(12 << 20, nil, 3)
    #expect(volume.used <= 12 << 20 && store.statistics.segments >= 4)
    store = try open(1 << 20, 1 << 16, 4)
    #expect(store.statistics.notices == [.resized] && store.statistics.segments == 16)
    #expect(store.read(response.key, request: Self.request, now: Self.now) == nil)
  }
}
