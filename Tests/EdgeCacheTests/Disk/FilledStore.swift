import NIOCore
import Seeds
import Testing

@testable import EdgeCache

/// A store with a few responses on a simulated disk.
struct FilledStore {
  static let now = Instant(seconds: 1_700_000_000)
  static let segment = 1 << 16

  let volume = SimulatedVolume(seed: 1)
  let purges = PurgeLog()
  let store: DiskStore

  init(segment: Int = Self.segment) throws {
    store = try Self.open(volume, purges, segment)
  }

  static func open(
    _ volume: SimulatedVolume, _ purges: PurgeLog = PurgeLog(), _ segment: Int = Self.segment,
    seed: UInt64 = 7, now: Instant = Self.now
  ) throws -> DiskStore {
    var words = SeededRandom(seed: seed)
    return try DiskStore.open(
      volume, DiskOptions(size: segment * 4, segmentSize: segment, admission: .all),
      purges: purges, now: now, random: { words.next() }, clock: { 0 })
  }

  /// The same, with its errors.
  static func opened(_ volume: SimulatedVolume) throws(DiskProblem) -> DiskStore {
    var words = SeededRandom(seed: 8)
    return try DiskStore.open(
      volume, DiskOptions(size: segment * 4, segmentSize: segment, admission: .all),
      purges: PurgeLog(), now: now, random: { words.next() }, clock: { 0 })
  }

  func key(_ path: String) -> CacheKey {
    CacheKey(url: "http://www.example\(path)".utf8, secret: store.secret)!
  }

  @discardableResult
  func write(
    _ path: String, _ content: String = "text", fields: String = "", language: String? = nil,
    lifetime: Int64 = 60, stamp: UInt64? = nil
  ) -> StoredResponse {
    let vary = language == nil ? "" : "↵Vary: Accept-Language"
    let head = CoreExchange.parseResponse(
      "HTTP/1.1 200 OK↵Cache-Control: max-age=\(lifetime)\(vary)\(fields)")
    let request = CoreExchange.parseRequest(
      ByteBuffer(
        string: "GET / HTTP/1.1\r\nHost: a\r\nAccept-Language: \(language ?? "")\r\n\r\n")
    ).fields
    let bytes = ByteBuffer(string: content)
    let response = StoredResponse(
      key: key(path), selector: VariantSelector(response: head.fields, request: request)!,
      head: StoredHead(head, now: Self.now),
      freshness: Freshness(
        head, directives: ResponseDirectives(head.fields, policy: SitePolicy()),
        policy: SitePolicy(), requestTime: Self.now, responseTime: Self.now,
        hashedURL: .none),
      content: Content(copying: [bytes], count: bytes.readableBytes))
    store.write(response, stamp: stamp ?? purges.head)
    return response
  }

  func purge(_ scope: PurgeScope, _ mode: PurgeMode = .hard) throws {
    let purge = Purge([scope], mode: mode)
    try store.purge(purge, sequence: purges.append(purge).sequence, now: Self.now)
  }

  /// Fills the open segment, so that it gets its list of records.
  func seal() {
    for index in 0..<20 { write("/filler/\(index)", String(repeating: "x", count: 6000)) }
  }

  func inspection() throws -> DiskInspection { try DiskInspection(volume) }

  /// URL and state of each record, the one written last first.
  func listed(pieces: Bool = false) throws -> [(url: String, state: DiskRecord.State)] {
    var records: [(String, DiskRecord.State)] = []
    try inspection().forEachRecord(pieces: pieces) {
      records.append(($0.url, $0.state))
      return true
    }
    return records
  }

  func alive() throws -> [String] {
    try listed().filter { $0.state == .alive }
      .map { String($0.url.dropFirst("http://www.example".count)) }
  }

  func findings() throws -> [DiskFinding] {
    var found: [DiskFinding] = []
    try inspection().check { found.append($0) }
    return found
  }

  func flip(_ file: DiskFile, _ offset: Int) {
    volume.damage(file) { $0[offset] ^= 0x40 }
  }

  /// Where the records of a segment begin, by what reading them one by one finds.
  func records(_ segment: Int) throws -> [RecordSummary] { try inspection().records(of: segment) }
}
