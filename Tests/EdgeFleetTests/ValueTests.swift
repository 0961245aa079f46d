// Tables for the small text values: what is accepted, how it prints, and what a refusal says.

import EdgeFleet
import Testing

@Suite struct ByteSizeTests {
  @Test(arguments: [
    ("0", 0, "0B"), ("1", 1, "1B"), ("17B", 17, "17B"), ("1024", 1024, "1KiB"),
    ("1KiB", 1024, "1KiB"), ("1536KiB", 1_572_864, "1536KiB"), ("64MiB", 67_108_864, "64MiB"),
    ("1024MiB", 1 << 30, "1GiB"), ("8589934591GiB", 8_589_934_591 << 30, "8589934591GiB"),
    ("9223372036854775807", Int.max, "9223372036854775807B"),
  ])
  func accepted(text: String, bytes: Int, printed: String) throws {
    let size = try ByteSize(parsing: text)
    #expect(size.bytes == bytes)
    #expect(size.description == printed)
    #expect(try ByteSize(parsing: printed) == size)
  }

  @Test(arguments: [
    "", " ", "MiB", "256MB", "256mib", "256 MiB", "-1", "+1", "1.5GiB", "0x10", "٣MiB", "1MiB ",
  ])
  func refused(text: String) {
    #expect {
      try ByteSize(parsing: text)
    } throws: {
      "\($0)" == "\"\(text)\" is not a size; write it like 256MiB (units: B, KiB, MiB, GiB)"
    }
  }

  @Test(arguments: ["9223372036854775808", "8589934592GiB", "99999999999999999999999KiB"])
  func tooLarge(text: String) {
    #expect {
      try ByteSize(parsing: text)
    } throws: {
      "\($0)".contains("is too large for a size")
    }
  }

  @Test func ordered() {
    #expect(ByteSize(bytes: 1) < .mebibytes(1))
  }
}

@Suite struct DurationTextTests {
  @Test(arguments: [
    ("0s", Duration.zero, "0s"), ("200ms", .milliseconds(200), "200ms"),
    ("1.5s", .milliseconds(1500), "1500ms"), ("30s", .seconds(30), "30s"),
    ("90s", .seconds(90), "90s"), ("120s", .seconds(120), "2m"), ("5m", .seconds(300), "5m"),
    ("1h", .seconds(3600), "1h"), ("0.5h", .seconds(1800), "30m"),
    ("0.25ms", .microseconds(250), "0.25ms"), ("0.000000001s", .nanoseconds(1), "0.000001ms"),
    ("2562047h", .seconds(2_562_047 * 3600), "2562047h"),
  ])
  func accepted(text: String, duration: Duration, printed: String) throws {
    #expect(try DurationText.parse(text) == duration)
    #expect(DurationText.print(duration) == printed)
    #expect(try DurationText.parse(printed) == duration)
  }

  @Test(arguments: [
    ("", "is not a duration; write it like 30s (units: ms, s, m, h)"),
    ("5", "is not a duration; write it like 30s (units: ms, s, m, h)"),
    ("s", "is not a duration; write it like 30s (units: ms, s, m, h)"),
    ("-5s", "is not a duration; write it like 30s (units: ms, s, m, h)"),
    (".5s", "is not a duration; write it like 30s (units: ms, s, m, h)"),
    ("5.s", "is not a duration; write it like 30s (units: ms, s, m, h)"),
    ("1.2.3s", "is not a duration; write it like 30s (units: ms, s, m, h)"),
    ("5 s", "is not a duration; write it like 30s (units: ms, s, m, h)"),
    ("5sec", "is not a duration; write it like 30s (units: ms, s, m, h)"),
    ("0.0000000001s", "has too many digits for a duration; write it like 30s or 1.5s"),
    ("0.0000001ms", "is finer than a nanosecond; write it like 1.5s"),
    ("2562048h", "is too long for a duration; at most 2562047h"),
    ("999999999999999999h", "is too long for a duration; at most 2562047h"),
    ("9999999999999999999s", "has too many digits for a duration; write it like 30s or 1.5s"),
  ])
  func refused(text: String, reason: String) {
    #expect(throws: ValueProblem(text, reason)) { try DurationText.parse(text) }
  }
}

@Suite struct SocketEndpointTests {
  @Test(arguments: [
    ("127.0.0.1:8080", "127.0.0.1", 8080, true, false),
    ("[::1]:8080", "::1", 8080, true, false),
    ("[0:0:0:0:0:0:0:1]:1", "::1", 1, true, false),
    ("[::FFFF:127.0.0.1]:1", "::ffff:127.0.0.1", 1, true, false),
    ("127.1.2.3:0", "127.1.2.3", 0, true, false),
    ("LocalHost:80", "localhost", 80, true, false),
    ("127.example:80", "127.example", 80, false, false),
    ("0.0.0.0:65535", "0.0.0.0", 65535, false, true),
    ("[::]:443", "::", 443, false, true),
    ("sin1.Edge.example:443", "sin1.edge.example", 443, false, false),
  ])
  func accepted(text: String, host: String, port: Int, loopback: Bool, wildcard: Bool) throws {
    let endpoint = try SocketEndpoint(parsing: text)
    #expect(endpoint.host == host)
    #expect(endpoint.port == port)
    #expect(endpoint.isLoopback == loopback)
    #expect(endpoint.isWildcard == wildcard)
    #expect(try SocketEndpoint(parsing: endpoint.description) == endpoint)
    #expect(endpoint == SocketEndpoint(host: host, port: port))
  }

  @Test(arguments: [
    "", ":8080", "8080", "127.0.0.1", "[::1]", "::1:8080", "[::1]8080", "[127.0.0.1]:80",
    "127.1:80", "1.2.3.400:80", "exa mple:80", "-a.example:80", "a..example:80", "a.example.:80",
    "http://a.example:80", "*:80", "[::1%lo]:80", "a@b:80",
  ])
  func refused(text: String) {
    let reason = "is not a host and port; write it like 127.0.0.1:8080 or [::1]:8080"
    #expect(throws: ValueProblem(text, reason)) { try SocketEndpoint(parsing: text) }
  }

  @Test(arguments: ["a:65536", "a:-1", "a:", "a:x", "a:080800", "[::1]:+1"])
  func wrongPort(text: String) {
    let reason = "has a port which is not a number from 0 to 65535"
    #expect(throws: ValueProblem(text, reason)) { try SocketEndpoint(parsing: text) }
  }
}

@Suite struct UpstreamURLTests {
  @Test(arguments: [
    ("http://127.0.0.1:3000", UpstreamURL.Scheme.http, "127.0.0.1", 3000, "127.0.0.1:3000"),
    ("http://origin.example", .http, "origin.example", 80, "origin.example"),
    ("HTTP://Origin.example:80/", .http, "origin.example", 80, "origin.example"),
    ("https://origin.example/", .https, "origin.example", 443, "origin.example"),
    ("https://origin.example:80", .https, "origin.example", 80, "origin.example:80"),
    ("http://[::1]:3000", .http, "::1", 3000, "[::1]:3000"),
    // A dot at the end says that the name is whole; servers are not told of it.
    ("http://Origin.example.", .http, "origin.example", 80, "origin.example"),
    ("https://origin.example.:80/", .https, "origin.example", 80, "origin.example:80"),
    ("https://[::1]", .https, "::1", 443, "[::1]"),
  ])
  func accepted(
    text: String, scheme: UpstreamURL.Scheme, host: String, port: Int, authority: String
  ) throws {
    let url = try UpstreamURL(parsing: text)
    #expect(url.scheme == scheme)
    #expect(url.host == host)
    #expect(url.port == port)
    #expect(url.authority == authority)
    #expect(url.endpoint == SocketEndpoint(host: host, port: port))
    #expect(try UpstreamURL(parsing: url.description) == url)
    #expect(url.lookupName == (text.contains("example.") ? "\(host)." : host))
    if !url.isAbsolute {
      #expect(url == UpstreamURL(scheme: scheme, host: host, port: port))
    }
  }

  @Test(arguments: [
    ("", "is not an http or https URL"), ("127.0.0.1:3000", "is not an http or https URL"),
    ("ftp://a.example", "is not an http or https URL"),
    ("//a.example", "is not an http or https URL"),
    ("http://a.example/path", "has a path, query or fragment"),
    ("http://a.example//", "has a path, query or fragment"),
    ("http://a.example?q", "has a path, query or fragment"),
    ("http://a.example/#f", "has a path, query or fragment"),
    ("http://user@a.example", "names a user"),
    ("http://user:secret@a.example", "names a user"),
    ("http://", "has no valid host"), ("http://:80", "has no valid host"),
    ("http:///", "has no valid host"), ("http://a b", "has no valid host"),
    ("http://a.example..", "has no valid host"), ("http://.", "has no valid host"),
    ("http://127.0.0.1.:80", "has no valid host"), ("http://[::1].", "has no valid host"),
    ("http://a.example:0", "has a port which is not a number from 1 to 65535"),
    ("http://a.example:", "has a port which is not a number from 1 to 65535"),
    ("http://a.example:http", "has a port which is not a number from 1 to 65535"),
  ])
  func refused(text: String, reason: String) {
    #expect {
      try UpstreamURL(parsing: text)
    } throws: {
      ($0 as? ValueProblem)?.reason.hasPrefix(reason) == true
    }
  }
}

@Suite struct ResolverAddressTests {
  @Test(arguments: [
    ("192.0.2.53", "192.0.2.53:53"), ("192.0.2.53:5353", "192.0.2.53:5353"),
    ("::1", "[::1]:53"), ("[::1]", "[::1]:53"), ("[2001:DB8:0::53]:1", "[2001:db8::53]:1"),
    ("2001:db8::53", "[2001:db8::53]:53"), ("127.0.0.1:65535", "127.0.0.1:65535"),
  ])
  func accepted(text: String, printed: String) throws {
    #expect(try ResolverAddress(parsing: text).description == printed)
    #expect(try ResolverAddress(parsing: printed).description == printed)
  }

  @Test(arguments: [
    ("", "is not a name server"), ("dns.example", "is a name"), ("localhost:53", "is a name"),
    ("192.0.2.53:0", "has a port"), ("192.0.2.53:65536", "has a port"),
    ("192.0.2.53:", "has a port"), ("192.0.2.53:x", "has a port"),
    ("0.0.0.0", "stands for every address"), ("[::]:53", "stands for every address"),
    ("udp://192.0.2.53", "is not a name server"), ("192.0.2.53,192.0.2.54", "is not a name server"),
    ("[fe80::1%eth0]:53", "is not a name server"), ("192.0.2.53 ", "is not a name server"),
  ])
  func refused(text: String, problem: String) {
    #expect {
      try ResolverAddress(parsing: text)
    } throws: {
      "\($0)".contains(problem)
    }
  }
}
