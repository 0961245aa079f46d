import NIOCore
import Seeds
import Testing

@testable import EdgeCache

/// What each scope covers, by the index and by looking at one response.
@Suite struct PurgeScopeTests {
  private static let secret = HashSecret(7, 8)

  private static func key(_ url: String) -> CacheKey {
    guard let key = CacheKey(url: url.utf8, secret: secret) else { fatalError(url) }
    return key
  }

  private static func names(_ fields: String, at url: String = "http://a/") -> ResponseNames {
    ResponseNames(
      CoreExchange.parseResponse("HTTP/1.1 200 OK" + (fields.isEmpty ? "" : "↵" + fields)).fields,
      at: key(url))
  }

  private static func covers(_ scope: PurgeScope, _ key: CacheKey, _ names: ResponseNames) -> Bool {
    let log = PurgeLog()
    _ = log.append(scope)
    let isPurged = log.isPurged(key, names, since: 0)
    #expect(scope.covers(key, names) == isPurged, "the index and the scope agree")
    return isPurged
  }

  @Test(
    "A prefix is compared byte by byte, behind the host",
    arguments: [
      ("http://a/x", "http://a/x", true), ("http://a/x", "http://a/xy", true),
      ("http://a/x", "https://a:8443/x/y?z", true), ("http://a/x", "http://a/X", false),
      ("http://a/x", "http://a/", false), ("http://a/x", "http://ab/x", false),
      ("http://a/x", "http://b/x", false), ("http://a/", "http://a/anything", true),
      ("http://a", "http://a/anything", true), ("http://a/x?a=", "http://a/x?a=1", true),
      ("http://a/x?a=", "http://a/x?b=1", false), ("http://A/x", "http://a/x", true),
      ("http://a/", "http://aa/", false), ("http://[::1]/x", "http://[::1]:80/xy", true),
    ])
  func prefixes(_ prefix: String, _ url: String, _ isCovered: Bool) {
    let covers = Self.covers(.prefix(PurgePrefix(Self.key(prefix))), Self.key(url), .none)
    #expect(covers == isCovered)
  }

  @Test(
    "A host is all of its URLs, and none of its subdomains'",
    arguments: [
      ("a", "http://a/", true), ("A", "https://a:8443/x?y", true), ("a", "http://b/", false),
      ("a", "http://x.a/", false), ("x.a", "http://a/", false), ("[::1]", "http://[::1]:81/", true),
    ])
  func hosts(_ host: String, _ url: String, _ isCovered: Bool) {
    #expect(
      Self.covers(.host(PurgeHost(host.utf8)), Self.key(url), .none) == isCovered)
  }

  @Test(
    "Tags are read as those who send them mean them",
    arguments: [
      ("Cache-Tag: one", ["one"]), ("Cache-Tag: one,two , three", ["one", "two", "three"]),
      ("cache-tag: a b", ["a", "b"]), ("Cache-Tag: ,, a,,", ["a"]), ("Cache-Tag: ", []),
      ("Surrogate-Key: one two", ["one", "two"]), ("Surrogate-Key: a,b", ["a", "b"]),
      ("Surrogate-Key: a\t,b ,\tc", ["a", "b", "c"]), ("Cache-Tags: a,b c", ["a", "b", "c"]),
      ("xkey: /books/1 /books/2", ["/books/1", "/books/2"]), ("XKEY: a,b", ["a", "b"]),
      ("X-HashTwo: a b", ["a", "b"]), ("X-Magento-Tags: cat_p_1,store", ["cat_p_1", "store"]),
      ("X-LiteSpeed-Tag: a,public:b, c", ["a", "b", "c"]), ("xkey: a↵xkey: b↵XKey: a", ["a", "b"]),
      ("Cache-Tags: node:1|x", ["node:1|x"]),
      ("X-Cache-Tags: a", []), ("Edge-Cache-Tag: a", []),
      ("surrogate-key:  a  b  a ", ["a", "b"]), ("Cache-Groups: \"g h\", \"i\"", ["g h", "i"]),
      ("Cache-Groups: g", []), ("Cache-Tag: A↵Cache-Tag: a", ["A", "a"]),
      ("Cache-Tag: x↵Surrogate-Key: x y↵Cache-Groups: \"y\"", ["x", "y"]), ("X-Tag: a", []),
    ])
  func tags(_ fields: String, _ expected: [String]) {
    let section = CoreExchange.parseResponse("HTTP/1.1 200 OK↵" + fields).fields
    #expect(CacheTag.names(section) == expected.map { Array($0.utf8) })
    #expect(!CacheTag.areTooMany(section))
    for tag in expected {
      let tag = CacheTag(Array(tag.utf8))
      #expect(Self.covers(.tag(tag), Self.key("http://a/"), Self.names(fields)))
      #expect(Self.covers(.tag(tag), Self.key("http://b/"), Self.names(fields, at: "http://b/")))
    }
    #expect(
      !Self.covers(.tag(CacheTag(Array("other".utf8))), Self.key("http://a/"), Self.names(fields)))
  }

  @Test("16 KiB of tags are read, each; of a response with more none, and it is not stored")
  func tagLimit() {
    func section(_ lines: String...) -> FieldSection {
      CoreExchange.parseResponse("HTTP/1.1 200 OK↵" + lines.joined(separator: "↵")).fields
    }
    func check(_ fields: FieldSection, _ count: Int?, _ comment: Comment) {
      #expect(CacheTag.names(fields)?.count == count, comment)
      #expect(CacheTag.areTooMany(fields) == (count == nil), comment)
    }
    let common = (0..<500).map { "node:\($0)" }.joined(separator: " ")
    check(section("Surrogate-Key: \(common)"), 500, "as pages have")
    // 7 bytes and what keeps them apart.
    let most = (0..<2048).map { "\(1_000_000 + $0)" }
    let full = most.joined(separator: ",") + "9"
    check(section("Cache-Tag: \(full)"), 2048, "16 384 bytes")
    check(section("Cache-Tag: \(full)9"), nil, "one more")
    check(section("Cache-Tag: \(full)", "xkey: 9"), nil, "in another field")
    check(section("Cache-Tag: \(full)", "xkey: 1000000 1000001"), 2048, "but each once")
    check(section("Cache-Tag: \(most.joined(separator: " ,  "))"), 2048, "whatever is between them")
    check(section("Cache-Tag: " + String(repeating: "x", count: 16_384)), 1, "one alone")
    check(section("Cache-Tag: " + String(repeating: "x", count: 16_385)), nil, "too long alone")
    let groups = (0..<500).map { "\"g\($0)\"" }.joined(separator: ", ")
    check(section("Cache-Groups: \(groups)"), 500, "groups")
    let long = "\"\(String(repeating: "x", count: 11_000))\""
    check(section("Cache-Groups: \(long)", "Cache-Groups: \(long)x"), nil, "not read at all")
  }

  @Test("A group is one of its origin, and another of another")
  func groups() {
    let (a, b) = (Self.key("http://a/"), Self.key("http://b/"))
    let names = Self.names("Cache-Groups: \"g\"")
    #expect(Self.covers(.group(CacheGroup(Array("g".utf8), at: a)), a, names))
    #expect(!Self.covers(.group(CacheGroup(Array("g".utf8), at: b)), a, names))
    #expect(!Self.covers(.group(CacheGroup(Array("g".utf8), at: Self.key("https://a/"))), a, names))
  }

  @Test("The index against a list of all purges", arguments: 0..<16 as Range<UInt64>)
  func againstNaiveModel(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let log = PurgeLog()
    let urls = [
      "http://a/", "http://a/x", "http://a/xy", "http://a/x/y", "http://b/x", "http://ab/",
    ]
    let fields = ["", "Cache-Tag: t, u", "Surrogate-Key: u", "Cache-Groups: \"g\", \"t\""]
    let stored = urls.flatMap { url in fields.map { (Self.key(url), Self.names($0, at: url)) } }
    var purges: [(scope: PurgeScope, mode: PurgeMode)] = []
    for _ in 0..<1500 {
      if random.below(3) == 0 {
        let key = Self.key(urls[random.below(urls.count)])
        let scope: PurgeScope =
          switch random.below(13) {
          case 0: .everything
          case 1, 2: .host(PurgeHost(of: key))
          case 3, 4: .tag(CacheTag(Array(["t", "u", "v"][random.below(3)].utf8)))
          case 5, 6: .group(CacheGroup(Array(["g", "t"][random.below(2)].utf8), at: key))
          case 7, 8, 9: .prefix(PurgePrefix(key))
          default: .url(key)
          }
        let mode: PurgeMode = random.below(2) == 0 ? .soft : .hard
        purges.append((scope, mode))
        #expect(log.append(scope, mode) == UInt64(purges.count))
      }
      let (key, names) = stored[random.below(stored.count)]
      let since = random.below(purges.count + 1)
      let covering = purges[since...].filter { $0.scope.covers(key, names) }
      let standing = log.standing(of: key, names, stamp: UInt64(since))
      let expected: PurgeStanding =
        covering.contains { $0.mode == .hard } ? .gone : covering.isEmpty ? .untouched : .stale
      #expect(standing == expected, "seed \(seed)")
      #expect(log.isPurged(key, names, since: UInt64(since)) == !covering.isEmpty)
    }
  }
}
