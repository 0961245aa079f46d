import EdgeFleet
import FoundationEssentials
import Glibc
import NIOCore
import Synchronization
import Testing

@testable import EdgePoP

// Large content over sockets: kept by default, asked for once however many want it, and at the pace of each.

@Suite("Large content", .serialized)
struct LargeContentTests {
  /// How an origin says where its content ends, and whether it has ranges and a tag.
  struct Kind: Sendable, CustomTestStringConvertible {
    var framing: String
    var hasRanges: Bool
    var hasDisk: Bool

    var testDescription: String {
      "\(framing), \(hasRanges ? "with" : "without") ranges, \(hasDisk ? "with" : "without") disk"
    }

    static let all: [Kind] = ["length", "chunked", "close"].flatMap { framing in
      [true, false].flatMap { ranges in
        [true, false].map { Kind(framing: framing, hasRanges: ranges, hasDisk: $0) }
      }
    }
  }

  /// Answers one request for content of `size` bytes.
  static func answer(
    _ exchange: inout Origin.Exchange, _ kind: Kind, size: Int, from gate: Gate? = nil
  ) async throws {
    var head = "Cache-Control: max-age=60\r\n"
    if kind.hasRanges { head += "ETag: \"a\"\r\nAccept-Ranges: bytes\r\n" }
    if kind.hasRanges, let range = exchange.request["Range"], let dash = range.lastIndex(of: "-") {
      let first = Int(range[range.index(range.startIndex, offsetBy: 6)..<dash]) ?? 0
      let last = min(Int(range[range.index(after: dash)...]) ?? .max, size - 1)
      exchange.send(
        "HTTP/1.1 206 Partial Content\r\n\(head)Content-Range: bytes \(first)-\(last)/\(size)\r\n"
          + "Content-Length: \(last - first + 1)\r\n\r\n")
      await exchange.wire.sendAll(Pattern.bytes(last - first + 1, from: first))
      return
    }
    switch kind.framing {
    case "length": head += "Content-Length: \(size)\r\n"
    case "chunked": head += "Transfer-Encoding: chunked\r\n"
    default: break
    }
    exchange.send("HTTP/1.1 200 OK\r\n\(head)\r\n")
    await gate?.wait()
    let step = 256 << 10
    for start in stride(from: 0, to: size, by: step) {
      let count = min(step, size - start)
      if kind.framing == "chunked" { exchange.send(String(count, radix: 16) + "\r\n") }
      await exchange.wire.sendAll(Pattern.bytes(count, from: start))
      if kind.framing == "chunked" { exchange.send("\r\n") }
    }
    switch kind.framing {
    case "chunked": exchange.send("0\r\n\r\n")
    case "close": try await exchange.end(.finish)
    default: break
    }
  }

  /// Runs `body` with a PoP of so much memory, perhaps with a disk, in front of an origin.
  static func withPoP(
    _ kind: Kind, memory: Int, threads: Int = 2, largest: Int? = nil,
    origin script: @escaping Origin.Script,
    _ body: (TestPoP, Origin) async throws -> Void,
    afterRestart: ((TestPoP, Origin) async throws -> Void)? = nil
  ) async throws {
    let directory =
      FileManager.default.temporaryDirectory.path
      + "/edgecache-large-\(getpid())-\(UInt64.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let origin = try await Origin.start(script)
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var changed = FleetConfiguration.single(
      upstream: origin.url, listen: [any], admin: any, memory: .mebibytes(memory), threads: threads)
    changed.pops[0].largestResponse = largest.map { ByteSize(bytes: $0) }
    if kind.hasDisk {
      changed.pops[0].disks = [
        .init(path: directory, size: .mebibytes(512), admission: .all)
      ]
    }
    let configuration = changed
    func serve(_ body: (TestPoP, Origin) async throws -> Void) async throws {
      let pop = try await TestPoP.start(configuration, pop: configuration.pops[0])
      do {
        try await body(pop, origin)
      } catch {
        try? await pop.stop()
        throw error
      }
      try await pop.stop()
    }
    do {
      try await serve(body)
      if let afterRestart { try await serve(afterRestart) }
    } catch {
      await origin.stop()
      throw error
    }
    await origin.stop()
  }

  /// Takes a whole response off a wire and compares it.
  static func expect(_ size: Int, _ kind: Kind, on wire: Wire) async throws {
    let head = try await wire.readHead()
    #expect(head.status == 200)
    if head["Transfer-Encoding"] == nil {
      #expect(head["Content-Length"] == "\(size)")
      try await Pattern.expect(size, on: wire)
    } else {
      try await expectChunks(size, on: wire)
    }
  }

  private static func expectChunks(_ size: Int, on wire: Wire) async throws {
    var position = 0
    while true {
      let line = try await wire.take(through: "\r\n")
      // CR LF is one character.
      let count = try #require(Int(line.dropLast(), radix: 16), "\(line.prefix(20))")
      if count == 0 { break }
      try await Pattern.expect(count, from: position, on: wire)
      position += count
      #expect(try await wire.take(2) == ByteBuffer(string: "\r\n"))
    }
    #expect(position == size)
    #expect(try await wire.take(2) == ByteBuffer(string: "\r\n"))
  }

  @Test(
    "Many readers of one cold URL make one request, and the next one is a hit", arguments: Kind.all)
  func manyReaders(_ kind: Kind) async throws {
    let size = 3_900_000
    let readers = 40
    let gate = Gate()
    try await Self.withPoP(
      kind, memory: 16,
      origin: { exchange in
        try await Self.answer(&exchange, kind, size: size, from: gate)
      }
    ) { pop, origin in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<readers {
          group.addTask {
            let wire = try await pop.connect()
            wire.send(TestPoP.request("/"))
            try await Self.expect(size, kind, on: wire)
            await wire.close()
          }
          // Some come while it arrives.
          if number == readers / 2 { gate.open() }
        }
        try await group.waitForAll()
      }
      #expect(origin.requests.count == 1)
      try await pop.waitForFills()
      let wire = try await pop.connect()
      wire.send(TestPoP.request("/"))
      let head = try await wire.readHead()
      #expect(head.cacheStatus.contains("; hit"))
      #expect(head["Content-Length"] == "\(size)")
      try await Pattern.expect(size, on: wire)
      #expect(origin.requests.count == 1)
    }
  }

  @Test("64 MB and the memory of a PoP that nobody has configured: one request for all readers")
  func sixtyFour() async throws {
    let kind = Kind(framing: "chunked", hasRanges: false, hasDisk: false)
    let size = 64_000_000
    try await Self.withPoP(
      kind, memory: 256,
      origin: { exchange in try await Self.answer(&exchange, kind, size: size) }
    ) { pop, origin in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<8 {
          group.addTask {
            let wire = try await pop.connect()
            wire.send(TestPoP.request("/"))
            try await Self.expect(size, kind, on: wire)
            await wire.close()
          }
        }
        try await group.waitForAll()
      }
      try await pop.waitForFills()
      #expect(try await pop.statistics().memory.storedResponses == 1)
      #expect(origin.requests.count == 1)
    }
  }

  @Test(
    "A slow reader beside a fast one gets every byte, also of what is more than memory keeps",
    arguments: ["length", "chunked", "close"], [3_000_000, 24_000_000])
  func slowBesideFast(framing: String, size: Int) async throws {
    let kind = Kind(framing: framing, hasRanges: false, hasDisk: false)
    let gate = Gate()
    try await Self.withPoP(
      kind, memory: 16,
      origin: { exchange in
        try await Self.answer(&exchange, kind, size: size, from: gate)
      }
    ) { pop, _ in
      let slow = try await pop.connect(receiveBuffer: 32 << 10)
      try await slow.pause()
      slow.send(TestPoP.request("/"))
      let fast = try await pop.connect()
      fast.send(TestPoP.request("/"))
      try await eventually("both") { try await pop.statistics().openConnections == 2 }
      gate.open()
      let head = try await fast.readHead()
      #expect(head.status == 200)
      if size < 4 << 20 {
        // Nobody waits for the slow one.
        if head["Transfer-Encoding"] == nil {
          try await Pattern.expect(size, on: fast)
        } else {
          try await Self.expectChunks(size, on: fast)
        }
      }
      try await slow.resume()
      async let rest: Void = Self.expect(size, kind, on: slow)
      if size >= 4 << 20 {
        if head["Transfer-Encoding"] == nil {
          try await Pattern.expect(size, on: fast)
        } else {
          try await Self.expectChunks(size, on: fast)
        }
      }
      try await rest
    }
  }

  @Test(
    "What memory keeps as one is there after a restart, from disk, whatever the origin has",
    arguments: [true, false])
  func restart(_ hasRanges: Bool) async throws {
    let kind = Kind(framing: "chunked", hasRanges: hasRanges, hasDisk: true)
    let size = 3_900_000
    try await Self.withPoP(
      kind, memory: 16,
      origin: { exchange in try await Self.answer(&exchange, kind, size: size) },
      { pop, _ in
        let wire = try await pop.connect()
        wire.send(TestPoP.request("/"))
        try await Self.expect(size, kind, on: wire)
        // A head and four pieces.
        try await eventually("all of it on disk") {
          try await pop.statistics().disk?.written == 5
        }
      },
      afterRestart: { pop, origin in
        for _ in 0..<2 {
          let wire = try await pop.connect()
          wire.send(TestPoP.request("/"))
          let head = try await wire.readHead()
          #expect(head.cacheStatus.contains("; hit") && head["Content-Length"] == "\(size)")
          try await Pattern.expect(size, on: wire)
          await wire.close()
        }
        let wire = try await pop.connect()
        wire.send(TestPoP.request("/", ["Range: bytes=1048570-2097160"]))
        #expect(try await wire.readHead().status == 206)
        try await Pattern.expect(2_097_161 - 1_048_570, from: 1_048_570, on: wire)
        #expect(origin.requests.count == 1)
      })
  }

  @Test(
    "Only if cached, and a piece is not there: 504, and everybody else is served",
    arguments: [4 << 10, 256 << 10, 2 << 20])
  func onlyIfCached(largest: Int) async throws {
    let kind = Kind(framing: "length", hasRanges: true, hasDisk: true)
    let size = 3_000_000
    try await Self.withPoP(
      kind, memory: 16, largest: largest,
      origin: { exchange in try await Self.answer(&exchange, kind, size: size) },
      { pop, origin in
        let cached = "Cache-Control: only-if-cached"
        for range in ["Range: bytes=0-1", "Range: bytes=2500000-2500001"] {
          let whole = try await pop.get("/", cached)
          #expect(whole.status == 504)
          let missing = try await pop.get("/", range, cached)
          #expect(missing.status == 504)
          let part = try await pop.get("/", range)
          #expect(part.status == 206 && part.content.readableBytes == 2)
          try await pop.waitForFills()
          let again = try await pop.get("/", range, cached)
          #expect(
            again.status == 206 && again.cacheStatus.contains("; hit"), "\(again.cacheStatus)")
          let other = try await pop.get("/", "Range: bytes=1200000-1200001", cached)
          #expect(other.status == 504)
        }
        #expect(origin.requests.count == 3)
      })
  }

  @Test("A reader of the beginning, the end and places between asks the origin once for each")
  func parts() async throws {
    let kind = Kind(framing: "length", hasRanges: true, hasDisk: false)
    let size = 1_000_000
    try await Self.withPoP(
      kind, memory: 16, threads: 1,
      origin: { exchange in
        guard exchange.request["Range"]?.contains(",") == true else {
          return try await Self.answer(&exchange, kind, size: size)
        }
        exchange.answer(
          "both", "Content-Type: multipart/byteranges; boundary=b", status: "206 Partial Content")
      }
    ) { pop, origin in
      let ranges = [0..<1000, (size - 1000)..<size, 500_000..<500_100]
      for pass in 1...3 {
        for range in ranges {
          let wire = try await pop.connect()
          wire.send(
            TestPoP.request("/", ["Range: bytes=\(range.lowerBound)-\(range.upperBound - 1)"]))
          let head = try await wire.readHead()
          #expect(head.status == 206)
          #expect(head.cacheStatus.contains("; hit") == (pass > 1))
          #expect(
            head["Content-Range"] == "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)")
          try await Pattern.expect(range.count, from: range.lowerBound, on: wire)
          await wire.close()
          try await pop.waitForFills()
        }
      }
      #expect(origin.requests.count == 3)
      // Several ranges: from the parts, or from the origin as it sends them.
      let stored = try await pop.get("/", "Range: bytes=0-9,500000-500009")
      #expect(stored.status == 206 && stored.cacheStatus.contains("; hit"))
      let passed = try await pop.get("/", "Range: bytes=0-9,600000-600009")
      #expect(passed.status == 206 && passed.text == "both")
      #expect(passed["Content-Type"] == "multipart/byteranges; boundary=b")
      #expect(try await pop.get("/", "Range: bytes=0-9").cacheStatus.contains("; hit"))
      #expect(origin.requests.count == 4)
    }
  }
}
