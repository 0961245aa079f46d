@testable import EdgeCache

// Field lines of requests, Host, and the fields that steer a connection.

extension Rows {
  private static func field(
    _ name: String, _ section: String, _ line: String, _ facts: String
  ) -> Row {
    good(name, section, "GET / HTTP/1.1↵Host: a↵\(line)↵↵", facts)
  }

  private static func notField(
    _ name: String, _ section: String, _ line: String, _ reason: MalformedMessage
  ) -> Row {
    bad(name, section, "GET / HTTP/1.1↵Host: a↵\(line)↵↵", reason)
  }

  private static func host(_ name: String, _ section: String, _ value: String) -> Row {
    good(name, section, "GET / HTTP/1.1↵Host: \(value)↵↵", "host=\(value) form=origin")
  }

  private static func notHost(_ name: String, _ section: String, _ value: String) -> Row {
    bad(name, section, "GET / HTTP/1.1↵Host: \(value)↵↵", .hostInvalid)
  }

  static let fields: [Row] = [
    field("a field", "9112 §5", "X-A: b", "fields=2 X-A:b"),
    field("letter case is kept", "9110 §5.1", "aCCept: Text", "!aCCept:Text"),
    field("no whitespace", "9112 §5", "X:b", "X:b"),
    field("much whitespace", "9112 §5", "X: \t  b \t ", "X:b"),
    field("whitespace within", "9110 §5.5", "X: b \t c", "X:b_→_c"),
    field("empty value", "9110 §5.5", "X:", "X:"),
    field("value of whitespace", "9110 §5.5", "X: \t ", "X:"),
    field("colons in a value", "9110 §5.5", "X: :b:c:", "X::b:c:"),
    field("colon first in a value", "9110 §5.5", "X::", "X::"),
    field("beyond ASCII in a value", "9110 §5.5", "X: \u{E9}\u{80}\u{FF}b", "X:???b"),
    field("quotes in a value", "9110 §5.5", "X: \"b\\\"", "X:\"b\\\""),
    field("all marks of a token", "9110 §5.6.2", "!#$%&'*+-.^_`|~9: b", "!#$%&'*+-.^_`|~9:b"),
    field("name of one byte", "9110 §5.1", "~: b", "~:b"),
    field("repeated field", "9110 §5.3", "X: b↵X: c", "fields=3 X:b X:c"),
    field("known names in any case", "9110 §5.1", "IF-NONE-MATCH: *", "!IF-NONE-MATCH:*"),
    field("underscore is not a dash", "9110 §5.1", "Content_Length: 5", "framing=none fields=2"),
    field("order is kept", "9110 §5.3", "B: 1↵A: 2↵B: 3", "fields=4 B:1 A:2 B:3"),
    notField("no colon", "9112 §5", "X", .fieldLine),
    notField("no colon and a value", "9112 §5", "X b", .fieldName),
    notField("no name", "9112 §5", ": b", .fieldName),
    notField("space before the colon", "9112 §5.1", "X : b", .fieldName),
    notField("tab before the colon", "9112 §5.1", "X\t: b", .fieldName),
    notField("space within a name", "9112 §5.1", "X A: b", .fieldName),
    notField("space before a name", "9112 §5.2", " X: b", .lineFolding),
    notField("folded with a space", "9112 §5.2", "X: b↵ c", .lineFolding),
    notField("folded with a tab", "9112 §5.2", "X: b↵\tc", .lineFolding),
    notField("folded to nothing", "9112 §5.2", "X: b↵ ", .lineFolding),
    notField("quoted name", "9110 §5.6.2", "\"X\": b", .fieldName),
    notField("slash in a name", "9110 §5.6.2", "X/A: b", .fieldName),
    notField("equals in a name", "9110 §5.6.2", "X=A: b", .fieldName),
    notField("at in a name", "9110 §5.6.2", "X@A: b", .fieldName),
    notField("comma in a name", "9110 §5.6.2", "X,A: b", .fieldName),
    notField("parenthesis in a name", "9110 §5.6.2", "X(A): b", .fieldName),
    notField("semicolon in a name", "9110 §5.6.2", "X;A: b", .fieldName),
    notField("bracket in a name", "9110 §5.6.2", "X[A]: b", .fieldName),
    notField("NUL in a name", "9110 §5.6.2", "X\0A: b", .fieldName),
    notField("DEL in a name", "9110 §5.6.2", "X\u{7F}A: b", .fieldName),
    notField("beyond ASCII in a name", "9110 §5.6.2", "X\u{E9}: b", .fieldName),
    notField("CR in a name", "9112 §2.2", "X\rA: b", .fieldLine),
    notField("LF in a name", "9112 §2.2", "X\nA: b", .fieldLine),
    notField("NUL in a value", "9110 §5.5", "X: b\0c", .fieldValue),
    notField("NUL first in a value", "9110 §5.5", "X:\0", .fieldValue),
    notField("DEL in a value", "9110 §5.5", "X: b\u{7F}", .fieldValue),
    notField("bell in a value", "9110 §5.5", "X: \u{07}", .fieldValue),
    notField("vertical tab in a value", "9110 §5.5", "X: \u{0B}b", .fieldValue),
    notField("form feed in a value", "9110 §5.5", "X: b\u{0C}", .fieldValue),
    notField("escape in a value", "9110 §5.5", "X: \u{1B}[31m", .fieldValue),
    notField("unit separator in a value", "9110 §5.5", "X: \u{1F}", .fieldValue),
    notField("CR in a value", "9112 §2.2", "X: b\rc", .bareLineEnd),
    notField("CR at the end of a value", "9112 §2.2", "X: b\r", .bareLineEnd),
    notField("LF in a value", "9112 §2.2", "X: b\nY: c", .bareLineEnd),
    notField("LF first on a line", "9112 §2.2", "\nX: b", .bareLineEnd),
    notField("CR first on a line", "9112 §2.2", "\rX: b", .bareLineEnd),
    bad("LF ends the head", "9112 §2.2", "GET / HTTP/1.1↵Host: a↵\n", .bareLineEnd),
    bad("CR CR LF ends the head", "9112 §2.2", "GET / HTTP/1.1↵Host: a↵\r↵", .bareLineEnd),
    bad("folding at once", "9112 §2.2", "GET / HTTP/1.1↵ Host: a↵↵", .lineFolding),
    bad("a line of whitespace", "9112 §2.2", "GET / HTTP/1.1↵\t↵Host: a↵↵", .lineFolding),
    bad("request line twice", "9112 §5", "GET / HTTP/1.1↵GET / HTTP/1.1↵Host: a↵↵", .fieldName),
  ]

  static let hosts: [Row] = [
    host("name", "9110 §7.2", "example.com"),
    host("name and port", "9110 §7.2", "example.com:8080"),
    host("letter case is kept", "3986 §3.2.2", "EXAMPLE.com"),
    host("address", "3986 §3.2.2", "127.0.0.1"),
    host("literal address", "3986 §3.2.2", "[::1]"),
    host("literal address and port", "3986 §3.2.2", "[2001:DB8::1]:443"),
    host("mapped address", "3986 §3.2.2", "[::ffff:1.2.3.4]"),
    host("empty port", "3986 §3.2.3", "a:"),
    host("port zero", "3986 §3.2.3", "a:0"),
    host("largest port", "3986 §3.2.3", "a:65535"),
    host("final dot", "3986 §3.2.2", "a.b."),
    host("underscore", "3986 §3.2.2", "a_b.c"),
    host("percent-encoded", "3986 §3.2.2", "a%20b%c3%A9"),
    host("sub-delims", "3986 §3.2.2", "!$&'()*+;="),
    good("whitespace around", "9112 §5", "GET / HTTP/1.1↵Host: \t a:1 \t↵↵", "host=a:1"),
    good("name in any case", "9110 §5.1", "GET / HTTP/1.1↵hOST:a↵↵", "host=a !hOST:a"),
    good("Host last", "9112 §3.2", "GET / HTTP/1.1↵X: b↵Host: a↵↵", "host=a fields=2"),
    good("HTTP/1.0 without Host", "9112 §3.2", "GET / HTTP/1.0↵↵", "host= path=/ fields=0"),
    good("HTTP/1.0 with Host", "9112 §3.2", "GET / HTTP/1.0↵Host: a↵↵", "host=a"),
    good("HTTP/1.0 absolute", "9112 §3.2.2", "GET http://b/ HTTP/1.0↵↵", "host=b form=absolute"),
    bad("no Host", "9112 §3.2", "GET / HTTP/1.1↵↵", .hostMissing),
    bad("no Host among fields", "9112 §3.2", "GET / HTTP/1.1↵X-Host: a↵↵", .hostMissing),
    bad("no Host, absolute form", "9112 §3.2", "GET http://b/ HTTP/1.1↵↵", .hostMissing),
    bad("no Host, asterisk form", "9112 §3.2", "OPTIONS * HTTP/1.1↵↵", .hostMissing),
    bad("no Host, later version", "9112 §3.2", "GET / HTTP/1.2↵↵", .hostMissing),
    bad("two Hosts", "9112 §3.2", "GET / HTTP/1.1↵Host: a↵Host: b↵↵", .hostRepeated),
    bad("same Host twice", "9112 §3.2", "GET / HTTP/1.1↵Host: a↵host: a↵↵", .hostRepeated),
    bad("two in HTTP/1.0", "9112 §3.2", "GET / HTTP/1.0↵Host: a↵Host: a↵↵", .hostRepeated),
    bad("two, absolute", "9112 §3.2", "GET http://b/ HTTP/1.1↵Host: b↵Host: b↵↵", .hostRepeated),
    bad("one empty of two", "9112 §3.2", "GET / HTTP/1.1↵Host:↵Host: a↵↵", .hostRepeated),
    bad("bad, absolute", "9112 §3.2", "GET http://b/ HTTP/1.1↵Host: a b↵↵", .hostInvalid),
    bad("empty, absolute", "9112 §3.2", "GET http://b/ HTTP/1.1↵Host:↵↵", .hostInvalid),
    bad("bad in HTTP/1.0", "9112 §3.2", "GET / HTTP/1.0↵Host: a/b↵↵", .hostInvalid),
    notHost("empty", "9110 §7.2", ""),
    notHost("only a port", "9110 §7.2", ":80"),
    notHost("two hosts", "9110 §7.2", "a, b"),
    notHost("two hosts without space", "9110 §7.2", "a,b"),
    notHost("space within", "9110 §7.2", "a b"),
    notHost("tab within", "9110 §7.2", "a\tb"),
    notHost("user", "9110 §7.2", "u@a"),
    notHost("user and password", "9110 §7.2", "u:p@a"),
    notHost("path", "9110 §7.2", "a/"),
    notHost("query", "9110 §7.2", "a?b"),
    notHost("fragment", "9110 §7.2", "a#b"),
    notHost("URI", "9110 §7.2", "http://a"),
    notHost("backslash", "3986 §3.2.2", "a\\b"),
    notHost("quotes", "3986 §3.2.2", "\"a\""),
    notHost("angle bracket", "3986 §3.2.2", "a<b"),
    notHost("beyond ASCII", "3986 §3.2.2", "\u{E9}"),
    notHost("percent alone", "3986 §2.1", "a%"),
    notHost("percent and one digit", "3986 §2.1", "a%2"),
    notHost("percent before the port", "3986 §2.1", "a%2:80"),
    notHost("percent and no digits", "3986 §2.1", "a%zz"),
    notHost("port not a number", "3986 §3.2.3", "a:b"),
    notHost("port with a sign", "3986 §3.2.3", "a:+80"),
    notHost("negative port", "3986 §3.2.3", "a:-1"),
    notHost("port too large", "3986 §3.2.3", "a:65536"),
    notHost("port of many digits", "3986 §3.2.3", "a:99999999999999999999"),
    notHost("two ports", "3986 §3.2.3", "a:80:80"),
    notHost("space before the port", "3986 §3.2.3", "a: 80"),
    notHost("address without brackets", "3986 §3.2.2", "::1"),
    notHost("bracket left open", "3986 §3.2.2", "[::1"),
    notHost("only a bracket", "3986 §3.2.2", "["),
    notHost("nothing in brackets", "3986 §3.2.2", "[]"),
    notHost("text after a bracket", "3986 §3.2.2", "[::1]a"),
    notHost("zone of an address", "3986 §3.2.2", "[fe80::1%25eth0]"),
    notHost("name in brackets", "3986 §3.2.2", "[host]"),
    notHost("only a closing bracket", "3986 §3.2.2", "a]"),
  ]

  static let connections: [Row] = [
    field("kept by default", "9112 §9.3", "X: b", "keep no-upgrade"),
    field("close", "9112 §9.6", "Connection: close", "close"),
    field("close in any case", "9112 §9.6", "Connection: CLOSE", "close"),
    field("close among others", "9110 §7.6.1", "Connection: x, close ,y", "close"),
    field("close on a second line", "9110 §7.6.1", "Connection: x↵Connection: close", "close"),
    field("close after empty elements", "9110 §5.6.1", "Connection: ,, close", "close"),
    field("close wins", "9112 §9.3", "Connection: keep-alive, close", "close"),
    field("longer than close", "9110 §7.6.1", "Connection: closed", "keep"),
    field("shorter than close", "9110 §7.6.1", "Connection: clos", "keep"),
    field("close behind a stray quote", "9110 §7.6.1", "Connection: \"x, close", "close"),
    field("quoted close", "9110 §7.6.1", "Connection: \"close\"", "keep"),
    field("empty Connection", "9110 §7.6.1", "Connection:", "keep"),
    field("Proxy-Connection says nothing", "9112 §C.2.2", "Proxy-Connection: close", "keep"),
    good("HTTP/1.0", "9112 §9.3", "GET / HTTP/1.0↵↵", "close"),
    good("1.0 kept", "9112 §9.3", "GET / HTTP/1.0↵Connection: Keep-Alive↵↵", "keep minor=0"),
    good("1.0 listed", "9112 §9.3", "GET / HTTP/1.0↵Connection: x,keep-alive↵↵", "keep"),
    good("1.0 both", "9112 §9.3", "GET / HTTP/1.0↵Connection: keep-alive,close↵↵", "close"),
    good("1.0 and the field", "9112 §9.3", "GET / HTTP/1.0↵Keep-Alive: timeout=5↵↵", "close"),
    good("1.0 proxy", "9112 §9.3", "GET / HTTP/1.0↵Proxy-Connection: keep-alive↵↵", "close"),
    field("upgrade", "9110 §7.8", "Connection: upgrade↵Upgrade: websocket", "upgrade keep"),
    field(
      "upgrade in any case", "9110 §7.8", "Upgrade: WebSocket↵Connection: a, Upgrade", "upgrade"),
    field("upgrade to HTTP/2", "9110 §7.8", "Connection: upgrade↵Upgrade: h2c", "no-upgrade"),
    field(
      "upgrade among others", "9110 §7.8", "Connection: upgrade↵Upgrade: h2c, websocket", "upgrade"),
    field("length 0 is no content", "9112 §6.3", "Content-Length: 0", "no-content"),
    field("upgrade not nominated", "9110 §7.8", "Upgrade: websocket", "no-upgrade"),
    field("nominated but absent", "9110 §7.8", "Connection: upgrade", "no-upgrade"),
    good(
      "upgrade in HTTP/1.0", "9110 §7.8",
      "GET / HTTP/1.0↵Connection: upgrade↵Upgrade: websocket↵↵", "no-upgrade"),
  ]

  static let expectations: [Row] = [
    field("nothing to wait for", "9110 §10.1.1", "Expect: 100-continue", "no-continue"),
    field(
      "with length", "9110 §10.1.1", "Expect: 100-continue↵Content-Length: 5",
      "continue framing=5"),
    field(
      "with chunks", "9110 §10.1.1", "Transfer-Encoding: chunked↵Expect: 100-continue",
      "continue"),
    field("no bytes", "9110 §10.1.1", "Expect: 100-continue↵Content-Length: 0", "no-continue"),
    field("any case", "9110 §10.1.1", "Expect: 100-CONTINUE↵Content-Length: 5", "continue"),
    field(
      "twice", "9110 §10.1.1", "Expect: 100-continue,100-continue↵Content-Length: 5", "continue"),
    field("an empty list", "9110 §10.1.1", "Expect:↵Content-Length: 5", "no-continue"),
    field("only commas", "9110 §10.1.1", "Expect: , ,↵Content-Length: 5", "no-continue"),
    field("content without Expect", "9110 §10.1.1", "Content-Length: 5", "no-continue"),
    notField("unknown", "9110 §10.1.1", "Expect: 200-ok", .expectation),
    notField("unknown beside known", "9110 §10.1.1", "Expect: 100-continue, x", .expectation),
    notField("known after unknown", "9110 §10.1.1", "Expect: x, 100-continue", .expectation),
    notField("second line", "9110 §10.1.1", "Expect: 100-continue↵Expect: x", .expectation),
    notField("quoted", "9110 §10.1.1", "Expect: \"100-continue\"", .expectation),
    notField("parameter", "9110 §10.1.1", "Expect: 100-continue;a=b", .expectation),
    notField("longer", "9110 §10.1.1", "Expect: 100-continued", .expectation),
    good(
      "HTTP/1.0 asks nothing", "9110 §10.1.1",
      "PUT / HTTP/1.0↵Content-Length: 5↵Expect: 100-continue↵↵", "no-continue"),
    good(
      "HTTP/1.0 and unknown", "9110 §10.1.1",
      "PUT / HTTP/1.0↵Content-Length: 5↵Expect: x↵↵", "no-continue framing=5"),
  ]
}
