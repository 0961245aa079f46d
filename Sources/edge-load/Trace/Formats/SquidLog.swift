// Squid's native format:
//
//   1286536309.586    921 192.0.2.20 TCP_MISS/200 507 GET http://www.example/a - HIER_DIRECT/192.0.2.1 text/html

/// Reads Squid's native format.
struct SquidLog: LogFormat {
  static func resembles(_ line: ArraySlice<UInt8>) -> Bool {
    let words = line.split(separator: UInt8(ascii: " "), maxSplits: 4)
    guard words.count == 5, TraceTime.number(words[0]) != nil else { return false }
    return isResult(words[3])
  }

  func read(_ line: ArraySlice<UInt8>) throws(LineProblem) -> TraceRequest? {
    let words = line.split(separator: UInt8(ascii: " "))
    guard words.count >= 9, Self.isResult(words[3]) else {
      throw LineProblem("has no time, result, size, method and URL as Squid writes them")
    }
    guard let seconds = TraceTime.number(words[0]) else {
      throw LineProblem("its time is no number of seconds", .time)
    }
    // Between the method and the user there is nothing but the URL, whatever is in it.
    let last = words[words.count - 4]
    let target = line[words[6].startIndex..<max(last.endIndex, words[6].endIndex)]
    let request = try RequestLine(method: words[5], target: target)
    let status = words[3].split(separator: UInt8(ascii: "/")).last.flatMap(TraceColumns.number)
    return TraceRequest(
      line: 0, time: seconds, method: request.method, key: request.target,
      size: try Words.size(words[4]), status: status)
  }

  /// `TCP_MISS/200` and others.
  private static func isResult(_ word: ArraySlice<UInt8>) -> Bool {
    let parts = word.split(separator: UInt8(ascii: "/"))
    return parts.count == 2 && TraceColumns.number(parts[1]) != nil
      && parts[0].allSatisfy { (0x41...0x5A).contains($0) || $0 == 0x5F }
  }
}
