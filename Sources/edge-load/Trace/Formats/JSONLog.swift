// Logs of one JSON object to a line. Programs differ in how they call things, which is a table here; what nginx writes is
// whatever its administrator has called it.

/// What a program calls the parts of a request in its JSON logs; of several names the first one that is there counts.
struct JSONLogNames: Sendable {
  /// What `--format` calls it.
  let format: String
  /// The whole request line.
  var request: [String] = []
  /// The target.
  let target: [String]
  /// The query, where the target lacks it.
  var query: [String] = []
  let method: [String]
  let host: [String]
  let time: [String]
  let status: [String]
  let size: [String]

  /// Where the target is looked for, for people.
  var targets: String {
    (request + target).joined(separator: ", ") + " (\(format))"
  }

  /// The programs whose names are known, and at the end what nginx is told most often.
  static let all = [
    JSONLogNames(
      format: "edge-pop-json", target: ["target"], method: ["method"], host: ["host"],
      time: ["time"], status: ["status"], size: ["sent"]),
    JSONLogNames(
      format: "caddy", target: ["request.uri"], method: ["request.method"], host: ["request.host"],
      time: ["ts"], status: ["status"], size: ["size"]),
    JSONLogNames(
      format: "traefik-json", target: ["RequestPath"], method: ["RequestMethod"],
      host: ["RequestHost", "RequestAddr"], time: ["StartUTC", "StartLocal", "time"],
      status: ["DownstreamStatus", "OriginStatus"],
      size: ["DownstreamContentSize", "OriginContentSize"]),
    JSONLogNames(
      format: "cloudflare", target: ["ClientRequestURI"], method: ["ClientRequestMethod"],
      host: ["ClientRequestHost"], time: ["EdgeStartTimestamp"], status: ["EdgeResponseStatus"],
      size: ["EdgeResponseBytes"]),
    JSONLogNames(
      format: "fastly-json", target: ["url"], method: ["request_method", "request", "method"],
      host: ["host"], time: ["timestamp", "time_start", "time"],
      status: ["response_status", "status"],
      size: ["response_body_size", "resp_body_size", "bytes_sent", "size"]),
    JSONLogNames(
      format: "nginx-json", request: ["request"],
      target: ["request_uri", "uri", "url", "path"], query: ["args", "query_string"],
      method: ["request_method", "method", "verb"],
      host: ["host", "http_host", "server_name", "vhost"],
      time: [
        "msec", "time_iso8601", "time_local", "timestamp", "@timestamp", "time", "ts", "date",
      ],
      status: ["status", "response_status", "code"],
      size: ["body_bytes_sent", "bytes_sent", "response_size", "size", "bytes"]),
  ]
}

/// Reads JSON logs of one program.
struct JSONLog: LogFormat {
  private let names: JSONLogNames

  /// A reader for what a program calls things.
  init(_ names: JSONLogNames) { self.names = names }

  static func resembles(_ line: ArraySlice<UInt8>) -> Bool { JSONFields(line) != nil }

  func read(_ line: ArraySlice<UInt8>) throws(LineProblem) -> TraceRequest? {
    guard let fields = JSONFields(line) else { throw LineProblem("is no JSON object") }
    let request = try request(fields, line)
    var result = TraceRequest(
      line: 0, time: 0, method: request.method, key: request.target, size: 0)
    result.host = fields.first(names.host)
    result.status = fields.first(names.status).flatMap { TraceColumns.number($0) }
    if let time = fields.first(names.time) {
      guard let seconds = TraceTime.any(time) else {
        throw LineProblem(
          "its time cannot be read: \(String(decoding: time.prefix(40), as: UTF8.self))", .time)
      }
      result.time = seconds
    } else {
      result.isTimed = false
    }
    if let size = fields.first(names.size) {
      result.size = try Words.size(size[...])
    } else {
      result.isSized = false
    }
    return result
  }

  private func request(
    _ fields: JSONFields, _ text: ArraySlice<UInt8>
  ) throws(LineProblem) -> RequestLine {
    if let line = fields.first(names.request), line.contains(UInt8(ascii: " ")) {
      return try RequestLine(line[...])
    }
    guard var target = fields.first(names.target) else {
      throw LineProblem(
        "has no target in \((names.request + names.target).joined(separator: ", ")); it has "
          + (JSONFields.names(text) ?? "no field"), .request)
    }
    if let query = fields.first(names.query), !query.isEmpty, !target.contains(UInt8(ascii: "?")) {
      target += [UInt8(ascii: "?")] + query
    }
    let method = fields.first(names.method) ?? Array("GET".utf8)
    return try RequestLine(method: method[...], target: target[...])
  }
}
