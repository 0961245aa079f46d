// The logs of Amazon's load balancers: application load balancers, and classic ones, which lack the first column.
//
//   h2 2018-07-02T22:23:00.186641Z app/my-lb/50dc6c49 192.0.2.1:2817 192.0.2.9:80 0.000 0.001 0.000 200 200 34 366
//     "GET https://www.example:443/ HTTP/2.0" "curl/7.46.0" …

/// Reads the logs of Amazon's load balancers.
struct LoadBalancerLog: LogFormat {
  static func resembles(_ line: ArraySlice<UInt8>) -> Bool {
    var rest = line
    return offset(Words.take(2, &rest)) != nil
  }

  func read(_ line: ArraySlice<UInt8>) throws(LineProblem) -> TraceRequest? {
    var rest = line
    let words = Words.take(12, &rest)
    guard let offset = Self.offset(words), words.count == 11 + offset,
      let seconds = TraceTime.iso(Array(words[offset]))
    else { throw LineProblem("has no time, balancer, client, target, times, statuses and sizes") }
    guard let text = Words.quoted(&rest) else {
      throw LineProblem("has no request line in quotes", .request)
    }
    let request = try RequestLine(Words.unescaped(text)[...])
    return TraceRequest(
      line: 0, time: seconds, method: request.method, key: request.target,
      size: try Words.size(words[offset + 10]), status: TraceColumns.number(words[offset + 7]))
  }

  /// How many columns there are before the time.
  private static func offset(_ words: [ArraySlice<UInt8>]) -> Int? {
    guard words.count >= 2 else { return nil }
    let types = ["http", "https", "h2", "grpcs", "ws", "wss"]
    if types.contains(String(decoding: words[0], as: UTF8.self)) {
      return TraceTime.iso(Array(words[1])) == nil ? nil : 1
    }
    return TraceTime.iso(Array(words[0])) == nil ? nil : 0
  }
}
