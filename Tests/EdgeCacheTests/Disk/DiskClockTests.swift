import NIOCore
import Seeds
import Testing

@testable import EdgeCache

// The wall clock is set while a store is used, or while nobody uses it.

/// Time as it passes, and a wall clock that is set. What the machine knows of it are the moments of a process.
private struct World {
  /// Milliseconds that really passed.
  var time: Int64 = 1_700_000_000_000
  /// By how much the wall clock is wrong.
  var error: Int64 = 0
  /// What the time line of the present process is ahead of the real time.
  private var line: Int64 = 0

  /// The present moment, as the process has it.
  var now: Instant { Instant(milliseconds: time + line, wallOffset: error - line) }

  mutating func pass(_ seconds: Int64) { time += seconds * 1000 }
  mutating func set(by seconds: Int64) { error += seconds * 1000 }
  /// Another process begins.
  mutating func begin() { line = error }
}

/// A store that is opened again and again.
private final class Scene {
  var world = World()
  var volume = SimulatedVolume(seed: 1)
  var store: DiskStore
  private static let request = CoreExchange.parseRequest("GET / HTTP/1.1↵Host: a").fields

  init() throws {
    store = try FilledStore.open(volume, now: world.now)
  }

  /// The machine or the process ends without a word, and another begins.
  func reopen() throws {
    volume = volume.crashed(machine: false, seed: 1)
    world.begin()
    store = try FilledStore.open(volume, now: world.now)
  }

  func set(by seconds: Int64) {
    world.set(by: seconds)
    store.keepTime(world.now)
  }

  func pass(_ seconds: Int64) {
    world.pass(seconds)
    store.keepTime(world.now)
  }

  @discardableResult
  func write(_ path: String, lifetime: Int64 = 7200) -> Int64 {
    let key = CacheKey(url: "http://www.example\(path)".utf8, secret: store.secret)!
    store.write(
      .sample(key, path, lifetime: lifetime, now: world.now), stamp: store.purges.head)
    return world.time
  }

  /// The age in seconds of what is believed; nil if it must be validated, or is not there.
  func age(_ path: String) -> Int64? {
    guard let response = response(path), !response.freshness.alwaysValidate else { return nil }
    return response.freshness.age(world.now)
  }

  /// True if it is there, and neither fresh nor good for an error of the origin.
  func isDoubted(_ path: String) -> Bool {
    guard let freshness = response(path)?.freshness else { return false }
    return !freshness.isFresh(world.now) && !freshness.mayServeStaleOnError(world.now)
  }

  private func response(_ path: String) -> StoredResponse? {
    let key = CacheKey(url: "http://www.example\(path)".utf8, secret: store.secret)!
    return store.read(key, request: Self.request, now: world.now)?.response
  }
}

@Suite("Disk and the wall clock")
struct DiskClockTests {
  private static let hour: Int64 = 3600

  @Test("Positions have the offset that there was when they were written")
  func offsets() {
    var clock = DiskClock(offset: 5)
    #expect(clock.writes(at: 100) == 5 && clock.offset(at: 0) == 5)
    clock.offset = -7
    #expect(clock.offset(at: 200) == 5)
    #expect(clock.writes(at: 200) == -7)
    clock.offset = 9
    #expect(clock.writes(at: 300) == 9 && clock.writes(at: 350) == 9)
    let found = [0, 199, 200, 299, 300, 400].map { clock.offset(at: $0) }
    #expect(found == [5, 5, -7, -7, 9, 9])
  }

  @Test("Of very many steps the oldest count as the older ones of them")
  func manySteps() {
    var clock = DiskClock(offset: 0)
    for step in 1...1000 {
      clock.offset = step % 2 == 0 ? Int64(step) : -Int64(step)
      _ = clock.writes(at: UInt64(step) * 10)
    }
    #expect(clock.offset(at: 10_000) == 1000 && clock.offset(at: 9_990) == -999)
    #expect(clock.offset(at: 0) == 936 && clock.offset(at: 9_000) == 936)
  }

  @Test("A step while it is used changes no age", arguments: [-hour, hour, -1, 1, -86_400, 86_400])
  func running(step: Int64) throws {
    let scene = try Scene()
    scene.write("/before")
    scene.pass(600)
    scene.set(by: step)
    scene.write("/after")
    scene.pass(600)
    #expect(scene.age("/before") == 1200)
    #expect(scene.age("/after") == 600)
    scene.set(by: -step)
    scene.pass(5400)
    #expect(scene.age("/before") == 6600 && scene.age("/after") == 6000)
    scene.pass(600)
    #expect(scene.age("/before") == 7200)
  }

  @Test(
    "A step that was not noticed when something was written changes no age",
    arguments: [-hour, hour])
  func unnoticed(step: Int64) throws {
    let scene = try Scene()
    scene.write("/a")
    scene.world.set(by: step)
    scene.write("/b")
    scene.pass(10)
    scene.write("/c")
    #expect(scene.age("/a") == 10 && scene.age("/b") == 10 && scene.age("/c") == 0)
  }

  @Test("Ages go on over a restart")
  func restart() throws {
    let scene = try Scene()
    scene.write("/a")
    scene.pass(600)
    try scene.reopen()
    scene.pass(600)
    #expect(scene.age("/a") == 1200)
    scene.set(by: -Self.hour)
    #expect(scene.age("/a") == 1200)
    scene.set(by: 2 * Self.hour)
    scene.pass(600)
    #expect(scene.age("/a") == 1800)
  }

  @Test(
    "A clock that went back while nobody used it: all is validated, now and later",
    arguments: [
      hour, 86_400, 1_700_000_000, 2,
    ])
  func wentBackAway(step: Int64) throws {
    let scene = try Scene()
    scene.write("/a")
    scene.world.set(by: -step)
    scene.world.pass(1)
    try scene.reopen()
    #expect(scene.isDoubted("/a"))
    #expect(
      scene.store.statistics.notices == [.clockBehind(milliseconds: (step - 1) * 1000)])
    scene.write("/b")
    #expect(scene.age("/b") == 0)
    // The clock is right again, so that nothing lies in the future.
    scene.world.set(by: step)
    scene.world.pass(10)
    try scene.reopen()
    #expect(scene.isDoubted("/a"))
    #expect(scene.store.statistics.notices == [])
    // It was written with a clock that was behind.
    #expect(scene.age("/b").map { $0 >= 10 } == true)
    // What was validated is believed.
    scene.write("/a")
    scene.pass(5)
    try scene.reopen()
    #expect(scene.age("/a") == 5)
  }

  @Test("The time is logged while nothing else is, so that a clock that went back is noticed")
  func beat() throws {
    let scene = try Scene()
    scene.write("/a")
    for _ in 0..<120 { scene.pass(60) }
    scene.world.set(by: -Self.hour)
    try scene.reopen()
    #expect(scene.isDoubted("/a"))
  }

  @Test("The time is logged when the process ends")
  func lastBeat() throws {
    let scene = try Scene()
    scene.write("/a")
    scene.pass(30)
    scene.store.keepTime(scene.world.now, isLast: true)
    scene.world.set(by: -20)
    try scene.reopen()
    #expect(scene.isDoubted("/a"))
  }

  @Test("A clock that went back while it was used, and a restart long after")
  func wentBackBefore() throws {
    let scene = try Scene()
    scene.write("/before")
    scene.pass(10)
    scene.set(by: -Self.hour)
    scene.write("/after")
    // Long enough that nothing lies in the future any more.
    scene.pass(2 * Self.hour - 100)
    #expect(scene.age("/before") == 7110 && scene.age("/after") == 7100)
    try scene.reopen()
    #expect(scene.isDoubted("/before"))
    #expect(scene.age("/after") == 7100)
    #expect(scene.store.statistics.notices == [])
    try scene.reopen()
    #expect(scene.isDoubted("/before") && scene.age("/after") == 7100)
  }

  @Test("A clock that was set forth: what came before seems older after a restart, never younger")
  func wentForth() throws {
    let scene = try Scene()
    scene.write("/before")
    scene.set(by: Self.hour)
    scene.write("/after")
    scene.pass(10)
    #expect(scene.age("/before") == 10)
    try scene.reopen()
    #expect(scene.age("/before") == Self.hour + 10)
    #expect(scene.age("/after") == 10)
  }

  @Test("What one disk of a set tells of the clock is true for all")
  func set() throws {
    let volumes = [SimulatedVolume(seed: 1), SimulatedVolume(seed: 2)]
    func open(_ now: Instant) throws -> [DiskStore] {
      var words = SeededRandom(seed: 3)
      return try DiskStore.openSet(
        volumes.map { ($0, DiskOptions(size: 1 << 18, segmentSize: 1 << 16, admission: .all)) },
        purges: PurgeLog(), now: now, random: { words.next() }, clock: { 0 })
    }
    let now = Instant(seconds: 1_700_000_000)
    let stores = try open(now)
    let key = CacheKey(url: "http://www.example/".utf8, secret: stores[0].secret)!
    stores[0].write(.sample(key, "x", now: now), stamp: stores[0].purges.head)
    let later = now.adding(seconds: 100)
    try stores[1].log([], syncs: true, now: later)
    stores[1].keepTime(later, isLast: true)
    let again = try open(now.adding(seconds: 50))
    let request = CoreExchange.parseRequest("GET / HTTP/1.1↵Host: a").fields
    let read = again[0].read(key, request: request, now: now.adding(seconds: 50))
    #expect(read?.response.freshness.alwaysValidate == true)
  }

  /// Random histories: the clock is set while the store is used, in any direction, and while nobody uses it forth,
  /// or back by more than can be taken for time that passed. Nothing is ever believed for longer than its lifetime.
  @Test("Random steps", arguments: 1...60 as ClosedRange<UInt64>)
  func simulation(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let scene = try Scene()
    var written: [String: (at: Int64, lifetime: Int64)] = [:]
    var believed = 0
    for _ in 0..<300 {
      switch random.below(12) {
      case 0..<4:
        let path = "/\(random.below(6))"
        let lifetime = Int64(60 + random.below(7200))
        written[path] = (scene.write(path, lifetime: lifetime), lifetime)
      case 4..<7: scene.pass(Int64(random.below(900)))
      case 7..<9:
        scene.world.set(by: Int64(random.below(7200)) - 3600)
        // It is noticed a little later.
        if random.below(2) == 0 {
          let path = "/\(random.below(6))"
          written[path] = (scene.write(path, lifetime: 600), 600)
        }
        scene.store.keepTime(scene.world.now)
      case 9 where random.below(3) == 0:
        let away = Int64(random.below(1800))
        scene.world.pass(away)
        switch random.below(4) {
        case 0: scene.world.set(by: Int64(random.below(7200)))
        case 1: scene.world.set(by: -(away + 61 + Int64(random.below(7200))))
        default: break
        }
        try scene.reopen()
      default: break
      }
      let path = "/\(random.below(6))"
      guard let age = scene.age(path), let (at, lifetime) = written[path] else { continue }
      let passed = (scene.world.time - at) / 1000
      #expect(age >= passed, "seed \(seed): \(path) is \(passed) s old, and seems \(age) s old")
      if age < lifetime { believed += 1 }
      if age >= lifetime, random.below(2) == 0 { written[path] = (scene.write(path), 7200) }
    }
    #expect(believed > 0, "seed \(seed): nothing was ever believed")
  }
}
