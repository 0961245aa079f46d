import NIOCore
import Seeds
import Testing

@testable import EdgeCache

/// What is remembered of the last host must not pass for another one.
@Suite("The last host of a connection") struct LastHostTests {
  private static func same(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    one.span.elementsEqual(other.span)
  }

  private static func isAt(_ range: Range<Int>, _ bytes: [UInt8], _ last: LastHost) -> Bool {
    last.shape(at: range, of: bytes.span) != nil
  }

  private static func range(_ text: String) -> (bytes: [UInt8], range: Range<Int>) {
    let bytes = Array("Host: \(text)\r\nX: y\r\n".utf8)
    return (bytes, 6..<(6 + text.utf8.count))
  }

  @Test("One byte more, less or other is another host", arguments: 1...40)
  func other(count: Int) {
    let name = String("abcdefghijklmnopqrstuvwxyz0123456789-abcdef".prefix(count))
    let (bytes, host) = Self.range(name)
    var last = LastHost()
    #expect(!Self.isAt(host, bytes, last))
    last.note(.empty, at: host, of: bytes.span)
    #expect(Self.isAt(host, bytes, last) == (8...32).contains(count))
    #expect(!Self.isAt(host.lowerBound..<(host.upperBound - 1), bytes, last))
    #expect(!Self.isAt(host.lowerBound..<(host.upperBound + 1), bytes, last))
    for index in host {
      var changed = bytes
      changed[index] ^= 0x20
      #expect(!Self.isAt(host, changed, last))
    }
  }

  @Test(
    "Each request of a connection is judged by its own host",
    arguments: [
      ("www.example", "canonical"), ("WWW.example", "other"), ("www.exampl%65", "other"),
      ("www.example:80", "other"), ("www.example.", "other"), ("www_example", "canonical"),
      ("www.ex mple", "refused"), ("www.exa/ple", "refused"), ("", "refused"),
      ("127.0.0.1:8080", "other"),
      ("[2001:db8::1]:8443", "other"), ("[2001:DB8::1]", "other"), ("WWW.example:08080", "other"),
    ])
  func requests(_ host: String, _ expected: String) throws {
    var parser = RequestParser()
    func parse(_ host: String) throws -> RequestHead? {
      let text = "GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n"
      guard case .head(let head, _) = try parser.parse(ByteBuffer(string: text)) else { return nil }
      return head
    }
    for first in ["www.example", "other.example.com", host] {
      _ = try? parse(first)
      if expected == "refused" {
        #expect(throws: MalformedMessage.self) { try parse(host) }
      } else {
        let head = try #require(try parse(host))
        #expect(head.parsedAuthority.isCanonical == (expected == "canonical"))
        let bytes = Array(host.utf8)
        let whole = Authority(bytes.span, 0..<bytes.count)?.shape
        #expect(head.authorityShape == whole)
      }
      let plain = try #require(try parse("www.example"))
      #expect(plain.parsedAuthority.isCanonical)
    }
  }

  @Test func equality() {
    var random = SeededRandom(seed: 9)
    for count in 0...40 {
      let bytes = (0..<count).map { _ in UInt8(random.below(256)) }
      #expect(Self.same(bytes, bytes))
      for index in 0..<count {
        var other = bytes
        other[index] ^= 1 << UInt8(random.below(8))
        #expect(!Self.same(bytes, other))
        #expect(!Self.same(bytes, Array(bytes[..<index])))
      }
    }
  }

  @Test(
    "Lines go on as they are written anew, whatever stood between their parts",
    arguments: [
      "A: 1\r\nB: 2\r\nC: 3\r\n", "A:1\r\nB: 2\r\n", "A:\t1\r\nB:\t2 \r\nC: 3\r\n",
      "A:  1\r\nB: 2  \r\nC: 3\t\r\nD: 4\r\n", "A:\r\nB: \r\nC: 3\r\n", "A: 1\r\n",
    ])
  func lines(_ text: String) throws {
    var parser = RequestParser()
    let whole = ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\n\(text)\r\n")
    guard case .head(let head, _) = try parser.parse(whole) else {
      Issue.record("no head")
      return
    }
    let count = head.fields.fields.count
    for kept in 0..<(1 << count) {
      var (one, other) = (ByteBuffer(), ByteBuffer())
      one.writeHead { buffer in
        for (index, field) in head.fields.fields.enumerated() where kept >> index & 1 == 1 {
          buffer.writeLine(field, of: head.fields)
        }
      }
      other.writeHead { $0.writeLines(of: head.fields) { index, _ in kept >> index & 1 == 1 } }
      #expect(one == other)
    }
  }
}
