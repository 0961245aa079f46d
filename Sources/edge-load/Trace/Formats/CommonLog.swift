// The common and the combined log format, as Apache, nginx, Traefik, Fastly and edge-pop write them:
//
//   host ident user [10/Oct/2000:13:55:36 -0700] "GET /a.gif HTTP/1.0" 200 2326 "referer" "agent"
//
// What stands before the time and after the size is left alone, so that formats which add columns there are read as
// well. The host that was asked stands before the client's address, if at all (vhost_combined).

/// Reads the common log format and those that add to it.
struct CommonLog: LogFormat {
  static func resembles(_ line: ArraySlice<UInt8>) -> Bool {
    var place = line.startIndex
    while let open = line[place...].firstIndex(of: UInt8(ascii: "[")) {
      place = open + 1
      guard let close = line[open...].prefix(64).firstIndex(of: UInt8(ascii: "]")) else { continue }
      // Something like a time, though perhaps none.
      let text = line[(open + 1)..<close]
      guard let first = text.first, (0x30...0x39).contains(first),
        text.count(where: { $0 == UInt8(ascii: ":") }) >= 2
      else { continue }
      return line[close...].contains(UInt8(ascii: "\""))
    }
    return false
  }

  func read(_ line: ArraySlice<UInt8>) throws(LineProblem) -> TraceRequest? {
    let stamp = try Self.stamp(line)
    var rest = Words.trimmed(line[stamp.end...])
    let request: RequestLine
    if rest.contains(UInt8(ascii: "\"")) {
      // A quote that nobody escaped does not end the request; the one before the status does.
      guard let text = Words.quoted(&rest, isEnd: Self.isStatus) else {
        throw LineProblem("has no request line in quotes", .request)
      }
      request = try RequestLine(Words.unescaped(text)[...])
    } else {
      request = try Self.unquoted(&rest)
    }
    let columns = Words.take(2, &rest)
    guard let word = columns.first, let status = TraceColumns.number(word) else {
      throw LineProblem("has no status and size after the request line")
    }
    var result = TraceRequest(
      line: 0, time: stamp.seconds, method: request.method, key: request.target, size: 0,
      status: status, host: Self.host(line[..<stamp.start]))
    if columns.count == 2 {
      result.size = try Words.size(columns[1])
    } else if stamp.isQuoted {
      throw LineProblem("has no status and size after the request line")
    } else {
      result.isSized = false
    }
    return result
  }

  /// Where the time is: the first brackets that hold one, for a user or an IPv6 address may bring brackets of its own.
  private static func stamp(
    _ line: ArraySlice<UInt8>
  ) throws(LineProblem) -> (seconds: Double, start: Int, end: Int, isQuoted: Bool) {
    var sawBrackets = false
    var place = line.startIndex
    while let open = line[place...].firstIndex(of: UInt8(ascii: "[")) {
      place = open + 1
      guard let close = line[open...].prefix(64).firstIndex(of: UInt8(ascii: "]")) else { continue }
      sawBrackets = true
      let text = Array(line[(open + 1)..<close])
      if let seconds = TraceTime.accessLog(text) ?? TraceTime.iso(text) {
        return (seconds, open, close + 1, line[close...].contains(UInt8(ascii: "\"")))
      }
    }
    if let (seconds, range) = TraceTime.httpDate(in: line) {
      return (seconds, range.lowerBound, range.upperBound, false)
    }
    throw sawBrackets
      ? LineProblem("its time is not like 10/Oct/2000:13:55:36 -0700", .time)
      : LineProblem("has no time in brackets", .time)
  }

  /// A request line without quotes, as the first version of Fastly's formats has it: it ends before the status.
  private static func unquoted(
    _ rest: inout ArraySlice<UInt8>
  ) throws(LineProblem) -> RequestLine {
    let start = rest
    var place = rest.startIndex
    while let space = rest[place...].firstIndex(of: UInt8(ascii: " ")) {
      if isStatus(rest[space...]) {
        rest = rest[space...]
        return try RequestLine(start[..<space])
      }
      place = space + 1
    }
    throw LineProblem("has no request line in quotes", .request)
  }

  /// Whether a text begins with spaces and a status.
  private static func isStatus(_ text: ArraySlice<UInt8>) -> Bool {
    guard text.first == UInt8(ascii: " ") else { return false }
    let word = text.drop { $0 == UInt8(ascii: " ") }.prefix { $0 != UInt8(ascii: " ") }
    return word.count == 3 && TraceColumns.number(word) != nil
  }

  /// The host of `host[:port] address ident user`; nil where the address comes first.
  private static func host(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    var rest = text
    let words = Words.take(4, &rest)
    guard words.count == 4 || words.count == 3 && rest.contains(UInt8(ascii: "\"")),
      words[1].contains(where: { (0x30...0x39).contains($0) }),
      words[1].contains(UInt8(ascii: ".")) || words[1].contains(UInt8(ascii: ":"))
    else { return nil }
    let name = words[0].prefix { $0 != UInt8(ascii: ":") }
    let hasLetter = name.contains { ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A }
    return hasLetter ? Array(name) : nil
  }
}
