import NIOCore
import Seeds
import Synchronization
import Testing

@testable import EdgeCache

// Histories of writes, reads, purges, removals, faults and crashes from a seed, beside a model that knows
// what may be read. A seed that fails is printed, and repeats.

/// One history.
private struct DiskHistory {
  private struct Version: Hashable {
    let key: Int
    let variant: Int
    let number: Int
    /// The newest purge when its request left.
    let stamp: UInt64
    let size: Int

    /// Names the version again and again.
    var text: String {
      let name = "n\(number) k\(key) v\(variant) "
      return String(repeating: name, count: size / name.utf8.count + 1)
    }
  }

  let seed: UInt64
  private var random: SeededRandom
  private var volume: SimulatedVolume
  private var purges = PurgeLog()
  private var store: DiskStore
  private var keys: [CacheKey]
  private let options: DiskOptions
  private var versions: [Version] = []
  /// Purges that were acknowledged: what was asked for before one must never be read.
  private var purged: [Int: UInt64] = [:]
  /// The same of the present process alone.
  private var purgedNow: [Int: UInt64] = [:]
  /// Versions before this one may be read only if they are then validated: somebody took part of the log away.
  private var trusted = 0
  /// Versions before this one may not be read at all: the store began anew.
  private var begun = 0
  /// What the log was at some time.
  private var oldLog: [UInt8] = []
  /// The lowest number of a version that may be read.
  private var floors: [Int: Int] = [:]
  /// Those that hold after a crash of the process too.
  private var loggedFloors: [Int: Int] = [:]
  private var log: [String] = []
  private(set) var found = 0
  /// What was read that must be validated.
  private(set) var fenced = 0
  /// Times that somebody damaged the store, and that it was full.
  private(set) var damages = 0
  private(set) var fills = 0

  private static let now = Instant(seconds: 1_700_000_000)

  init(seed: UInt64) throws {
    self.seed = seed
    random = SeededRandom(seed: seed)
    volume = SimulatedVolume(seed: seed)
    let isLarge = seed % 32 == 0
    let segment = isLarge ? 1 << 20 : 1 << 16
    options = DiskOptions(
      size: segment * Int.random(in: 4...6, using: &random), segmentSize: segment,
      admission: .all)
    store = try Self.open(volume, options, purges, seed)
    keys = Self.keys(store)
  }

  private static func keys(_ store: DiskStore) -> [CacheKey] {
    (0..<8).map { CacheKey(url: "http://www.example/\($0)".utf8, secret: store.secret)! }
  }

  private static func open(
    _ volume: SimulatedVolume, _ options: DiskOptions, _ purges: PurgeLog, _ seed: UInt64
  ) throws -> DiskStore {
    var words = SeededRandom(seed: seed)
    return try DiskStore.open(
      volume, options, purges: purges, now: now, random: { words.next() }, clock: { 0 })
  }

  private func request(_ variant: Int) -> FieldSection {
    CoreExchange.parseRequest(
      ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\nAccept-Language: l\(variant)\r\n\r\n")
    ).fields
  }

  private func response(_ version: Version) -> StoredResponse {
    let selector =
      version.variant == 0
      ? VariantSelector.any
      : VariantSelector(
        response: CoreExchange.parseResponse("HTTP/1.1 200 OK↵Vary: Accept-Language").fields,
        request: request(version.variant))!
    return .sample(keys[version.key], version.text, selector: selector, now: Self.now)
  }

  private func fail(_ text: String) {
    Issue.record("seed \(seed): \(text)\n\(log.suffix(12).joined(separator: "\n"))")
  }

  mutating func run(steps: Int) throws {
    for step in 0..<steps {
      let key = Int.random(in: keys.indices, using: &random)
      switch Int.random(in: 0..<100, using: &random) {
      case 0..<40: write(key)
      case 40..<45: removeWhileWriting(key)
      case 45..<80: read(key)
      case 80..<86: purge(key)
      case 86..<89: remove(key)
      case 89..<91: replace(key)
      case 91..<94: arm()
      case 94: sweep()
      case 95: fill()
      case 96: tend()
      default: try crash(step)
      }
    }
    for key in keys.indices { read(key) }
  }

  private mutating func write(_ key: Int) {
    // Its request may have left before the newest purges.
    let stamp = purges.head - min(purges.head, UInt64.random(in: 0...2, using: &random) / 2)
    let isHuge = options.segmentSize > 1 << 16 && Int.random(in: 0..<4, using: &random) == 0
    let size = Int.random(in: 0...(isHuge ? 600_000 : 9000), using: &random)
    let version = Version(
      key: key, variant: Int.random(in: 0...2, using: &random), number: versions.count,
      stamp: stamp, size: size)
    versions.append(version)
    let isThere = store.write(response(version), stamp: stamp)
    log.append("write \(version.key)/\(version.variant) n\(version.number) \(size) \(isThere)")
    if isThere { floors[key * 3 + version.variant] = version.number }
  }

  /// Two are written, and one is removed at any moment of that.
  private mutating func removeWhileWriting(_ key: Int) {
    let both = [key, (key + 1) % keys.count].map { key in
      let version = Version(
        key: key, variant: Int.random(in: 0...2, using: &random), number: versions.count,
        stamp: purges.head, size: Int.random(in: 0...9000, using: &random))
      versions.append(version)
      return version
    }
    let announced = store.announce(
      both.map { DiskWrite(response($0), stamp: $0.stamp) })
    let moment = SimulatedVolume.Moment.allCases.randomElement(using: &random)!
    let removals = Mutex<[DiskStore.Removal]>([])
    let (store, hash) = (store, keys[key].hash)
    let remove = { @Sendable in
      if let removal = store.remove(hash) { removals.withLock { $0.append(removal) } }
    }
    // Before anything is written, or when it comes to that.
    if Bool.random(using: &random) {
      remove()
    } else {
      volume.watch { (now) throws(DiskError) in if now == moment { remove() } }
    }
    let isThere = store.write(announced)
    volume.watch(nil)
    log.append("write \(both.map(\.number)) \(isThere), removed at \(moment)")
    // If that moment never came.
    remove()
    for variant in 0..<3 { floors[key * 3 + variant] = versions.count }
    logFloors(removals.withLock { $0 }, key, variants: 0..<3)
  }

  /// Has removals logged, and notes what holds from then on, also after a crash of the process.
  private mutating func logFloors(
    _ removals: [DiskStore.Removal], _ key: Int, variants: Range<Int>
  ) {
    if !removals.isEmpty {
      let before = store.statistics.writeErrors
      store.log(removals, now: Self.now)
      guard store.statistics.writeErrors == before, store.statistics.serves else { return }
    }
    // What there is nothing of needs no record.
    for variant in variants { loggedFloors[key * 3 + variant] = versions.count }
  }

  private mutating func read(_ key: Int) {
    let variant = Int.random(in: 0...2, using: &random)
    let waits = Bool.random(using: &random)
    guard
      case .found(let read) = store.look(
        keys[key], request: request(variant), now: Self.now, waits: waits)
    else { return }
    let isValidated = read.response.freshness.alwaysValidate
    if isValidated { fenced += 1 } else { found += 1 }
    let text = read.response.content.pieces.map { String(buffer: $0) }.joined()
    guard let number = Int(text.dropFirst().prefix { $0 != " " }), number < versions.count,
      case let version = versions[number], version.key == key, version.text == text
    else { return fail("read of \(key)/\(variant): content that was never written") }
    log.append("read \(key)/\(variant) n\(version.number)")
    if version.variant != 0, version.variant != variant { fail("another variant") }
    if read.stamp != version.stamp { fail("another stamp") }
    if version.number < begun { fail("n\(version.number) is from before the store began anew") }
    if let purge = purgedNow[key], version.stamp < purge {
      fail("n\(version.number) was purged by this process")
    }
    if isValidated { return }
    if version.number < trusted { fail("n\(version.number) is behind the fence") }
    if let purge = purged[key], version.stamp < purge { fail("n\(version.number) was purged") }
    if let floor = floors[key * 3 + version.variant], version.number < floor {
      fail("n\(version.number) is older than n\(floor), which was there or removed")
    }
  }

  private mutating func purge(_ key: Int) {
    let kind = Int.random(in: 0..<8, using: &random)
    let isEverything = kind < 2
    let scope: PurgeScope =
      switch kind {
      case 0: .everything
      case 1: .host(PurgeHost("www.example".utf8))
      case 2: .prefix(PurgePrefix(keys[key]))
      default: .url(keys[key])
      }
    let purge = Purge([scope])
    let sequence = purges.append(purge).sequence
    for covered in isEverything ? Array(keys.indices) : [key] { purgedNow[covered] = sequence }
    if Int.random(in: 0..<3, using: &random) == 0 { oldLog = volume.bytes(.purgeLog) }
    do {
      try store.purge(purge, sequence: sequence, now: Self.now)
      log.append("purge \(isEverything ? "everything" : "\(key)") \(sequence)")
      for covered in isEverything ? Array(keys.indices) : [key] { purged[covered] = sequence }
    } catch {
      log.append("purge \(key) \(sequence) failed")
    }
  }

  private mutating func remove(_ key: Int) {
    let removal = store.remove(keys[key].hash)
    for variant in 0..<3 { floors[key * 3 + variant] = versions.count }
    log.append("remove \(key)")
    logFloors(removal.map { [$0] } ?? [], key, variants: 0..<3)
  }

  /// Removes one variant.
  private mutating func replace(_ key: Int) {
    let variant = Int.random(in: 0...2, using: &random)
    let version = Version(key: key, variant: variant, number: 0, stamp: 0, size: 0)
    let removal = store.remove(keys[key], response(version).selector)
    floors[key * 3 + variant] = versions.count
    log.append("remove \(key)/\(variant)")
    logFloors(removal.map { [$0] } ?? [], key, variants: variant..<(variant + 1))
  }

  /// Looks for what was purged, and forgets what nothing is left of.
  private mutating func sweep() {
    for _ in 0..<Int.random(in: 1...8, using: &random) where !store.sweep(count: 5) { break }
    if Bool.random(using: &random) {
      // A request may be on its way that left before the newest purge.
      let oldest = purges.head - min(1, purges.head)
      purges.trim(
        urls: oldest, others: min(oldest, store.oldestUnswept),
        soft: min(oldest, store.oldestStamp))
    }
    log.append("sweep")
  }

  private mutating func arm() {
    let isSound = Bool.random(using: &random)
    let faults =
      isSound
      ? SimulatedVolume.Faults()
      : SimulatedVolume.Faults(
        read: 20, write: 20, sync: 20, flip: 20, full: 10, slow: 200)
    volume.arm(faults)
    log.append(isSound ? "sound" : "faults")
  }

  /// The disk is full, or not any more.
  private mutating func fill() {
    if volume.isBounded {
      volume.resize(nil)
    } else {
      volume.fill(with: Bool.random(using: &random))
      fills += 1
    }
    log.append(volume.isBounded ? "full" : "room")
  }

  private mutating func tend() {
    store.tend(now: Self.now)
    log.append("tend: \(store.trouble.map { "\($0)" } ?? "well")")
  }

  /// Somebody changes a file of the log, or the header, while nobody uses the store.
  private mutating func damage() {
    let file = [DiskFile.purgeLog, .purgeLog, .purgeLog, .purgeMark, .header].randomElement(
      using: &random)!
    let before = volume.bytes(file)
    if before.isEmpty { return }
    var bytes = before
    let place = Int.random(in: 0..<(file == .purgeMark ? 64 : before.count), using: &random)
    let kind = Int.random(in: 0..<5, using: &random)
    switch kind {
    case 0: break
    case 1: bytes.removeLast(before.count - place)
    case 2 where file == .purgeLog: bytes = oldLog
    case 3: bytes.removeLast(before.count - min(1, place))
    default: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    }
    if kind == 0 { try? volume.remove(file) } else { volume.put(file, bytes) }
    if kind > 0, bytes == before { return }
    damages += 1
    log.append("\(file): damage \(kind) at \(place) of \(before.count)")
    // Numbers may be given out again.
    (trusted, purged) = (versions.count, [:])
    if file == .header { begun = versions.count }
  }

  private mutating func crash(_ step: Int) throws {
    let isMachine = Bool.random(using: &random)
    if Bool.random(using: &random) {
      // In the middle of a write.
      volume.arm(SimulatedVolume.Faults(write: 1000))
      write(Int.random(in: keys.indices, using: &random))
    }
    volume = volume.crashed(machine: isMachine, seed: seed &+ UInt64(step))
    if Int.random(in: 0..<3, using: &random) == 0 { damage() }
    purges = PurgeLog()
    purgedNow = [:]
    do {
      store = try Self.open(volume, options, purges, seed &+ UInt64(step) << 32)
    } catch DiskProblem.noRoom where begun == versions.count {
      // Where it has to begin anew, with as few segments as can be, on a full disk.
      volume.resize(nil)
      store = try Self.open(volume, options, purges, seed &+ UInt64(step) << 32)
    }
    keys = Self.keys(store)
    log.append("\(isMachine ? "machine" : "process") crash, \(store.statistics.recovered) there")
    if isMachine { loggedFloors = [:] }
    floors = loggedFloors
    // Numbers that were lost with unacknowledged purges may be given out again, which is as it was.
  }
}

@Suite("Disk store, simulated")
struct DiskSimulationTests {
  @Test("Nothing torn, mixed, purged or replaced is ever read", arguments: 0..<20)
  func histories(_ block: Int) throws {
    var (found, fenced, damages, fills) = (0, 0, 0, 0)
    for seed in 0..<150 {
      var history = try DiskHistory(seed: UInt64(block * 150 + seed) &+ 1)
      try history.run(steps: 100)
      found += history.found
      fenced += history.fenced
      damages += history.damages
      fills += history.fills
    }
    // A store that never finds anything would pass, too.
    #expect(found > 1200 && fenced > 100 && damages > 50 && fills > 20)
  }
}
