import Foundation
import Testing

@testable import edge_load

/// The formats of request logs: lines as the programs write them, with addresses and hosts of documentation.
@Suite struct LogFormatTests {
  struct Row: CustomTestStringConvertible, Sendable {
    var format: String
    var line: String
    var time: Double
    var method = "GET"
    var key: String
    var size: Int?
    var status: Int?
    var host: String?

    var testDescription: String { "\(format): \(line)" }
  }

  private static let june = 1_781_956_800.0  // 2026-06-20T12:00:00Z

  static let rows: [Row] = [
    Row(
      format: "common",
      line: #"192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] "GET /a.gif HTTP/1.0" 200 2326"#,
      time: june, key: "/a.gif", size: 2326, status: 200),
    Row(
      format: "common",
      line:
        #"192.0.2.1 - - [20/Jun/2026:14:00:00 +0200] "GET /a?b=c HTTP/1.1" 200 5 "-" "Mozilla/5.0 (X11; \"x\")""#,
      time: june, key: "/a?b=c", size: 5, status: 200),
    // nginx with $time_iso8601.
    Row(
      format: "common",
      line: #"192.0.2.1 - - [2026-06-20T12:00:00+00:00] "GET /a HTTP/1.1" 200 5"#,
      time: june, key: "/a", size: 5, status: 200),
    // IPv6, with brackets and a port before the time.
    Row(
      format: "common",
      line: #"[2001:db8::1]:4711 - - [20/Jun/2026:12:00:00 +0000] "GET /a HTTP/1.1" 200 5"#,
      time: june, key: "/a", size: 5, status: 200),
    Row(
      format: "common",
      line: #"2001:db8::1 - - [20/Jun/2026:12:00:00 +0000] "GET /a HTTP/1.1" 200 5"#,
      time: june, key: "/a", size: 5, status: 200),
    // Users with blanks, quotes and brackets.
    Row(
      format: "common",
      line:
        #"192.0.2.1 - "john [x] \"smith\"" [20/Jun/2026:12:00:00 +0000] "GET /a HTTP/1.1" 200 5"#,
      time: june, key: "/a", size: 5, status: 200),
    Row(
      format: "common",
      line: #"192.0.2.1 - john smith [20/Jun/2026:12:00:00 +0000] "GET /a HTTP/1.1" 200 5"#,
      time: june, key: "/a", size: 5, status: 200),
    // Escapes of Apache, a quote that nobody escaped, spaces, other bytes.
    Row(
      format: "common",
      line: #"192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] "GET /\x22q\"\\\t HTTP/1.1" 200 5"#,
      time: june, key: "/\"q\"\\\t", size: 5, status: 200),
    Row(
      format: "common",
      line: #"192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] "GET /a"b c/d HTTP/1.1" 200 5 "-" "x""#,
      time: june, key: "/a\"b c/d", size: 5, status: 200),
    Row(
      format: "common",
      line: #"192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] "GET /café.html HTTP/1.1" 304 -"#,
      time: june, key: "/café.html", size: 0, status: 304),
    Row(
      format: "common",
      line:
        #"192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] "GET https://www.example/a HTTP/1.1" 200 5"#,
      time: june, key: "https://www.example/a", size: 5, status: 200),
    // vhost_combined.
    Row(
      format: "common",
      line:
        #"www.example:443 192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "x""#,
      time: june, key: "/a", size: 5, status: 200, host: "www.example"),
    // Traefik.
    Row(
      format: "common",
      line:
        #"192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] "GET /a HTTP/2.0" 200 5 "-" "x" 12 "web@docker" "http://192.0.2.9:80" 3ms"#,
      time: june, key: "/a", size: 5, status: 200),
    // Fastly, as syslog brings it, and without quotes as its first version wrote it.
    Row(
      format: "common",
      line:
        #"<134>2026-06-20T12:00:01Z cache-fra1234 www-log[62959]: 192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] "GET /a HTTP/1.1" 200 5"#,
      time: june, key: "/a", size: 5, status: 200),
    Row(
      format: "common",
      line:
        #"<134>2026-06-20T12:00:01Z cache-fra1234 www-log[62959]: 192.0.2.1 "-" "-" Sat, 20 Jun 2026 12:00:00 GMT GET /a 200"#,
      time: june, key: "/a", status: 200),
    Row(
      format: "common",
      line:
        #"<134>1 2026-06-20T12:00:01Z lb nginx 77 - [x@1 tag="y"] 192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] "HEAD /a HTTP/1.1" 200 0"#,
      time: june, method: "HEAD", key: "/a", size: 0, status: 200),
    Row(
      format: "haproxy",
      line:
        #"192.0.2.1:33317 [20/Jun/2026:12:00:00.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {www.example} {} "GET /index.html HTTP/1.1""#,
      time: june + 0.655, key: "/index.html", size: 2750, status: 200),
    Row(
      format: "haproxy",
      line:
        #"Jun 20 12:00:01 lb haproxy[14389]: 192.0.2.1:33317 [20/Jun/2026:12:00:00.000] http-in~ static/srv1 10/0/30/69/+109 200 +2750 - - ---- 1/1/1/1/0 0/0 "GET https://www.example/a#23#22b HTTP/2.0" 0/0000000/0/0/0 -/TLSv1.3"#,
      time: june, key: "https://www.example/a#\"b", size: 2750, status: 200),
    Row(
      format: "haproxy",
      line:
        #"<142>Jun  2 12:00:01 haproxy[1]: [2001:db8::1]:33317 [20/Jun/2026:12:00:00.000] in back/<NOSRV> 0/-1/-1/-1/0 503 212 - - SC-- 1/1/0/0/0 0/0 "POST /x HTTP/1.1""#,
      time: june, method: "POST", key: "/x", size: 212, status: 503),
    Row(
      format: "squid",
      line:
        "1781956800.500    921 192.0.2.20 TCP_MISS/200 507 GET http://www.example/a b - HIER_DIRECT/192.0.2.1 text/html",
      time: june + 0.5, key: "http://www.example/a b", size: 507, status: 200),
    Row(
      format: "squid",
      line:
        "1781956800.000      0 192.0.2.20 TCP_TUNNEL/200 39 CONNECT www.example:443 - HIER_DIRECT/192.0.2.1 -",
      time: june, method: "CONNECT", key: "www.example:443", size: 39, status: 200),
    Row(
      format: "w3c",
      line:
        "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query x-host-header\n2026-06-20\t12:00:00\tFRA2-C1\t392\t192.0.2.1\tGET\td111.cloudfront.example\t/index.html\t200\t-\tMozilla%2520X\ta=b\twww.example",
      time: june, key: "/index.html?a=b", size: 392, status: 200, host: "www.example"),
    Row(
      format: "w3c",
      line:
        "#Fields: date time cs-method cs-uri-stem cs-uri-query sc-status sc-bytes\n2026-06-20 12:00:00 GET /a.htm - 200 12",
      time: june, key: "/a.htm", size: 12, status: 200),
    Row(
      format: "alb",
      line:
        #"h2 2026-06-20T12:00:00.186641Z app/my-lb/50dc6c495c0c9188 192.0.2.1:2817 192.0.2.9:80 0.000 0.001 0.000 200 200 34 366 "GET https://www.example:443/a HTTP/2.0" "curl/7.46.0" ECDHE TLSv1.2 arn:aws:x "Root=1-5" "www.example" "arn" 0 2026-06-20T12:00:00.000Z "forward" "-" "-" "192.0.2.9:80" "200" "-" "-""#,
      time: june + 0.186641, key: "https://www.example:443/a", size: 366, status: 200),
    Row(
      format: "alb",
      line:
        #"2026-06-20T12:00:00.000000Z my-lb [2001:db8::1]:2817 192.0.2.9:80 0.000073 0.001048 0.000057 200 200 0 29 "GET http://www.example:80/a HTTP/1.1" "curl/7.38.0" - -"#,
      time: june, key: "http://www.example:80/a", size: 29, status: 200),
    Row(
      format: "caddy",
      line:
        #"{"level":"info","ts":1781956800.5,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"192.0.2.1","proto":"HTTP/2.0","method":"GET","host":"www.example","uri":"/a?\u00e9=\"x\"","headers":{"Accept":["*/*"],"X":[{"uri":"/no"}]},"tls":{"resumed":false}},"bytes_read":0,"duration":0.0009,"size":10900,"status":200,"resp_headers":{"Server":["Caddy"]}}"#,
      time: june + 0.5, key: "/a?é=\"x\"", size: 10900, status: 200, host: "www.example"),
    Row(
      format: "traefik-json",
      line:
        #"{"ClientAddr":"192.0.2.1:5000","DownstreamContentSize":5,"DownstreamStatus":200,"Duration":123,"RequestHost":"www.example","RequestMethod":"GET","RequestPath":"/a","StartUTC":"2026-06-20T12:00:00.25Z","level":"info","time":"2026-06-20T13:00:00Z"}"#,
      time: june + 0.25, key: "/a", size: 5, status: 200, host: "www.example"),
    Row(
      format: "fastly-json",
      line:
        #"{"timestamp":"2026-06-20T12:00:00+0000","client_ip":"192.0.2.1","host":"www.example","url":"/a?b","request_method":"GET","request_protocol":"HTTP/1.1","response_state":"HIT","response_status":200,"response_body_size":5,"fastly_is_edge":true}"#,
      time: june, key: "/a?b", size: 5, status: 200, host: "www.example"),
    Row(
      format: "cloudflare",
      line:
        #"{"ClientIP":"192.0.2.1","ClientRequestHost":"www.example","ClientRequestMethod":"GET","ClientRequestURI":"/a","EdgeResponseBytes":5,"EdgeResponseStatus":200,"EdgeStartTimestamp":1781956800000000000}"#,
      time: june, key: "/a", size: 5, status: 200, host: "www.example"),
    Row(
      format: "nginx-json",
      line:
        #"{"time_local":"20/Jun/2026:12:00:00 +0000","remote_addr":"192.0.2.1","request":"GET /a\x22 HTTP/1.1","status":"200","body_bytes_sent":"5"}"#,
      time: june, key: "/a\"", size: 5, status: 200),
    Row(
      format: "nginx-json",
      line:
        #"<190>Jun 20 12:00:01 web nginx: { "msec": "1781956800.000", "host": "www.example", "request_method": "GET", "uri": "/a", "args": "b=c", "status": 200, "bytes_sent": 5 }"#,
      time: june, key: "/a?b=c", size: 5, status: 200, host: "www.example"),
    Row(format: "rows", line: "1781956800,/a,5", time: june, key: "/a", size: 5),
    // Nanoseconds, microseconds and milliseconds.
    Row(format: "rows", line: "1781956800000000000,/a,5", time: june, key: "/a", size: 5),
    Row(format: "rows", line: "1781956800000000,/a,5", time: june, key: "/a", size: 5),
    Row(format: "rows", line: "1781956800000 /a 5", time: june, key: "/a", size: 5),
  ]

  /// What is read, whether the format is found or named, and behind other lines that nobody understands.
  @Test(arguments: rows, [false, true])
  func reads(_ row: Row, isNamed: Bool) throws {
    let text = isNamed ? "torn\n" + row.line : row.line + "\ntorn\n"
    let file = try TraceFile(text)
    var reader = try TraceReader(path: file.path, format: isNamed ? row.format : nil)
    var found: [TraceRequest] = []
    for _ in 0..<3 {
      do throws(TraceProblem) {
        guard let request = try reader.next() else { break }
        found.append(request)
      } catch {
        #expect(error.line != nil, "\(error)")
      }
    }
    let request = try #require(found.first)
    #expect(found.count == 1)
    #expect(reader.formatName == row.format)
    #expect(request.time == row.time && request.method == row.method)
    #expect(String(decoding: request.key, as: UTF8.self) == row.key)
    #expect(request.isSized == (row.size != nil) && request.size == row.size ?? 0)
    #expect(request.status == row.status)
    #expect(request.host.map { String(decoding: $0, as: UTF8.self) } == row.host)
  }

  static let leftOut: [(line: String, kind: LeftOut)] = [
    (#"192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] "-" 408 0"#, .request),
    (#"192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] "\x16\x03\x01" 400 0"#, .request),
    (#"192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] "GET index.html HTTP/1.1" 400 0"#, .request),
    (
      #"192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 9223372036854775807"#, .size
    ),
    (
      #"192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 99999999999999999999"#,
      .size
    ),
    (#"192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 -5"#, .size),
    (#"192.0.2.1 - - [32/Jun/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5"#, .time),
    (
      #"192.0.2.1:33317 [20/Jun/2026:12:00:00.655] in back/<NOSRV> -1/-1/-1/-1/5 400 0 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>""#,
      .request
    ),
    (
      #"http 2026-06-20T12:00:00.1Z app/x 192.0.2.1:1 - -1 -1 -1 400 - 0 272 "- http://www.example:80- -" "-" - -"#,
      .request
    ),
    (#"{"level":"info","ts":1.5,"msg":"server running","request":{"method":"GET"}}"#, .request),
    (#"{"timestamp":"yesterday","url":"/a","request_method":"GET","response_status":200}"#, .time),
    ("1e300,/a,5\n1,/a,x", .size),
    ("nan,/a,5\n1,,1", .request),
  ]

  /// Lines that cannot be replayed have a reason, and never end the program.
  @Test(arguments: leftOut) func reasons(_ row: (line: String, kind: LeftOut)) throws {
    let names = LogFormatKind.all.filter {
      $0.make() is TraceColumns.Rows == row.line.contains(",/a,")
    }
    let kinds = names.compactMap { kind -> LeftOut? in
      var reader = kind.make()
      var last: LeftOut?
      for line in row.line.split(separator: "\n") {
        do throws(LineProblem) { _ = try reader.take(Array(line.utf8)[...]) } catch {
          last = error.kind
        }
      }
      return last
    }
    #expect(kinds.contains(row.kind))
    // Whoever forces a wrong format gets an error for each line and nothing else.
    for kind in LogFormatKind.all {
      for other in Self.rows {
        var reader = kind.make()
        for line in other.line.split(separator: "\n") {
          _ = try? reader.take(Array(line.utf8)[...])
        }
      }
    }
  }

  /// Whatever is cut off a line, or put into it, it is read or refused.
  @Test func cutAndBroken() {
    var random = SplitMix64(seed: 7)
    for row in Self.rows {
      let bytes = Array((row.line.split(separator: "\n").last ?? "").utf8)
      for _ in 0..<60 {
        var line = bytes
        switch random.next() % 3 {
        case 0: line.removeLast(Int(random.next() % UInt64(line.count)))
        case 1:
          line[Int(random.next() % UInt64(line.count))] = UInt8(truncatingIfNeeded: random.next())
        default: line.removeFirst(Int(random.next() % UInt64(line.count)))
        }
        for kind in LogFormatKind.all {
          var reader = kind.make()
          _ = try? reader.take(line[...])
        }
        _ = LogFormatKind.recognised([line[...]])
      }
    }
  }

  @Test func unknownFormats() throws {
    let file = try TraceFile("hello world\u{7}\nwhat is this\n")
    var reader = try TraceReader(path: file.path)
    #expect {
      _ = try reader.next()
    } throws: {
      let words = "\($0)"
      return words.contains("is in no format that is known; its line 1 is 'hello world\\u{7}'")
        && words.contains("--format: common, haproxy")
    }
    for (begin, says) in [
      ([0x28, 0xB5, 0x2F, 0xFD, 0x20], "zstd"), (Array("BZh91AY".utf8), "bzip2"),
      ([0xFF, 0xFE, 0x31, 0], "UTF-16"),
    ] as [([UInt8], String)] {
      let file = try TraceFile("")
      try Data(begin).write(to: URL(fileURLWithPath: file.path))
      var reader = try TraceReader(path: file.path)
      #expect { _ = try reader.next() } throws: { "\($0)".contains(says) }
    }
    #expect { _ = try TraceReader(path: file.path, format: "x") } throws: {
      "\($0)".contains("no format")
    }
  }
}
