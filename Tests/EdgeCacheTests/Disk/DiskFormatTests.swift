import NIOCore
import Seeds
import Testing

@testable import EdgeCache

// The bytes of docs/disk-format.md, as they are on disks of people who run this. A row that changes needs
// another format version.

@Suite("Disk format")
struct DiskFormatTests {
  private static let now = WallTime(milliseconds: 1_700_000_000_123)

  private static let header: StoreHeader = {
    var header = StoreHeader(
      id: (0x0102_0304_0506_0708, 0x1112_1314_1516_1718), segmentSize: 1 << 20, segmentCount: 160,
      secret: (0x2122_2324_2526_2728, 0x3132_3334_3536_3738), created: now)
    header.disks = 2
    header.epoch = 5
    header.changes = [0x4142_4344_4546_4748, 0x5152_5354_5556_5758, 0, 0, 0, 0, 0]
    return header
  }()

  private static let segment = SegmentHeader(
    index: 3, life: 77, store: (0x0102_0304_0506_0708, 0x1112_1314_1516_1718))

  private static let record = RecordHeader(
    life: 77, stamp: 9, hash: KeyHash(low: 0x4142_4344_4546_4748, high: 0x5152_5354_5556_5758),
    stored: now, freshUntil: now.adding(seconds: 60), keyCount: 30, headCount: 200,
    contentCount: 1000, headChecksum: 0x6162_6364_6566_6768,
    contentChecksum: 0x7172_7374_7576_7778, variant: 0x8182_8384_8586_8788)

  private static let key = CacheKey(url: "http://www.example/a".utf8, secret: HashSecret(1, 2))!
  private static let hash = KeyHash(low: 0x4142_4344_4546_4748, high: 0x5152_5354_5556_5758)

  private static let purges: [DiskPurge] = [
    DiskPurge(
      Purge(
        [.url(key), .host(PurgeHost("www.example".utf8)), .prefix(PurgePrefix(key)), .everything],
        mode: .soft, id: PurgeID(milliseconds: 1_700_000_000_000, number: 9),
        message: Array("{}".utf8)),
      sequence: 12, time: now),
    DiskPurge(Purge([.tag(CacheTag(Array("t".utf8)))]), sequence: 13, time: now),
    DiskPurge(
      sequence: 0, scope: .cursor(of: "sin1", PurgeCursor(epoch: 77, sequence: 3)), time: now,
      stable: 640),
    DiskPurge(sequence: 77 << 20 | 5, scope: .removed(hash), time: now),
    DiskPurge(
      sequence: 77 << 20 | 6, scope: .replaced(hash, variant: 0x8182_8384_8586_8788), time: now),
    DiskPurge(sequence: 14, scope: .nothing, time: now),
  ]

  private static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    var text = ""
    for (index, byte) in bytes.enumerated() {
      if index > 0, index % 8 == 0 { text += " " }
      text += "\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
    }
    return text
  }

  @Test("The bytes are those that were written before")
  func literal() {
    #expect(
      Self.hex(Self.header.bytes) == """
        4544474553544f52 0500000000001000 a000000002000000 0807060504030201 \
        1817161514131211 2827262524232221 3837363534333231 7b68e5cf8b010000 \
        0500000000000000 2041764f13c3a0d6 4847464544434241 5857565554535251 \
        0000000000000000 0000000000000000 0000000000000000 0000000000000000 \
        0000000000000000 3f85aeb7a18a99b5
        """)
    #expect(
      Self.hex(Self.segment.bytes) == """
        454447455345474d 0500000003000000 4d00000000000000 0807060504030201 \
        1817161514131211 0000000000000000 0000000000000000 919f8452ce055436
        """)
    #expect(
      Self.hex(Self.record.bytes) == """
        4552454300000000 4d00000000000000 0900000000000000 4847464544434241 \
        5857565554535251 7b68e5cf8b010000 db52e6cf8b010000 1e000000c8000000 \
        e803000000000000 6867666564636261 7877767574737271 8887868584838281 \
        0000000000000000 0000000000000000 0000000000000000 fe8d91c63758fc6c
        """)
    #expect(
      Self.hex(SegmentFooter.bytes([Self.record.summary(at: 64)], life: 77)) == """
        4847464544434241 5857565554535251 0100000016000000 0900000000000000 \
        7b68e5cf8b010000 db52e6cf8b010000 e803000000000000 8887868584838281 \
        45444745464f4f54 4d00000000000000 0100000000000000 eeb22e960a4b7890 \
        0000000000000000 0000000000000000 0000000000000000 5308472ed51c20ae
        """)
    let logged = [
      """
      4550524700000000 0c00000000000000 0000000000000000 0000000000000000 \
      7b68e5cf8b010000 0000000000000000 7a00000085ffffff 0100010004000000 \
      0068e5cf8b010000 0900000000000000 0000000000000000 997962b0551d1246 \
      f7bcd81cc0238723 0200000000000000 8860a671e348eaa6 0000000000000000 \
      010000000d000000 5cff562e58906531 8860a671e348eaa6 0500000000000000 \
      0000000000000000 0000000000000000 7b7d96c032285b88 5929
      """,
      """
      4550524700000000 0d00000000000000 0000000000000000 0000000000000000 \
      7b68e5cf8b010000 0000000000000000 30000000cfffffff 0000000001000000 \
      0000000000000000 0000000000000000 0300000000000000 d24da052744a2e90 \
      0000000000000000 b937a79889b6795d
      """,
      """
      4550524706000000 0000000000000000 4d00000000000000 0300000000000000 \
      7b68e5cf8b010000 8002000000000000 04000000fbffffff 73696e313b077364 \
      bbd4b2ff
      """,
      """
      4550524703000000 0500d00400000000 4847464544434241 5857565554535251 \
      7b68e5cf8b010000 0000000000000000 00000000ffffffff 795add5daa71a848
      """,
      """
      4550524704000000 0600d00400000000 4847464544434241 5857565554535251 \
      7b68e5cf8b010000 0000000000000000 08000000f7ffffff 8887868584838281 \
      953a71fb26527775
      """,
      """
      4550524705000000 0e00000000000000 0000000000000000 0000000000000000 \
      7b68e5cf8b010000 0000000000000000 00000000ffffffff 8d9912eff70bcf87
      """,
    ]
    for (purge, expected) in zip(Self.purges, logged) { #expect(Self.hex(purge.bytes) == expected) }
  }

  @Test("Numbers of field names stay, for stored heads have them")
  func fieldNames() {
    let known: [(FieldName, UInt8)] = [
      (.other, 0), (.accept, 1), (.authorization, 5), (.cacheControl, 6), (.cdnLoop, 12),
      (.contentType, 17), (.etag, 20), (.lastModified, 31), (.setCookie, 40), (.vary, 47),
      (.http2Settings, 51), (.acceptRanges, 52),
    ]
    for (name, number) in known { #expect(name.rawValue == number, "\(name)") }
  }

  @Test("No single bit can change unseen")
  func flips() throws {
    func each(_ bytes: [UInt8], _ isRight: ([UInt8]) -> Bool) {
      #expect(isRight(bytes))
      for bit in 0..<(bytes.count * 8) {
        var flipped = bytes
        flipped[bit / 8] ^= 1 << (bit % 8)
        let passes = isRight(flipped)
        #expect(!passes, "bit \(bit) of \(bytes.count * 8)")
      }
    }
    each(Self.header.bytes) { (try? StoreHeader($0)) != nil }
    each(Self.segment.bytes) { SegmentHeader($0) != nil }
    each(Self.record.bytes) { RecordHeader($0, life: 77) != nil }
    for purge in Self.purges {
      each(purge.bytes) { DiskPurge.read($0, at: 0)?.0 == purge }
    }
    let footer = SegmentFooter.bytes([Self.record.summary(at: 64)], life: 77)
    each(footer) { bytes in
      guard let (count, checksum) = SegmentFooter.readTrailer(Array(bytes.suffix(64)), life: 77)
      else { return false }
      return SegmentFooter.readEntries(Array(bytes.dropLast(64)), count: count, checksum: checksum)
        != nil
    }
  }

  @Test("Whatever was stored is read as it was", arguments: 0..<20 as Range<UInt64>)
  func roundTrips(_ block: UInt64) throws {
    for seed in (block * 50)..<(block * 50 + 50) {
      var random = SeededRandom(seed: seed)
      let response = Self.random(&random)
      let bytes = ResponseCodec.head(response)
      let content = Content.placeholder(count: response.content.count)
      func read(_ bytes: [UInt8]) -> StoredResponse? {
        ResponseCodec.read(bytes, 0..<bytes.count, key: response.key, content: content)
      }
      let again = try #require(read(bytes), "seed \(seed)")
      #expect(ResponseCodec.head(again) == bytes, "seed \(seed)")
      #expect(again.selector == response.selector && again.freshness == response.freshness)
      #expect(again.parts == response.parts && again.pieced == response.pieced)
      #expect(again.names == response.names)
      #expect(again.head.storage == response.head.storage && again.head.etag == response.head.etag)
      #expect(again.head.sentCount == response.head.sentCount)
      #expect(CacheTag.names(again.head) == CacheTag.names(response.head))
      let key = ResponseCodec.key(response.key)
      let sameKey = ResponseCodec.readKey(key, 0..<key.count, hash: response.key.hash)
      #expect(sameKey == response.key)
      // Cut off or changed, it is read as something else or as nothing, and nothing breaks.
      for _ in 0..<20 {
        var damaged = bytes
        if Bool.random(using: &random) {
          damaged.removeLast(Int.random(in: 1...damaged.count, using: &random))
        } else {
          damaged[Int.random(in: damaged.indices, using: &random)] = UInt8.random(
            in: .min ... .max, using: &random)
        }
        _ = read(damaged)?.names
      }
    }
  }

  /// Runs of bytes that are so many together.
  private static func parts(of count: Int) -> [Range<Int>] {
    guard count > 3 else { return [7..<(7 + count)] }
    return count % 2 == 0 ? [7..<(7 + count)] : [7..<9, 20..<(18 + count)]
  }

  /// A rule of an earlier version may have guessed a year for a page in the place of a script.
  @Test(arguments: [
    ("/app-3f2a9c1b.js", "↵Content-Type: text/javascript", 9, true),
    ("/app-3f2a9c1b.js", "↵Content-Type: text/html", 9, false),
    ("/app-3f2a9c1b.js", "", 9, false),
    ("/app-3f2a9c1b.js", "↵Content-Type: text/javascript", 0, false),
    ("/app-abc123.js", "↵Content-Type: text/javascript", 9, false),
  ])
  func guessesAreJudgedAnew(_ path: String, _ type: String, _ count: Int, _ holds: Bool) throws {
    let head = CoreExchange.parseResponse("HTTP/1.1 200 OK" + type)
    let moment = Instant(milliseconds: Self.now.milliseconds)
    var freshness = Freshness(
      head, directives: ResponseDirectives(head.fields, policy: SitePolicy()),
      policy: SitePolicy(), requestTime: moment, responseTime: moment,
      hashedURL: .fits)
    let response = StoredResponse(
      key: CacheKey(url: "http://a\(path)".utf8, secret: HashSecret(1, 2))!, selector: .any,
      head: StoredHead(head, now: moment), freshness: freshness,
      content: .placeholder(count: count))
    let bytes = ResponseCodec.head(response)
    let again = try #require(
      ResponseCodec.read(bytes, 0..<bytes.count, key: response.key, content: response.content))
    freshness.immutable = holds
    freshness.alwaysValidate = !holds
    #expect(again.freshness == freshness && again.freshness.source == .hashedURL)
  }

  private static func random(_ random: inout SeededRandom) -> StoredResponse {
    func maybe(_ line: String) -> String { Bool.random(using: &random) ? line : "" }
    let lines =
      "HTTP/1.1 200 OK↵Cache-Control: max-age=\(Int.random(in: 0...9999, using: &random))"
      + maybe(", stale-if-error=5") + maybe(", immutable") + maybe(", no-cache")
      + maybe("↵ETag: \"a-\(Int.random(in: 0...9999, using: &random))\"")
      + maybe("↵Last-Modified: Wed, 01 Nov 2023 08:49:37 GMT")
      + maybe("↵Cache-Groups: \"one\", \"two\"")
      + maybe("↵Vary: Accept-Language, X-Absent, X-Empty") + maybe("↵No-Vary-Search: params")
      + maybe("↵X-Long: \(String(repeating: "x", count: Int.random(in: 0...900, using: &random)))")
    let head = CoreExchange.parseResponse(lines)
    let request = CoreExchange.parseRequest(
      "GET / HTTP/1.1↵Host: a↵Accept-Language: de, en;q=0.5↵X-Empty:"
    ).fields
    let secret = HashSecret(1, 2)
    let moment = Instant(milliseconds: now.milliseconds)
    let url =
      maybe("https").isEmpty ? "http://a.example:81/x?\(random.next())" : "https://b.example/"
    let isPieced = Int.random(in: 0..<4, using: &random) == 0
    let isPart = !isPieced && Bool.random(using: &random)
    let count = isPieced ? 0 : Int.random(in: 1...1000, using: &random)
    return StoredResponse(
      key: CacheKey(url: url.utf8, secret: secret)!,
      selector: VariantSelector(response: head.fields, request: request)!,
      head: StoredHead(
        head,
        tags: TagFields(
          maybe("x").isEmpty ? TagFields.known : ["x-long", "etag"],
          areForwarded: maybe("x").isEmpty
        ), now: moment),
      freshness: Freshness(
        head, directives: ResponseDirectives(head.fields, policy: SitePolicy()),
        policy: SitePolicy(), requestTime: moment, responseTime: moment,
        hashedURL: .none),
      content: .placeholder(count: count),
      parts: isPart ? StoredParts(parts(of: count), of: 5000) : nil,
      pieced: isPieced
        ? PiecedContent(name: KeyHash(low: random.next(), high: 1), count: 1 << 33) : nil)
  }

  @Test("Positions ascend through segments of any size, and from one life to the next")
  func positions() {
    for size in [1 << 16, 2 << 20, DiskPlace.mostBytes] {
      for life in 0..<4 as Range<UInt64> {
        let ends = [DiskFormat.segmentHeader, size / 2, size - DiskFormat.unit, size].map {
          RecordSummary.position(life: life, offset: $0)
        }
        #expect(ends == ends.sorted() && Set(ends).count == 4, "\(life) \(size)")
        let next = RecordSummary.position(life: life + 1, offset: DiskFormat.segmentHeader)
        #expect(ends.allSatisfy { $0 < next })
      }
    }
  }
}
