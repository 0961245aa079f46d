import NIOCore
import Seeds
import Testing

@testable import EdgeCache

// The spellings of a target, its normal form (RFC 3986 §6.2.2), and what servers may take a path for.

@Suite("Spellings of targets") struct TargetShapeTests {
  @Test(
    "The normal form",
    arguments: [
      ("/", "/"), ("/a/b?c=d", "/a/b?c=d"), ("/%61pi/cart", "/api/cart"),
      ("/./api/cart", "/api/cart"),
      ("/x/../api/cart", "/api/cart"), ("/x/%2e%2e/api/cart", "/api/cart"), ("/x/.%2E/api", "/api"),
      ("/..", "/"), ("/../../a", "/a"), ("/a/..", "/"), ("/a/.", "/a/"), ("/a/./", "/a/"),
      ("/a/b/../../c", "/c"),
      ("/a/../", "/"), ("/a//../b", "/a/b"), ("/a//b", "/a//b"), ("/...", "/..."),
      ("/.a/..b/c.", "/.a/..b/c."),
      ("/%7ea%2Db%5fc%2e", "/~a-b_c."), ("/%c3%a9", "/%C3%A9"), ("/%2f%2F", "/%2F%2F"),
      ("/%2561", "/%2561"),
      ("/%", "/%25"), ("/%4", "/%254"), ("/%zz%61", "/%25zza"), ("/%%36%31", "/%2561"),
      ("/a;v=1/b", "/a;v=1/b"),
      ("/a\\..\\b", "/a\\..\\b"),
      ("/?a=%61&b=%2f/../c", "/?a=a&b=%2F/../c"), ("/a?/./..", "/a?/./.."), ("*", "*"),
      ("/%2e?x", "/?x"),
    ])
  func normalForm(_ target: String, _ expected: String) {
    #expect(PathPrefix.normal(target) == expected)
    #expect(PathPrefix.normal(expected) == expected)
    let key = key(target)
    #expect(
      String(decoding: key.normalized.bytes[key.normalized.pathRange], as: UTF8.self) == expected)
    #expect(key.isRespelled == (target != expected))
    #expect(key.hash == self.key(expected).hash)
    #expect((key == self.key(expected)) == (target == expected))
  }

  @Test(
    "What is read in more than one way, and what hides the end of the path",
    arguments: [
      ("/a/b.c", false, false), ("/a-b_c~d/e,f=g+h!i", false, false), ("/a//b", true, false),
      ("//", true, false), ("/a/", false, false), ("/a./b", true, false), ("/a.", false, false),
      ("/..a/.b", false, false), ("/./..", true, false), ("/%2e./a%2e/b", true, false),
      ("/a%20b", true, false),
      ("/a;b", true, true), ("/a\\b", true, true), ("/a%2Fb", true, true), ("/a%5cb", true, true),
      ("/a%3B", true, true), ("/a%3f", true, true), ("/a%23", true, true), ("/a%25", true, true),
      ("/a%00", true, true), ("/a%0A", true, true), ("/a%7F", true, true), ("/%C0%AF", true, true),
      ("/%zz", true, true), ("/a%", true, true), ("/%E3%81%82", false, false),
      ("/%EF%BC%8F", true, false),
      ("/%C3%A9", false, false), ("/%41", false, false), ("/?a;b//c/./%2F%zz", false, false),
    ])
  func shapes(_ target: String, _ isAmbiguous: Bool, _ isDisguised: Bool) {
    let key = key(target)
    #expect(key.isAmbiguous == isAmbiguous)
    #expect(key.hasPlainName == !isDisguised)
  }

  @Test(
    "Readings of servers that decode more",
    arguments: [
      ("/a/b", "/a/b"), ("/A/b/", "/A/b/"), ("//a///b", "//a///b|/a/b"), ("/a%2Fb", "/a%2Fb|/a/b"),
      ("/a%252Fb", "/a%252Fb|/a%2Fb|/a/b"), ("/a\\b", "/a\\b|/a/b"),
      ("/a;v=1/b;c", "/a;v=1/b;c|/a/b"),
      ("/;v%5Cw/a", "/;v%5Cw/a|//a|/a|/;v\\w/a|/;v/w/a|//w/a|/w/a"),
      ("/;v%2Fw/a", "/;v%2Fw/a|//a|/a|/;v/w/a|//w/a|/w/a"),
      ("/a./b", "/a./b|/a/b"), ("/./b", "/./b|/b|//b"), ("/a%20/", "/a%20/|/a /|/a/"),
      ("/a%00b", "/a%00b|/a\0b|/a|/ab"), ("/a%09b", "/a%09b|/a\tb|/ab"),
      ("/%C0%AFa", "/%C0%AFa|/\u{FFFD}\u{FFFD}a|//a|/a"), ("/%u002fa", "/%u002fa|//a|/a"),
      ("/%C3%A9", "/%C3%A9|/é"), ("/...", "/...|/.."), ("/. .", "/. .|/.."),
      ("/a/../b", "/a/../b"), ("/%2525252525", "-"), ("/;%5C%00%C1%A1. ", "-"),
    ])
  func readings(_ path: String, _ expected: String) {
    let readings = LenientPath.readings(of: Array(path.utf8))
    let texts = readings?.map { String(decoding: $0.path, as: UTF8.self) } ?? ["-"]
    #expect(texts.sorted() == expected.split(separator: "|").map(String.init).sorted())
  }

  @Test(
    "Where two dots may lead",
    arguments: [
      ("/x/..;/api/a", "/api/", true), ("/x/..;/apiary", "/api/", false),
      ("/x/..;/apiary", "/api", true),
      ("/api/x/..;/v1/y", "/api/v1/", true), ("/v1/..;/api", "/api/v1/", false),
      ("/x/api/y", "/api/", false),
      ("/..;/x", "/", true),
    ])
  func climbing(_ path: String, _ prefix: String, _ expected: Bool) throws {
    let readings = try #require(LenientPath.readings(of: Array(path.utf8)))
    let climbs = readings.contains { $0.mayClimb(to: Array(prefix.utf8)) }
    #expect(climbs == expected)
  }

  /// The look at eight bytes at a time misses nothing, wherever it lies.
  @Test func quickLook() {
    var random = SeededRandom(seed: 7)
    let plain = Array("/abc-_~x=&?,1A".utf8)
    for _ in 0..<20_000 {
      var bytes = Array("/".utf8)
      for _ in 0..<random.below(30) { bytes.append(random.pick(plain)) }
      for _ in 0..<random.below(3) {
        bytes.insert(
          contentsOf: random.pick(["%", ";", "\\", "/.", "./", "//", ".."]).utf8,
          at: 1 + random.below(bytes.count))
      }
      let marks = Array("%;\\".utf8)
      let isMarked = bytes.contains { marks.contains($0) }
      let hasPair = zip(bytes, bytes.dropFirst()).contains { $0 | 1 == 0x2F && $1 | 1 == 0x2F }
      let text = String(decoding: bytes, as: UTF8.self)
      let found = HeadScanner.mayBeRespelled(bytes.span, from: 0)
      #expect(found == (isMarked || hasPair), "\(text)")
    }
  }

  /// Any bytes: the normal form is its own, and has the same identity.
  @Test func anyTarget() {
    var random = SeededRandom(seed: 11)
    let alphabet = Array("/./.%%2eE56f1aA;\\?x".utf8)
    for _ in 0..<20_000 {
      let bytes = Array("/".utf8) + (0..<random.below(16)).map { _ in random.pick(alphabet) }
      let target = String(decoding: bytes, as: UTF8.self)
      let normal = PathPrefix.normal(target)
      #expect(PathPrefix.normal(normal) == normal, "\(target)")
      #expect(key(normal).hash == key(target).hash, "\(target)")
      #expect(!key(normal).isRespelled, "\(target)")
    }
  }

  @Test(
    "What a prefix may end with",
    arguments: [
      ("/", true), ("/a", true), ("/a/", true), ("/a/.", false), ("/a/..", false),
      ("/a/%2E", false),
      ("/a/...", true), ("/a/.b", true), ("/a.", true), ("/a%", false), ("/a%4", false),
      ("/a%41", true),
      ("/a/..?b", true),
    ])
  func beginnings(_ prefix: String, _ expected: Bool) {
    #expect(PathPrefix.isBeginning(prefix) == expected)
  }

  private func key(_ target: String) -> CacheKey {
    let text = "\(target == "*" ? "OPTIONS" : "GET") \(target) HTTP/1.1\r\nHost: a\r\n\r\n"
    var parser = RequestParser()
    guard case .head(let head, _)? = try? parser.parse(ByteBuffer(string: text)) else {
      preconditionFailure("no request: \(target)")
    }
    return CacheKey(head, isSecure: false, secret: HashSecret(1, 2))
  }
}
