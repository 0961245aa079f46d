import EdgeCache
import Foundation
import Glibc
import NIOCore
import Testing

@testable import EdgePoP

// A PoP whose wall clock is set while it serves. The rules are tables in EdgeCacheTests; here is the clock that
// they are given, and that nothing in the shell goes past it.

@Suite("The clock of a PoP")
struct ProcessClockTests {
  @Test(
    "The time line begins at what the wall clock shows, and does not follow it",
    arguments: [-3600, 3600])
  func steps(seconds: Int64) {
    let test = TestClock()
    let before = test.clock.now
    #expect(before.wallOffset == 0)
    #expect(abs(before.wall.milliseconds / 1000 - Int64(time(nil))) <= 5)
    test.set(by: seconds)
    let after = test.clock.now
    #expect(after >= before && after.milliseconds(since: before) < 3_000_000)
    #expect(abs(after.wallOffset - seconds * 1000) < 10)
    #expect(test.clock.takeStep().map { abs($0 - seconds * 1000) < 10 } == true)
    #expect(test.clock.takeStep() == nil)
    test.set(by: -seconds)
    #expect(abs(test.clock.now.wallOffset) < 10)
  }

  @Test("What is read for dates is the wall clock of that moment", arguments: [-3600, 3600])
  func read(seconds: Int64) {
    let test = TestClock()
    let real = test.clock.read().wall.seconds
    test.setUnnoticed(by: seconds)
    #expect(test.clock.now.wallOffset == 0)
    #expect(abs(test.clock.read().wall.seconds - real - seconds) < 60)
    #expect(test.clock.takeStep() != nil)
  }

  @Test("Time that a machine sleeps counts, and is no step of the wall clock")
  func sleep() {
    let test = TestClock()
    let before = test.clock.now
    test.sleep(3600)
    let after = test.clock.now
    #expect(after.milliseconds(since: before) >= 3_600_000)
    #expect(after.milliseconds(since: before) < 3_660_000)
    #expect(abs(after.wallOffset) < 10)
    #expect(test.clock.takeStep() == nil)
  }

  @Test("It never goes back, whoever reads it")
  func monotone() async {
    let test = TestClock()
    await withTaskGroup(of: Bool.self) { group in
      for reader in 0..<3 {
        group.addTask {
          var last = test.clock.now
          for round in 0..<2000 {
            if reader == 0 { test.set(by: round % 2 == 0 ? -3600 : 3600) }
            if reader == 1, round % 100 == 0 { test.sleep(1) }
            let now = round % 3 == 0 ? test.clock.read() : test.clock.now
            if now < last { return false }
            last = now
          }
          return true
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }

  @Test("Clocks are read in one file of the shell, and none that may be set in the core")
  func oneFile() throws {
    var sources = URL(fileURLWithPath: #filePath)
    for _ in 0..<3 { sources.deleteLastPathComponent() }
    sources.appendPathComponent("Sources")
    let readings = [
      "clock_gettime", "gettimeofday", "CLOCK_REALTIME", "Date()", "Date.now", "time(nil)",
      "NSDate",
      "timespec_get", "DispatchTime", "DispatchWallTime", "ProcessInfo.processInfo.systemUptime",
    ]
    let allowed: Set = ["EdgePoP/Server/ProcessClock.swift", "EdgeSocket/Poller.swift"]
    var found: [String] = []
    for part in ["EdgeCache", "EdgePoP", "EdgeSocket"] {
      let folder = sources.appendingPathComponent(part)
      let files = try #require(
        FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
      for case let file as URL in files where file.pathExtension == "swift" {
        let path = String(file.path.dropFirst(sources.path.count + 1))
        let text = try String(contentsOf: file, encoding: .utf8)
        for reading in readings where text.contains(reading) && !allowed.contains(path) {
          found.append("\(path): \(reading)")
        }
      }
    }
    #expect(found.isEmpty)
    let poller = try String(
      contentsOf: sources.appendingPathComponent("EdgeSocket/Poller.swift"), encoding: .utf8)
    #expect(!poller.contains("CLOCK_REALTIME"))
  }
}

@Suite("The wall clock of a PoP is set", .serialized, .eachCarrier)
struct ClockTests {
  private static let hour: Int64 = 3600

  /// An answer that says how many there were before.
  private static func origin(_ control: String, etag: Bool = false) -> Origin.Script {
    { exchange in
      exchange.answer("\(exchange.number)", "Cache-Control: \(control)")
    }
  }

  @Test("What is stored is fresh as long as it was to be", arguments: [-hour, hour])
  func freshness(step: Int64) async throws {
    let clock = TestClock()
    try await withPoP({ $0.clock = clock }, origin: Self.origin("max-age=600")) { pop, origin in
      _ = try await pop.get("/")
      try await pop.waitForFills()
      clock.set(by: step)
      let hit = try await pop.get("/")
      #expect(hit.cacheStatus.contains("; hit") && hit.text == "1")
      #expect(hit["Age"].flatMap { Int($0) }.map { $0 < 600 } == true)
      clock.sleep(601)
      #expect(try await pop.get("/").text == "2")
      #expect(origin.requests.count == 2)
    }
  }

  @Test("What was stale stays stale", arguments: [-hour, hour])
  func staleness(step: Int64) async throws {
    let clock = TestClock()
    try await withPoP({ $0.clock = clock }, origin: Self.origin("max-age=600")) { pop, _ in
      _ = try await pop.get("/")
      try await pop.waitForFills()
      clock.sleep(601)
      clock.set(by: step)
      let next = try await pop.get("/")
      #expect(next.cacheStatus.contains("fwd=stale") && next.text == "2")
    }
  }

  @Test("A response is judged by the clock as it is when it comes")
  func dates() async throws {
    let clock = TestClock()
    try await withPoP(
      { $0.clock = clock },
      origin: { exchange in
        let date = String(decoding: HTTPDate.bytes(Int64(time(nil))), as: UTF8.self)
        exchange.answer("\(exchange.number)", "Cache-Control: max-age=1800", "Date: \(date)")
      }
    ) { pop, origin in
      // An hour ahead, the origin's answers seem an hour old.
      clock.set(by: Self.hour)
      for _ in 0..<2 {
        _ = try await pop.get("/")
        try await pop.waitForFills()
      }
      #expect(origin.requests.count == 2)
      clock.set(by: -Self.hour)
      _ = try await pop.get("/")
      try await pop.waitForFills()
      #expect(try await pop.get("/").text == "3")
    }
  }

  @Test("The Date of own answers is that of the wall clock", arguments: [-hour, hour])
  func ownDate(step: Int64) async throws {
    let clock = TestClock()
    try await withPoP({ $0.clock = clock }, origin: { $0.answer("x") }) { pop, _ in
      clock.set(by: step)
      let refused = try await pop.get("/", "Cache-Control: only-if-cached")
      let date = try #require(refused["Date"])
      let parsed = HTTPDate.parse(Array(date.utf8).span, now: Instant(milliseconds: 0))
      let seconds = try #require(parsed)
      #expect(refused.status == 504)
      #expect(abs(seconds - Int64(time(nil)) - step) < 60)
    }
  }
}

@Suite("The wall clock of a PoP with a disk is set", .serialized)
struct DiskClockTests {
  private static let hour: Int64 = 3600

  /// Runs `body` with the path of a directory that nobody else has.
  private func withDirectory(_ body: (String) async throws -> Void) async throws {
    let path = NSTemporaryDirectory() + "edge-clock-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await body(path)
  }

  /// Runs `body` with a PoP on that directory, which is free again afterwards: its lock goes with the PoP.
  private func withPoP(
    _ path: String, _ clock: TestClock, _ origin: Origin, _ body: (TestPoP) async throws -> Void
  ) async throws {
    let pop = try await TestPoP.start(upstream: origin.url) {
      $0.clock = clock
      $0.disks = [.init(path: path, size: .mebibytes(32), admission: .all)]
    }
    try await body(pop)
    try await pop.stop()
  }

  private static let script: Origin.Script = { exchange in
    if exchange.request["If-None-Match"] == "\"a\"" {
      exchange.send(
        "HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=600\r\nETag: \"a\"\r\n\r\n")
    } else {
      exchange.answer(
        String(repeating: "0123456789", count: 10_000), "Cache-Control: max-age=600", "ETag: \"a\"")
    }
  }

  private func waitForDisk(_ pop: TestPoP) async throws {
    try await pop.waitForFills()
    try await eventually("it is on disk") {
      try await pop.statistics().disk?.written == 1
    }
  }

  @Test("What is on disk keeps its age", arguments: [-hour, hour])
  func ages(step: Int64) async throws {
    try await withDirectory { path in
      let origin = try await Origin.start(Self.script)
      try await withPoP(path, TestClock(), origin) { pop in
        _ = try await pop.get("/")
        try await waitForDisk(pop)
      }
      // Nothing is in memory, and what is asked for once does not get there.
      let clock = TestClock()
      try await withPoP(path, clock, origin) { pop in
        clock.set(by: step)
        clock.sleep(500)
        let hit = try await pop.get("/")
        #expect(hit.cacheStatus.contains("; hit"))
        #expect(hit["Age"].flatMap { Int($0) }.map { 500..<600 ~= $0 } == true)
        clock.sleep(101)
        let stale = try await pop.get("/")
        #expect(stale.cacheStatus.contains("fwd=stale"))
      }
      await origin.stop()
    }
  }

  @Test("A clock that went back while the PoP was away: validated before it is used")
  func wentBack() async throws {
    try await withDirectory { path in
      let origin = try await Origin.start(Self.script)
      try await withPoP(path, TestClock(), origin) { pop in
        _ = try await pop.get("/")
        try await waitForDisk(pop)
      }
      try await withPoP(path, TestClock(), origin) { pop in
        let hit = try await pop.get("/")
        #expect(hit.cacheStatus.contains("; hit"))
        #expect(origin.requests.count == 1)
      }
      try await withPoP(path, TestClock(seconds: -Self.hour), origin) { pop in
        let validated = try await pop.get("/")
        #expect(validated.cacheStatus.contains("fwd=stale") && validated.status == 200)
        #expect(origin.requests.count == 2)
        #expect(origin.requests[1]["If-None-Match"] == "\"a\"")
        try await pop.waitForFills()
        let hit = try await pop.get("/")
        #expect(hit.cacheStatus.contains("; hit"))
      }
      await origin.stop()
    }
  }
}
