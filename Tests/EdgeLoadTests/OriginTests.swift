import EdgeCache
import NIOCore
import Testing

@testable import edge_load

@Suite("Origin routes")
struct OriginRouteTests {
  @Test(
    "What a target names",
    arguments: [
      ("/", OriginRoute.file(segments: [], endsInSlash: true)),
      ("/a/b.css", .file(segments: ["a", "b.css"], endsInSlash: false)),
      ("/a//b/?q=1", .file(segments: ["a", "b"], endsInSlash: true)),
      ("/a%20b", .file(segments: ["a b"], endsInSlash: false)),
      ("http://host:80/x", .file(segments: ["x"], endsInSlash: false)),
      ("http://host", .file(segments: [], endsInSlash: true)),
      ("/api/time", .time), ("/api/echo", .echo), ("/api/stats", .stats),
      ("/api/hello", .hello(name: "world")),
      ("/api/hello?name=J%C3%BC+x&name=y", .hello(name: "Jü x")),
      ("/api/slow?ms=5", .slow(.milliseconds(5))),
      ("/api/slow?ms=-5", .refused(.badQuery)),
      ("/api/slow?ms=99999999", .refused(.badQuery)),
      ("/api/products/7", .product(7)), ("/api/products/x", .unknown), ("/api", .unknown),
      ("/bytes/10", .pattern(count: 10, delay: .zero, cacheControl: nil)),
      (
        "/slow-bytes/10?ms=5&cache=max-age=1,%20public",
        .pattern(count: 10, delay: .milliseconds(5), cacheControl: "max-age=1, public")
      ),
      ("/bytes/10?cache=a%0D%0AX:%20y", .refused(.badQuery)),
      ("/bytes/-1", .unknown), ("/bytes/9999999999999999", .unknown), ("/bytes/", .unknown),
    ])
  func routes(target: String, expected: OriginRoute) {
    #expect(OriginRoute(target: target) == expected)
  }

  @Test(
    "Paths that would leave the root",
    arguments: [
      "/../etc/passwd", "/a/../b", "/%2e%2e/x", "/%2E./x", "/a/..%2f..%2fx", "/a%2Fb", "/a%5Cb",
      "/a%00b", "/.", "/a/..",
    ])
  func traversal(target: String) {
    #expect(OriginRoute(target: target) == .refused(.leavesRoot))
  }

  @Test("Broken targets", arguments: ["/%", "/%4", "/%zz", "/%ff%fe"])
  func broken(target: String) {
    #expect(OriginRoute(target: target) == .refused(.badEscape))
  }

  @Test("Targets that are no paths", arguments: ["", "*", "a/b", "https://a/"])
  func notPaths(target: String) {
    #expect(OriginRoute(target: target) == .refused(.notAPath))
  }

  @Test("Encoding and decoding are inverse")
  func encoding() {
    let text = "a b&é/%~"
    #expect(TargetText.percentEncoded(text) == "a%20b%26%C3%A9%2F%25~")
    #expect(TargetText.percentDecoded(Substring(TargetText.percentEncoded(text))) == text)
  }

  @Test(
    "Addresses to listen on",
    arguments: [
      ("127.0.0.1:3000", "127.0.0.1", 3000), ("[::1]:0", "::1", 0), (":80", "0.0.0.0", 80),
      ("localhost:65535", "localhost", 65535),
    ])
  func addresses(text: String, host: String, port: Int) {
    #expect(ListenAddress(argument: text) == ListenAddress(host: host, port: port))
  }

  @Test("Bad addresses", arguments: ["", "80", "a:", "a:x", "a:65536", "::1:80", "[::1:80"])
  func badAddresses(text: String) {
    #expect(ListenAddress(argument: text) == nil)
  }
}

@Suite("Cache policy and media type by file name")
struct CachePolicyTests {
  @Test(
    "Hashed names",
    arguments: [
      "app.3f9c1b7a.js", "app-3f9c1b7ade01.min.css", "a_0123abcdef.png", "index-BX3kQ9aZ.js",
    ])
  func hashed(name: String) {
    #expect(CachePolicy(fileName: name) == .hashed)
  }

  @Test(
    "Names without a hash",
    arguments: [
      "jquery.js", "jquery-3.6.1.min.js", "report-20240131.pdf", "KaTeX_Caligraphic-Bold.woff2",
      "fontawesome-webfont.woff", "bootstrap.bundle.js", "deadbeef1.js", "cafebabe", "a.deadbeef1",
      "feedface-app.js",
    ])
  func assets(name: String) {
    #expect(CachePolicy(fileName: name) == .asset)
  }

  @Test("Pages are always validated", arguments: ["index.html", "a.3f9c1b7a.HTML", "x.htm"])
  func pages(name: String) {
    #expect(CachePolicy(fileName: name) == .page)
    #expect(CachePolicy(fileName: name).cacheControl == "no-cache")
  }

  @Test("Media types")
  func mediaTypes() {
    #expect(MediaType.of(fileName: "a.b.CSS") == "text/css; charset=utf-8")
    #expect(MediaType.of(fileName: "f.woff2") == "font/woff2")
    #expect(MediaType.of(fileName: "README") == "application/octet-stream")
  }
}

@Suite("Conditional and range requests")
struct PreconditionTests {
  private static let date = "Sun, 06 Nov 1994 08:49:37 GMT"
  private static let moment: Int64 = 784_111_777

  private func select(_ fields: ConditionalFields, size: Int = 100) -> ContentSelection {
    ContentSelection(fields, entityTag: "\"v1\"", lastModified: Self.moment, size: size)
  }

  @Test(
    "Single ranges of 100 bytes",
    arguments: [
      ("bytes=0-9", ContentSelection.part(0..<10)), ("bytes=90-", .part(90..<100)),
      ("bytes=-10", .part(90..<100)), ("bytes=-1000", .part(0..<100)),
      ("bytes=0-1000", .part(0..<100)), ("BYTES=5-5", .part(5..<6)),
      ("bytes=100-", .unsatisfiable), ("bytes=-0", .unsatisfiable),
      ("bytes=99999999999999999999-", .unsatisfiable), ("bytes=9-5", .whole),
      ("bytes=a-5", .whole), ("bytes=-", .whole), ("lines=0-5", .whole),
      ("bytes=0-1,5-6", .whole), ("bytes=1--5", .whole),
    ])
  func ranges(field: String, expected: ContentSelection) {
    #expect(select(ConditionalFields(range: field)) == expected)
  }

  @Test("Nothing of nothing can be satisfied")
  func emptyContent() {
    #expect(select(ConditionalFields(range: "bytes=0-"), size: 0) == .unsatisfiable)
    #expect(select(ConditionalFields(range: "bytes=-5"), size: 0) == .unsatisfiable)
  }

  @Test(
    "If-None-Match",
    arguments: [
      ("\"v1\"", true), ("W/\"v1\"", true), ("\"a\", \"v1\"", true), ("*", true), ("\"v2\"", false),
      ("\"a,\\\"v1\"", false), ("v1", false), ("\"\"", false), ("\"v1", false),
    ])
  func ifNoneMatch(list: String, matches: Bool) {
    let fields = ConditionalFields(ifNoneMatch: list)
    #expect(select(fields) == (matches ? .notModified : .whole))
  }

  @Test("If-Modified-Since compares dates, and gives way to If-None-Match")
  func ifModifiedSince() {
    #expect(select(ConditionalFields(ifModifiedSince: Self.date)) == .notModified)
    let earlier = "Sun, 06 Nov 1994 08:49:36 GMT"
    #expect(select(ConditionalFields(ifModifiedSince: earlier)) == .whole)
    #expect(select(ConditionalFields(ifModifiedSince: "yesterday")) == .whole)
    let both = ConditionalFields(ifNoneMatch: "\"other\"", ifModifiedSince: Self.date)
    #expect(select(both) == .whole)
  }

  @Test(
    "If-Range compares strongly",
    arguments: [
      ("\"v1\"", true), ("W/\"v1\"", false), ("\"v2\"", false), (date, true),
      ("Sun, 06 Nov 1994 08:49:38 GMT", false),
    ])
  func ifRange(condition: String, matches: Bool) {
    let fields = ConditionalFields(range: "bytes=0-0", ifRange: condition)
    #expect(select(fields) == (matches ? .part(0..<1) : .whole))
  }

  @Test("A validator that matches comes before the range")
  func order() {
    let fields = ConditionalFields(ifNoneMatch: "\"v1\"", range: "bytes=0-0")
    #expect(select(fields) == .notModified)
  }
}

@Suite("Generated content")
struct PatternBytesTests {
  private func bytes(_ pattern: PatternBytes, _ range: Range<Int>) -> [UInt8] {
    var buffer = ByteBuffer()
    pattern.append(range, to: &buffer)
    return Array(buffer.readableBytesView)
  }

  @Test("Any range is that part of the whole")
  func ranges() {
    let pattern = PatternBytes(count: 100)
    let whole = bytes(pattern, 0..<100)
    #expect(whole.count == 100)
    for start in 0..<20 {
      for end in [start, start + 1, start + 7, start + 8, start + 33, 100] {
        #expect(bytes(pattern, start..<end) == Array(whole[start..<end]))
      }
    }
  }

  @Test("Contents of different length differ from the start")
  func differ() {
    #expect(bytes(PatternBytes(count: 100), 0..<16) != bytes(PatternBytes(count: 101), 0..<16))
  }
}

@Suite("Listing and counts")
struct ListingTests {
  @Test("Names are escaped in text and in links")
  func listing() {
    let entries = [
      SiteEntry(name: "<b>&\".txt", isDirectory: false), SiteEntry(name: "d", isDirectory: true),
    ]
    let html = DirectoryListing(segments: ["x"], entries: entries).html
    #expect(html.contains("<a href=\"./%3Cb%3E%26%22.txt\">&lt;b&gt;&amp;&quot;.txt</a>"))
    #expect(html.contains("<a href=\"./d/\">d/</a>"))
    #expect(html.contains("<title>/x/</title>"))
    #expect(html.contains("../"))
  }

  @Test("Paths beyond the bound are counted in the total only")
  func counts() {
    let counts = RequestCounts()
    for number in 0..<(RequestCounts.mostPaths + 5) { counts.record(path: "/\(number)") }
    counts.record(path: "/0")
    let snapshot = counts.snapshot()
    #expect(snapshot.total == RequestCounts.mostPaths + 6)
    #expect(snapshot.paths.count == RequestCounts.mostPaths)
    #expect(snapshot.paths["/0"] == 2)
  }
}
