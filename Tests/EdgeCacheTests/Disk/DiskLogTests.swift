import NIOCore
import Seeds
import Testing

@testable import EdgeCache

// What became of purge.log while nobody used the store: whatever proves that something is missing is used.

@Suite("purge.log, lost")
struct DiskLogTests {
  private static let request = CoreExchange.parseRequest("GET / HTTP/1.1↵Host: a").fields

  /// A store in which /purged was purged last, and nothing came after.
  private struct Scene {
    let filled: FilledStore
    /// The log before that purge.
    let older: [UInt8]
    let log: [UInt8]

    init() throws {
      filled = try FilledStore()
      for path in ["/purged", "/kept", "/removed"] { filled.write(path) }
      try filled.purge(.url(filled.key("/other")))
      older = filled.volume.bytes(.purgeLog)
      try filled.purge(.url(filled.key("/purged")))
      log = filled.volume.bytes(.purgeLog)
    }
  }

  private enum Seen { case believed, validated, gone }

  private static func seen(_ path: String, _ filled: FilledStore, _ store: DiskStore) -> Seen {
    guard let read = store.read(filled.key(path), request: request, now: FilledStore.now) else {
      return .gone
    }
    let freshness = read.response.freshness
    #expect(freshness.alwaysValidate == freshness.neverStale)
    return freshness.alwaysValidate ? .validated : .believed
  }

  private struct Loss: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let change: @Sendable (SimulatedVolume, Scene) throws -> Void

    init(_ name: String, _ change: @escaping @Sendable (SimulatedVolume, Scene) throws -> Void) {
      (testDescription, self.change) = (name, change)
    }
  }

  private static let losses = [
    Loss("gone") { volume, _ in try volume.remove(.purgeLog) },
    Loss("empty") { volume, _ in volume.put(.purgeLog, []) },
    Loss("one byte") { volume, scene in volume.put(.purgeLog, Array(scene.log.prefix(1))) },
    Loss("half") { volume, scene in
      volume.put(.purgeLog, Array(scene.log.prefix(scene.log.count / 2)))
    },
    Loss("without its last record") { volume, scene in volume.put(.purgeLog, scene.older) },
    Loss("without its last byte") { volume, scene in volume.put(.purgeLog, scene.log.dropLast()) },
    Loss("with more behind it") { volume, scene in volume.put(.purgeLog, scene.log + [0]) },
    Loss("of another store") { volume, _ in
      volume.put(.purgeLog, try FilledStore.log(seed: 99))
    },
    Loss("its mark gone") { volume, _ in try volume.remove(.purgeMark) },
    Loss("its mark empty") { volume, _ in volume.put(.purgeMark, []) },
    Loss("a bit of its mark") { volume, _ in volume.damage(.purgeMark) { $0[33] ^= 4 } },
    Loss("both gone") { volume, _ in
      try volume.remove(.purgeLog)
      try volume.remove(.purgeMark)
    },
    Loss("it cannot be read") { volume, _ in volume.makeUnreadable(.purgeLog) },
    Loss("its mark cannot be read") { volume, _ in volume.makeUnreadable(.purgeMark) },
  ]

  @Test("Nothing that is older is believed, now and later; what is newer is", arguments: losses)
  private func fence(_ loss: Loss) throws {
    let scene = try Scene()
    let filled = scene.filled
    let before = PurgeLog()
    _ = try FilledStore.open(
      filled.volume.crashed(machine: false, seed: 1), before, seed: 3)
    let volume = filled.volume.crashed(machine: false, seed: 1)
    try loss.change(volume, scene)
    let purges = PurgeLog()
    let store = try FilledStore.open(volume, purges, seed: 8)
    #expect(store.statistics.notices.count == 1 && store.statistics.trouble == nil)
    #expect(purges.epoch != before.epoch, "others must not take it for the list that they know")
    #expect(Self.seen("/purged", filled, store) != .believed)
    #expect(Self.seen("/kept", filled, store) == .validated)
    let new = StoredResponse.sample(filled.key("/new"), "new", now: FilledStore.now)
    #expect(store.write(new, stamp: purges.head))
    #expect(Self.seen("/new", filled, store) == .believed)
    // The fence outlives this process, a crash, and a log that is written anew.
    var next = volume
    for seed: UInt64 in 10...12 {
      next = next.crashed(machine: false, seed: seed)
      let log = PurgeLog()
      let again = try FilledStore.open(next, log, seed: seed)
      #expect(again.statistics.notices == [] && again.statistics.trouble == nil)
      #expect(Self.seen("/purged", filled, again) != .believed)
      #expect(Self.seen("/kept", filled, again) == .validated)
      #expect(Self.seen("/new", filled, again) != .validated)
      let many = (0..<(DiskStore.smallestLog / 64)).map { number in
        let purge = Purge([.url(filled.key("/never/\(number % 7)"))])
        return (purge: purge, sequence: log.append(purge).sequence)
      }
      if seed == 10 { try again.log(many, syncs: true, now: FilledStore.now) }
    }
    #expect(DiskInspection.finds("purge", in: next))
  }

  @Test("An older pair of log and mark is betrayed by what was stored later")
  func stamps() throws {
    let filled = try FilledStore()
    filled.write("/purged")
    try filled.purge(.url(filled.key("/other")))
    let (log, mark) = (filled.volume.bytes(.purgeLog), filled.volume.bytes(.purgeMark))
    try filled.purge(.url(filled.key("/purged")))
    filled.write("/later")
    for isSealed in [false, true] {
      if isSealed { filled.seal() }
      let volume = filled.volume.crashed(machine: false, seed: 1)
      volume.put(.purgeLog, log)
      volume.put(.purgeMark, mark)
      #expect(DiskInspection.finds("came after purge", in: volume))
      let store = try FilledStore.open(volume, seed: 8)
      #expect("\(store.statistics.notices)".contains("came after purge"))
      #expect(Self.seen("/purged", filled, store) == .validated)
      #expect(Self.seen("/later", filled, store) == .validated)
    }
  }

  @Test("A log from before it was written anew is known to be old")
  func generations() throws {
    let filled = try FilledStore()
    filled.write("/purged")
    let old = filled.volume.bytes(.purgeLog)
    let many = (0..<(DiskStore.smallestLog / 64)).map { number in
      let purge = Purge([.url(filled.key(number == 0 ? "/purged" : "/never"))])
      return (purge: purge, sequence: filled.purges.append(purge).sequence)
    }
    try filled.store.log(many, syncs: true, now: FilledStore.now)
    #expect(filled.volume.bytes(.purgeLog).count > old.count)
    let volume = filled.volume.crashed(machine: false, seed: 1)
    var store = try FilledStore.open(volume.crashed(machine: true, seed: 2), seed: 8)
    #expect(store.statistics.notices == [] && Self.seen("/purged", filled, store) == .gone)
    volume.put(.purgeLog, old)
    store = try FilledStore.open(volume, seed: 8)
    #expect(store.statistics.notices == [.fenced("\(LogLoss.other)")])
    #expect(Self.seen("/purged", filled, store) == .validated)
  }

  @Test("What is as it was left is believed, however often it is opened")
  func sound() throws {
    let scene = try Scene()
    var volume = scene.filled.volume
    for seed: UInt64 in 0..<8 {
      volume = volume.crashed(machine: seed > 2, seed: seed)
      #expect(!DiskInspection.finds("purge", in: volume))
      let store = try FilledStore.open(volume, seed: 20 + seed)
      #expect(store.statistics.notices == [] && store.statistics.trouble == nil)
      #expect(Self.seen("/purged", scene.filled, store) == .gone)
      // After a crash of the machine it may not be there; but it is never doubted.
      let seen = Self.seen("/kept", scene.filled, store)
      #expect(seen == .believed || seed > 2 && seen == .gone)
    }
  }

  @Test(
    "Of several disks the one whose log was lost is behind a fence, and knows what the others know")
  func severalDisks() throws {
    let volumes = [SimulatedVolume(seed: 1), SimulatedVolume(seed: 2)]
    let options = DiskOptions(size: 4 << 16, segmentSize: 1 << 16, admission: .all)
    func open(_ volumes: [SimulatedVolume], _ purges: PurgeLog, _ seed: UInt64) throws
      -> [DiskStore]
    {
      var words = SeededRandom(seed: seed)
      return try DiskStore.openSet(
        volumes.map { ($0, options) }, purges: purges, now: FilledStore.now,
        random: { words.next() }, clock: { 0 })
    }
    let log = PurgeLog()
    let stores = try open(volumes, log, 1)
    func response(_ path: String) -> StoredResponse {
      .sample(
        CacheKey(url: "http://www.example\(path)".utf8, secret: stores[0].secret)!, path,
        now: FilledStore.now)
    }
    for store in stores {
      for path in ["/a", "/purged"] { store.write(response(path), stamp: log.head) }
    }
    let purge = Purge([.url(response("/purged").key)])
    let sequence = log.append(purge).sequence
    for store in stores { try store.purge(purge, sequence: sequence, now: FilledStore.now) }
    let left = volumes.map { $0.crashed(machine: false, seed: 3) }
    try left[1].remove(.purgeLog)
    let again = try open(left, PurgeLog(), 2)
    #expect(again[0].statistics.notices == [])
    #expect(again[1].statistics.notices == [.fenced("\(LogLoss.missing)")])
    for (store, isValidated) in zip(again, [false, true]) {
      func read(_ path: String) -> DiskStore.Read? {
        store.read(response(path).key, request: Self.request, now: FilledStore.now)
      }
      #expect(read("/purged") == nil)
      #expect(read("/a")?.response.freshness.alwaysValidate == isValidated)
    }
  }
}

extension FilledStore {
  /// The log of another store.
  static func log(seed: UInt64) throws -> [UInt8] {
    let (volume, purges) = (SimulatedVolume(seed: 9), PurgeLog())
    let store = try open(volume, purges, seed: seed)
    for index in 0..<9 {
      let key = CacheKey(url: "http://www.example/\(index)".utf8, secret: store.secret)!
      let purge = Purge([.url(key)])
      try store.purge(purge, sequence: purges.append(purge).sequence, now: now)
    }
    return volume.bytes(.purgeLog)
  }
}

extension DiskInspection {
  /// True if a check says something with that word.
  static func finds(_ word: String, in volume: SimulatedVolume) -> Bool {
    var isFound = false
    try? DiskInspection(volume).check { if "\($0)".contains(word) { isFound = true } }
    return isFound
  }
}
