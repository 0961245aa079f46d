import Foundation
import Testing

@testable import edge_load

/// Logs by the name of the program that wrote them, and JSON whose fields nobody knows.
@Suite struct LogNameTests {
  private static let combined =
    #"192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "x""#
  /// What `edge-pop --access-log-format json` writes.
  static let edgePoP =
    #"{"time":"2026-06-20T12:00:00.500000Z","site":"www","client":"192.0.2.1","id":"0f","host":"www.example","method":"GET","target":"/a?b=c","protocol":"HTTP/1.1","tls":null,"status":200,"cache":"hit","detail":null,"forward":null,"forwardStatus":null,"stored":false,"tier":"memory","ttl":30,"upstream":null,"connectMicroseconds":null,"firstByteMicroseconds":null,"upstreamMicroseconds":null,"totalMicroseconds":50,"received":80,"sent":5,"referer":null,"userAgent":"x","firstLine":null}"#
  /// The same of something that is no request.
  private static let edgePoPNone =
    #"{"time":"2026-06-20T12:00:00.500000Z","site":null,"client":"192.0.2.1","id":"0f","host":null,"method":null,"target":null,"protocol":null,"tls":null,"status":400,"cache":"none","received":80,"sent":5,"firstLine":"x"}"#
  private static let nginx =
    #"{"time_iso8601":"2026-06-20T12:00:00Z","request_uri":"/a","request_method":"GET","status":200,"body_bytes_sent":5}"#
  private static let caddy =
    #"{"ts":1781956800.5,"request":{"method":"GET","host":"www.example","uri":"/a"},"size":5,"status":200}"#
  private static let traefik =
    #"{"DownstreamContentSize":5,"DownstreamStatus":200,"RequestHost":"www.example","RequestMethod":"GET","RequestPath":"/a","StartUTC":"2026-06-20T12:00:00.25Z"}"#

  /// A name that is given, a line of the log, and the format that is read.
  static let names: [(name: String?, line: String, format: String)] = [
    (nil, edgePoP, "edge-pop-json"), (nil, edgePoPNone + "\n" + edgePoP, "edge-pop-json"),
    ("edge-pop-json", edgePoP, "edge-pop-json"), ("edge-pop", edgePoP, "edge-pop-json"),
    ("edgecache", edgePoP, "edge-pop-json"), ("json", edgePoP, "edge-pop-json"),
    ("edge-pop", combined, "common"), ("vhost-combined", "www.example:80 " + combined, "common"),
    ("nginx", combined, "common"), ("nginx", nginx, "nginx-json"), ("json", nginx, "nginx-json"),
    ("json", caddy, "caddy"), ("json", traefik, "traefik-json"),
    ("traefik", combined, "common"), ("traefik", traefik, "traefik-json"),
    ("apache", combined, "common"), ("httpd", combined, "common"), ("clf", combined, "common"),
    ("varnish", combined, "common"), ("NGINX", combined, "common"),
    ("csv", "time,key,size\n1,/a,5", "rows"), ("tsv", "1\t/a\t5", "rows"),
    ("fastly", combined, "common"),
    (
      "aws",
      "#Fields: date time cs-method cs-uri-stem sc-status sc-bytes\n2026-06-20 12:00:00 GET /a 200 12",
      "w3c"
    ),
  ]

  @Test(arguments: names) func named(_ row: (name: String?, line: String, format: String)) throws {
    let file = try TraceFile(row.line + "\n")
    var reader = try TraceReader(path: file.path, format: row.name)
    var request: TraceRequest?
    while request == nil {
      do throws(TraceProblem) {
        guard let next = try reader.next() else { break }
        request = next
      } catch {
        #expect(error.line != nil, "\(error)")
        if error.line == nil { break }
      }
    }
    #expect(request?.key.first == UInt8(ascii: "/"))
    #expect(reader.formatName == row.format)
  }

  @Test func fieldsOfEdgePoP() throws {
    let file = try TraceFile(Self.edgePoP + "\n" + Self.edgePoPNone + "\n")
    let (requests, problems) = try file.read()
    let request = try #require(requests.first)
    #expect(requests.count == 1 && problems.map(\.kind) == [.request])
    #expect(request.time == 1_781_956_800.5 && request.method == "GET" && request.size == 5)
    #expect(String(decoding: request.key, as: UTF8.self) == "/a?b=c")
    #expect(String(decoding: request.host ?? [], as: UTF8.self) == "www.example")
    #expect(request.status == 200)
  }

  /// A refused name lists what there is.
  @Test func refusedName() {
    #expect { _ = try TraceReader(path: "/dev/null", format: "njinx") } throws: {
      let words = "\($0)"
      return ["edge-pop-json", "nginx", "common", "json", "csv", "traefik"].allSatisfy(
        words.contains)
    }
  }

  /// JSON of which nobody knows the fields, with what is to be told about it.
  static let unknown: [(text: String, name: String?, says: [String])] = [
    (
      #"{"lvl":"info","msg":"x","http":{"verb":"GET"},"n":null}"#, nil,
      ["lvl, msg, http.verb, n", "RequestPath", "request.uri", "target"]
    ),
    (
      #"{"lvl":"info","msg":"x","ok":true,"list":[1]}"#, "json",
      ["lvl, msg, ok, list", "RequestPath", "target"]
    ),
    (#"{"lvl":"info","msg":"x"}"#, "caddy", ["lvl, msg", "request.uri"]),
    (#"{"lvl":"info","msg":"x"}"#, "nginx-json", ["lvl, msg", "request_uri", "url"]),
    ("{\n  \"target\": \"/a\",\n  \"sent\": 5\n}\n", nil, ["one object to a line"]),
    ("[\n  {\"a\": 1}\n]\n", nil, ["one object to a line"]),
    (#"[{"target":"/a"},{"target":"/b"}]"#, nil, ["one object to a line"]),
  ]

  @Test(arguments: unknown)
  func unknownFields(_ row: (text: String, name: String?, says: [String])) throws {
    let file = try TraceFile(row.text + "\n")
    #expect {
      _ = try ReplayLog(ReplayPlan(path: file.path, speed: nil, format: row.name))
    } throws: { error in
      let words = "\(error)"
      return row.says.allSatisfy(words.contains)
    }
  }

  /// Messages of a program that come before its first request do not hide it.
  @Test func messagesFirst() throws {
    let message = #"{"level":"info","ts":1.5,"msg":"server running"}"# + "\n"
    let file = try TraceFile(String(repeating: message, count: 200) + Self.edgePoP + "\n")
    let (requests, problems) = try file.read()
    #expect(requests.count == 1 && problems.count == 200)
  }
}
