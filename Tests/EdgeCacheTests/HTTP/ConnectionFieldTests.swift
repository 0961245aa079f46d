import NIOCore
import Testing

@testable import EdgeCache

/// What `Connection` says (RFC 9110 §7.6.1), and what follows for the fields of the head.
@Suite("The field Connection") struct ConnectionFieldTests {
  @Test(
    "Its options are read from all lines, letters without regard to case",
    arguments: [
      (["keep-alive"], ConnectionField.keepAlive), (["Keep-Alive"], .keepAlive),
      (["CLOSE"], .close),
      (["keep-alive, close"], [.keepAlive, .close]), (["close", "X-One"], [.close, .others]),
      ([" , close ,"], .close), (["keep-alive-x"], .others), (["xclose"], .others), ([""], []),
      (["upgrade"], .upgrade), (["Upgrade, HTTP2-Settings"], [.upgrade, .others]),
      (["keep-aliv"], .others), (["clos\u{65}d"], .others),
    ] as [([String], ConnectionField)])
  func options(_ lines: [String], _ expected: ConnectionField) throws {
    let fields = lines.map { "Connection: \($0)\r\n" }.joined()
    var parser = ResponseParser()
    let bytes = ByteBuffer(string: "HTTP/1.1 200 OK\r\nX-One: 1\r\n\(fields)X-Two: 2\r\n\r\n")
    guard case .head(let head, _) = try parser.parse(bytes, toHead: false) else {
      Issue.record("no head")
      return
    }
    #expect(head.fields.connection == expected)
    #expect(head.fields.isEndToEnd(0) == !lines.contains { $0.lowercased().contains("x-one") })
    #expect(head.fields.isEndToEnd(lines.count + 1))
    // A section that is put together line by line knows the same.
    var section = FieldSection()
    for line in lines { section.append(name: "Connection", value: line.utf8) }
    #expect(section.connection == expected)
  }

  @Test(
    "Whether the connection can be used again (RFC 9112 §9.3)",
    arguments: [
      ([], false, true), (.keepAlive, true, true), (.close, false, false),
      ([.close, .keepAlive], false, false), (.others, false, true), (.upgrade, false, true),
    ] as [(ConnectionField, Bool, Bool)])
  func keepAlive(_ field: ConnectionField, _ inVersion0: Bool, _ inVersion1: Bool) {
    #expect(field.keepsAlive(minorVersion: 0) == inVersion0)
    #expect(field.keepsAlive(minorVersion: 1) == inVersion1)
  }
}
