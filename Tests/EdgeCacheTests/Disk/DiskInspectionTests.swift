import NIOCore
import Seeds
import Testing

@testable import EdgeCache

@Suite("Disk store, looked at")
struct DiskInspectionTests {
  @Test("Records have all that is known of them")
  func records() throws {
    let filled = try FilledStore()
    filled.write(
      "/a?b=1", "four", fields: "↵ETag: \"x\"↵Cache-Groups: \"one\", \"two\"", language: "de",
      lifetime: 60)
    let inspection = try filled.inspection()
    var all: [DiskRecord] = []
    inspection.forEachRecord(pieces: false) {
      all.append($0)
      return true
    }
    let record = try #require(all.first)
    #expect(all.count == 1)
    #expect(record.url == "http://www.example/a?b=1")
    #expect(record.host == "www.example" && record.target == "/a?b=1")
    #expect(record.state == .alive && record.response.head.status == 200)
    #expect(record.etag == "\"x\"" && record.tags == ["one", "two"])
    #expect(record.contentBytes == 4 && record.size == 4 && record.bytesOnDisk % 64 == 0)
    #expect(record.response.selector.texts.count == 1)
    #expect(record.response.freshness.ttl(FilledStore.now.adding(seconds: 70)) == -10)
    let again = inspection.record(
      segment: record.segment, offset: record.offset, state: record.state)
    #expect(again?.url == record.url)
    #expect(inspection.segments.map(\.state) == [.open, .free, .free, .free])
  }

  @Test("What is purged, removed or replaced is dead, and why")
  func dead() throws {
    let filled = try FilledStore()
    filled.write("/kept")
    filled.write("/purged")
    filled.write("/grouped", fields: "↵Cache-Groups: \"news\"")
    filled.write("/removed")
    filled.write("/hidden", "old")
    filled.write("/hidden", "new")
    filled.write("/lang", language: "de")
    filled.write("/lang", language: "en")
    let replaced = filled.write("/replaced")
    try filled.purge(.url(filled.key("/purged")))
    try filled.purge(.group(CacheGroup(Array("news".utf8), at: filled.key("/grouped"))))
    if let removal = filled.store.remove(filled.key("/removed").hash) {
      filled.store.log([removal], now: FilledStore.now)
    }
    if let removal = filled.store.remove(replaced.key, replaced.selector) {
      filled.store.log([removal], now: FilledStore.now)
    }
    #expect(try filled.alive() == ["/lang", "/lang", "/hidden", "/kept"])
    let states = Dictionary(
      try filled.listed().filter { $0.state != .alive }.map { ($0.url, $0.state) },
      uniquingKeysWith: { first, _ in first })
    let site = "http://www.example"
    #expect(
      states == [
        "\(site)/purged": .purged(2), "\(site)/grouped": .purged(3), "\(site)/removed": .removed,
        "\(site)/replaced": .removed, "\(site)/hidden": .hidden,
      ])
    let tally = try filled.inspection().tally()
    #expect(tally.records == 9 && tally.alive == 4 && tally.purged == 2)
    #expect(tally.removed == 2 && tally.hidden == 1 && tally.contentBytes == 15)
    #expect(try filled.findings() == [])
    try filled.purge(.everything)
    #expect(try filled.alive() == [])
  }

  @Test("Looking changes nothing, whatever is damaged")
  func changesNothing() throws {
    let filled = try FilledStore()
    filled.write("/a")
    try filled.purge(.url(filled.key("/a")))
    filled.volume.damage(.purgeLog) { $0.removeLast(3) }
    filled.flip(.segment(0), 100)
    let files: [DiskFile] = [.header, .purgeLog, .segment(0), .segment(1)]
    let before = files.map { filled.volume.bytes($0) }
    #expect(try filled.findings().isEmpty == false)
    _ = try filled.inspection().tally()
    #expect(files.map { filled.volume.bytes($0) } == before)
  }

  @Test("It lists what a store finds, and that alone", arguments: 0..<20)
  func sameAsStore(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed &+ 1)
    let filled = try FilledStore()
    let languages = [nil, "de", "en"]
    for step in 0..<120 {
      let path = "/\(Int.random(in: 0..<12, using: &random))"
      switch Int.random(in: 0..<10, using: &random) {
      case 0: try filled.purge(.url(filled.key(path)))
      case 1:
        if let removal = filled.store.remove(filled.key(path).hash) {
          filled.store.log([removal], now: FilledStore.now)
        }
      case 2:
        try filled.purge(.group(CacheGroup(Array("odd".utf8), at: filled.key(path))))
      default:
        filled.write(
          path,
          "\(step) " + String(repeating: "x", count: Int.random(in: 0..<4000, using: &random)),
          fields: step % 4 == 0 ? "↵Cache-Groups: \"odd\"" : "",
          language: languages.randomElement(using: &random)!)
      }
    }
    if seed % 2 == 0 {
      let victim = try #require(try filled.records(0).randomElement(using: &random))
      filled.flip(.segment(0), victim.offset + Int.random(in: 0..<200, using: &random))
    }
    // What is alive is found by a store that opens there; and each response that is found is alive.
    var alive: Set<String> = []
    var records: [DiskRecord] = []
    let inspection = try filled.inspection()
    inspection.forEachRecord(pieces: false) {
      if $0.state == .alive {
        records.append($0)
        alive.insert("\($0.url) \($0.response.selector.texts)")
      }
      return true
    }
    #expect(alive.count == records.count)
    var found: Set<String> = []
    for path in 0..<12 {
      for language in ["", "de", "en", "fr"] {
        // What is damaged is forgotten by whoever reads it: each looks at a new store.
        let store = try FilledStore.open(filled.volume.crashed(machine: false, seed: seed))
        let field = language.isEmpty ? "" : "Accept-Language: \(language)\r\n"
        let request = CoreExchange.parseRequest(
          ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\n\(field)\r\n")
        ).fields
        let key = filled.key("/\(path)")
        guard let read = store.read(key, request: request, now: FilledStore.now) else { continue }
        found.insert("\(key.url) \(read.response.selector.texts)")
      }
    }
    // A damaged first byte of content still lists, which only a check finds out.
    #expect(found.isSubset(of: alive))
    #expect(alive.subtracting(found).count <= (seed % 2 == 0 ? 1 : 0), "\(alive) \(found)")
  }

  @Test("Pieces of large content are told from it, and from those that lost it")
  func pieces() throws {
    let filled = try FilledStore()
    let key = filled.key("/large")
    let pieced = PiecedContent(name: KeyHash(low: 5, high: 6), count: 2_500_000)
    let other = PiecedContent(name: KeyHash(low: 7, high: 8), count: 2_500_000)
    let plain = StoredResponse.sample(key)
    func write(_ piece: Int, of content: PiecedContent) {
      let key = content.key(piece, of: key, secret: filled.store.secret)
      filled.store.write(.sample(key, "piece"), stamp: 0)
    }
    write(0, of: pieced)
    write(2, of: pieced)
    write(1, of: other)
    filled.store.write(
      StoredResponse(
        key: key, selector: .any, head: plain.head, freshness: plain.freshness, content: .empty,
        pieced: pieced), stamp: 0)
    #expect(try filled.alive() == ["/large"])
    let site = "http://www.example"
    let all = try filled.listed(pieces: true)
    #expect(
      all.map(\.url) == [
        "\(site)/large", "\(site)/large [piece 1]", "\(site)/large [piece 2]",
        "\(site)/large [piece 0]",
      ])
    #expect(all.map(\.state) == [.alive, .orphaned, .alive, .alive])
    let tally = try filled.inspection().tally()
    #expect(tally.alive == 1 && tally.pieces == 2 && tally.orphaned == 1)
    #expect(tally.contentBytes == 10)
    #expect(try filled.findings() == [])
  }
}
