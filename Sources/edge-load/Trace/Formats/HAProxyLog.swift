// HAProxy's HTTP log format, and what HTTPS adds behind it:
//
//   192.0.2.1:33317 [06/Feb/2009:12:14:14.655] front back/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {x}
//     "GET /index.html HTTP/1.1"
//
// Its times have no zone; they are taken as UTC. Bytes that a terminal should not see are written as #HH.

/// Reads HAProxy's HTTP log format.
struct HAProxyLog: LogFormat {
  static func resembles(_ line: ArraySlice<UInt8>) -> Bool {
    time(line) != nil
  }

  func read(_ line: ArraySlice<UInt8>) throws(LineProblem) -> TraceRequest? {
    guard let (seconds, end) = Self.time(line) else {
      throw LineProblem("its time is not like [06/Feb/2009:12:14:14.655]", .time)
    }
    var rest = line[end...]
    // Frontend, backend and server, times, status, bytes.
    let columns = Words.take(5, &rest)
    guard columns.count == 5, columns[2].count(where: { $0 == UInt8(ascii: "/") }) >= 2 else {
      throw LineProblem("has no frontend, server, times, status and size behind the time")
    }
    // Captured fields stand between braces and may hold anything but a quote.
    guard let text = Words.quoted(&rest) else {
      throw LineProblem("has no request line in quotes", .request)
    }
    guard !text.starts(with: "<BADREQ>".utf8) else {
      throw LineProblem("its client sent no request", .request)
    }
    let request = try RequestLine(Words.unhashed(text)[...])
    let size = columns[4].first == UInt8(ascii: "+") ? columns[4].dropFirst() : columns[4]
    return TraceRequest(
      line: 0, time: seconds, method: request.method, key: request.target,
      size: try Words.size(size), status: TraceColumns.number(columns[3]))
  }

  /// The time, and where the rest of the line begins.
  private static func time(_ line: ArraySlice<UInt8>) -> (Double, Int)? {
    var place = line.startIndex
    while let open = line[place...].firstIndex(of: UInt8(ascii: "[")) {
      place = open + 1
      guard let close = line[open...].prefix(32).firstIndex(of: UInt8(ascii: "]")) else { continue }
      if let seconds = TraceTime.haproxy(Array(line[(open + 1)..<close])) {
        return (seconds, close + 1)
      }
    }
    return nil
  }
}
