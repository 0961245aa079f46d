@testable import EdgeCache

// Response heads: status lines, field lines and framing (RFC 9112 §4 and §6.3).

extension Rows {
  private static func status(
    _ name: String, _ section: String, _ line: String, _ facts: String
  ) -> Row {
    good(name, section, "\(line)↵Content-Length: 5↵↵", facts)
  }

  private static func notStatus(
    _ name: String, _ section: String, _ line: String, _ reason: MalformedMessage = .statusLine
  ) -> Row {
    bad(name, section, "\(line)↵Content-Length: 5↵↵", reason)
  }

  private static func response(_ name: String, _ lines: String, _ facts: String) -> Row {
    good(name, "9112 §6.3", "HTTP/1.1 200 OK↵\(lines)↵↵", facts)
  }

  private static func notResponse(
    _ name: String, _ lines: String, _ reason: MalformedMessage
  ) -> Row {
    bad(name, "9112 §6.3", "HTTP/1.1 200 OK↵\(lines)↵↵", reason)
  }

  static let statusLines: [Row] = [
    status("reason", "9112 §4", "HTTP/1.1 200 OK", "status=200 reason=OK minor=1 keep final"),
    status("reason of words", "9112 §4", "HTTP/1.1 404 Not Found", "status=404 reason=Not_Found"),
    status("no reason", "9112 §4", "HTTP/1.1 200 ", "status=200 reason="),
    status("no reason nor space", "9112 §4", "HTTP/1.1 200", "status=200 reason="),
    status("two spaces", "9112 §4", "HTTP/1.1 200  OK", "reason=_OK"),
    status("tab in the reason", "9112 §4", "HTTP/1.1 200 a\tb", "reason=a→b"),
    status("reason beyond ASCII", "9112 §4", "HTTP/1.1 200 \u{E9}t\u{FF}", "reason=?t?"),
    status("version 1.0", "9112 §2.3", "HTTP/1.0 200 OK", "minor=0 close framing=5"),
    status("later version", "9110 §2.5", "HTTP/1.9 200 OK", "minor=9 keep"),
    status("lowest status", "9110 §15", "HTTP/1.1 100 Continue", "status=100 interim framing=none"),
    status("early hints", "8297 §2", "HTTP/1.1 103 Early Hints", "status=103 interim"),
    status("unknown status", "9110 §15", "HTTP/1.1 299 x", "status=299 final framing=5"),
    status("highest status", "9110 §15", "HTTP/1.1 999 x", "status=999 final"),
    notStatus("status 099", "9110 §15", "HTTP/1.1 099 x"),
    notStatus("status 000", "9110 §15", "HTTP/1.1 000 x"),
    notStatus("status of two digits", "9112 §4", "HTTP/1.1 20 OK"),
    notStatus("status of four digits", "9112 §4", "HTTP/1.1 2000 OK"),
    notStatus("status with a letter", "9112 §4", "HTTP/1.1 2O0 OK"),
    notStatus("status with a sign", "9112 §4", "HTTP/1.1 +20 OK"),
    notStatus("negative status", "9112 §4", "HTTP/1.1 -20 OK"),
    notStatus("status with a fraction", "9112 §4", "HTTP/1.1 200.1 OK"),
    notStatus("status missing", "9112 §4", "HTTP/1.1 OK and fine"),
    notStatus("two spaces before the status", "9112 §4", "HTTP/1.1  200 OK"),
    notStatus("tab before the status", "9112 §4", "HTTP/1.1\t200 OK"),
    notStatus("tab after the status", "9112 §4", "HTTP/1.1 200\tOK"),
    notStatus("comma after the status", "9112 §4", "HTTP/1.1 200,OK"),
    notStatus("version 2.0", "9112 §2.3", "HTTP/2.0 200 OK"),
    notStatus("version 2", "9112 §2.3", "HTTP/2 200 OK is good"),
    notStatus("version 0.9", "9112 §2.3", "HTTP/0.9 200 OK"),
    notStatus("version 1.10", "9112 §2.3", "HTTP/1.10 200 OK"),
    notStatus("version of a letter", "9112 §2.3", "HTTP/1.x 200 OK"),
    notStatus("lower case", "9112 §2.3", "http/1.1 200 OK"),
    notStatus("another protocol", "9112 §2.3", "ICY 200 OK and more"),
    notStatus("space first", "9112 §4", " HTTP/1.1 200 OK"),
    notStatus("an empty line first", "9112 §2.2", "↵HTTP/1.1 200 OK"),
    notStatus("bare LF first", "9112 §2.2", "\nHTTP/1.1 200 OK"),
    notStatus("NUL first", "9112 §4", "\0HTTP/1.1 200 OK"),
    notStatus("HTTP/0.9", "9112 §4", "<html>a page</html>"),
    notStatus("a request line", "9112 §4", "GET / HTTP/1.1"),
    notStatus("NUL in the reason", "9112 §4", "HTTP/1.1 200 O\0K"),
    notStatus("bell in the reason", "9112 §4", "HTTP/1.1 200 \u{07}"),
    notStatus("DEL in the reason", "9112 §4", "HTTP/1.1 200 \u{7F}"),
    notStatus("CR in the reason", "9112 §2.2", "HTTP/1.1 200 O\rK", .bareLineEnd),
    notStatus("LF in the reason", "9112 §2.2", "HTTP/1.1 200 O\nK", .bareLineEnd),
    notStatus("LF after the status", "9112 §2.2", "HTTP/1.1 200\nX: b", .bareLineEnd),
    notStatus("CR after the status", "9112 §2.2", "HTTP/1.1 200\rX: b", .bareLineEnd),
    bad("nothing after the version", "9112 §4", "HTTP/1.1↵↵", .statusLine),
    bad("nothing after the dot", "9112 §4", "HTTP/1.↵↵", .statusLine),
    bad("a status of one digit", "9112 §4", "HTTP/1.1 2↵↵", .statusLine),
    open("nothing", "9112 §4", ""),
    open("three letters", "9112 §4", "HTT"),
    open("a version", "9112 §4", "HTTP/1.1"),
    open("a status", "9112 §4", "HTTP/1.1 200"),
    open("a reason", "9112 §4", "HTTP/1.1 200 O"),
    open("a status line", "9112 §4", "HTTP/1.1 200 OK↵"),
    open("a field line", "9112 §4", "HTTP/1.1 200 OK↵A: b↵"),
  ]

  static let responseFields: [Row] = [
    good("no fields", "9112 §5", "HTTP/1.1 200 OK↵↵", "fields=0 framing=close close cl=none"),
    response("a field", "X-A: b", "fields=1 X-A:b"),
    response("space before the colon", "X-A : b", "fields=1 X-A:b"),
    response("much whitespace before the colon", "X-A \t \t: b", "X-A:b"),
    response("known name and a space", "Content-Length \t: 5", "framing=5 !Content-Length:5"),
    response("coding and a space", "Transfer-Encoding : chunked", "framing=chunked"),
    response("value beyond ASCII", "X: \u{E9}", "X:?"),
    notResponse("space within a name", "X A: b", .fieldName),
    notResponse("only whitespace and a colon", " : b", .lineFolding),
    notResponse("no name", ": b", .fieldName),
    notResponse("no colon", "X", .fieldLine),
    notResponse("no colon but a space", "X ", .fieldLine),
    notResponse("folded", "X: b↵ c", .lineFolding),
    notResponse("folded with a tab", "X: b↵\tc", .lineFolding),
    notResponse("NUL in a value", "X: b\0", .fieldValue),
    notResponse("CR in a value", "X: b\rc", .bareLineEnd),
    notResponse("LF ends a line", "X: b\nY: c", .bareLineEnd),
    notResponse("vertical tab before the colon", "X\u{0B}: b", .fieldName),
    bad("LF ends the head", "9112 §2.2", "HTTP/1.1 200 OK↵X: b↵\n", .bareLineEnd),
    bad("LF ends all", "9112 §2.2", "HTTP/1.1 200 OK\nX: b\n\n", .bareLineEnd),
    bad("folding at once", "9112 §2.2", "HTTP/1.1 200 OK↵ X: b↵↵", .lineFolding),
  ]

  static let responseFraming: [Row] = [
    response("until close", "X: b", "framing=close close"),
    response("until close whatever it says", "Connection: keep-alive", "framing=close close"),
    response("length", "Content-Length: 5", "framing=5 cl=5 keep"),
    response("no bytes", "Content-Length: 0", "framing=0 cl=0 keep"),
    response("leading zeros", "Content-Length: 005", "framing=5"),
    response("the same twice", "Content-Length: 5↵Content-Length: 5", "framing=5 cl=5 keep"),
    response("the same in a list", "Content-Length: 5, 5,5", "framing=5 cl=5"),
    response("the same number", "Content-Length: 5↵Content-Length: 05", "framing=5 cl=5"),
    response("an empty element", "Content-Length: 5,", "framing=5"),
    notResponse("different", "Content-Length: 5↵Content-Length: 6", .contentLengthRepeated),
    notResponse("different in a list", "Content-Length: 5, 6", .contentLengthRepeated),
    notResponse("third differs", "Content-Length: 5, 5↵Content-Length: 4", .contentLengthRepeated),
    notResponse("empty", "Content-Length:", .contentLength),
    notResponse("one empty of two", "Content-Length: 5↵Content-Length:", .contentLength),
    notResponse("only a comma", "Content-Length: ,", .contentLength),
    notResponse("sign", "Content-Length: +5", .contentLength),
    notResponse("negative", "Content-Length: -1", .contentLength),
    notResponse("hexadecimal", "Content-Length: 0x5", .contentLength),
    notResponse("quoted", "Content-Length: \"5\"", .contentLength),
    notResponse("space", "Content-Length: 1 0", .contentLength),
    notResponse("overflow", "Content-Length: 9223372036854775808", .contentLength),
    notResponse("wrapped", "Content-Length: 18446744073709551621", .contentLength),
    notResponse("number and text", "Content-Length: 5, x", .contentLength),
    response("chunked", "Transfer-Encoding: chunked", "framing=chunked keep cl=none"),
    response("chunked in capitals", "Transfer-Encoding: CHUNKED", "framing=chunked"),
    response("closed after chunked", "Transfer-Encoding: chunked↵Connection: close", "close"),
    notResponse("chunked twice", "Transfer-Encoding: chunked, chunked", .transferEncoding),
    notResponse("chunked not last", "Transfer-Encoding: chunked, gzip", .transferEncoding),
    notResponse("coding unknown", "Transfer-Encoding: gzip", .transferEncoding),
    notResponse("coding empty", "Transfer-Encoding:", .transferEncoding),
    notResponse("gzip, chunked", "Transfer-Encoding: gzip, chunked", .transferCodingUnknown),
    notResponse("quoted", "Transfer-Encoding: \"chunked\"", .transferEncoding),
    notResponse("vertical tab", "Transfer-Encoding: \u{0B}chunked", .fieldValue),
    notResponse(
      "coding and length", "Transfer-Encoding: chunked↵Content-Length: 5",
      .contentLengthWithTransferEncoding),
    notResponse(
      "length and coding", "Content-Length: 5↵Transfer-Encoding: chunked",
      .contentLengthWithTransferEncoding),
    notResponse(
      "length and unknown coding", "Content-Length: 5↵Transfer-Encoding: gzip",
      .contentLengthWithTransferEncoding),
    bad(
      "coding in HTTP/1.0", "9112 §6.1", "HTTP/1.0 200 OK↵Transfer-Encoding: chunked↵↵",
      .transferEncodingInHTTP10),
    good("100", "9112 §6.3", "HTTP/1.1 100 Continue↵↵", "framing=none interim keep"),
    good("101", "9112 §6.3", "HTTP/1.1 101 x↵Upgrade: y↵↵", "framing=none interim"),
    good("103", "9112 §6.3", "HTTP/1.1 103↵Content-Length: 5↵↵", "framing=none cl=5"),
    good("204", "9112 §6.3", "HTTP/1.1 204 No Content↵↵", "framing=none keep cl=none"),
    good(
      "204, length", "9112 §6.3", "HTTP/1.1 204 x↵Content-Length: 5↵↵", "framing=none close cl=5"),
    good(
      "204, length 0", "9112 §6.3", "HTTP/1.1 204 x↵Content-Length: 0↵↵", "framing=none keep cl=0"),
    good(
      "204, coding", "9112 §6.3", "HTTP/1.1 204 x↵Transfer-Encoding: chunked↵↵",
      "framing=none close"),
    good(
      "304, coding", "9112 §6.3", "HTTP/1.1 304 x↵Transfer-Encoding: chunked↵↵",
      "framing=none close"),
    good(
      "304, length", "9112 §6.3", "HTTP/1.1 304 x↵Content-Length: 5↵↵", "framing=none keep cl=5"),
    good("304", "9112 §6.3", "HTTP/1.1 304 x↵↵", "framing=none keep"),
    good("304, length", "9112 §6.3", "HTTP/1.1 304 x↵Content-Length: 5↵↵", "framing=none cl=5"),
    good("304, coding", "9112 §6.3", "HTTP/1.1 304↵Transfer-Encoding: chunked↵↵", "framing=none"),
    good("205", "9110 §15.3.6", "HTTP/1.1 205 x↵Content-Length: 0↵↵", "framing=0"),
    bad("204, bad length", "9112 §6.3", "HTTP/1.1 204 x↵Content-Length: x↵↵", .contentLength),
    bad(
      "304, two lengths", "9112 §6.3",
      "HTTP/1.1 304 x↵Content-Length: 5↵Content-Length: 6↵↵", .contentLengthRepeated),
    good("1.0", "9112 §9.3", "HTTP/1.0 200 OK↵Content-Length: 5↵↵", "close minor=0"),
    good(
      "1.0 kept", "9112 §9.3",
      "HTTP/1.0 200 OK↵Content-Length: 5↵Connection: Keep-Alive↵↵", "keep minor=0"),
    good(
      "1.0 until close", "9112 §9.3", "HTTP/1.0 200 OK↵Connection: keep-alive↵↵",
      "close framing=close"),
    good(
      "close wins", "9112 §9.3",
      "HTTP/1.1 200 OK↵Content-Length: 5↵Connection: keep-alive↵Connection: close↵↵", "close"),
  ]

  /// Responses to HEAD: no content whatever the fields say (RFC 9112 §6.3, first rule).
  static let responsesToHead: [Row] = [
    response("length", "Content-Length: 5", "framing=none cl=5 keep"),
    response("the same twice", "Content-Length: 5, 5", "framing=none cl=5 keep"),
    response("chunked", "Transfer-Encoding: chunked", "framing=none cl=none keep"),
    response("neither", "X: b", "framing=none cl=none keep"),
    response("close", "Connection: close", "framing=none close"),
    notResponse("different lengths", "Content-Length: 5, 6", .contentLengthRepeated),
    notResponse("bad length", "Content-Length: x", .contentLength),
    good("404", "9110 §9.3.2", "HTTP/1.1 404 x↵Content-Length: 9↵↵", "framing=none cl=9"),
  ]
}
