// A line of an access log in the common or the combined log format, as Apache, nginx and edge-pop
// write it:
//
//   host ident user [10/Oct/2000:13:55:36 -0700] "GET /a.gif HTTP/1.0" 200 2326 "referer" "agent"
//
// What stands before the bracket and after the size is left alone, so that formats which add columns
// there are read as well.

/// Reads lines of an access log.
enum AccessLogLine {
  /// Whether a log that begins with this line is an access log.
  static func isLikely(_ line: [UInt8]) -> Bool {
    guard let open = line.firstIndex(of: UInt8(ascii: "[")),
      let close = line[open...].firstIndex(of: UInt8(ascii: "]")),
      let quote = line.firstIndex(of: UInt8(ascii: "\""))
    else { return false }
    return open < close && close < quote
  }

  /// The request of a line. A size of `-` is none: 0.
  static func read(_ line: [UInt8], number: Int) throws(LineProblem) -> TraceRequest {
    guard let open = line.firstIndex(of: UInt8(ascii: "[")),
      let close = line[open...].firstIndex(of: UInt8(ascii: "]"))
    else { throw LineProblem("has no time in brackets") }
    guard let time = TraceTime.accessLog(Array(line[(open + 1)..<close])) else {
      throw LineProblem("its time is not like 10/Oct/2000:13:55:36 -0700")
    }
    guard let quote = line[close...].firstIndex(of: UInt8(ascii: "\"")),
      let end = endOfQuoted(line, from: quote + 1)
    else { throw LineProblem("has no request line in quotes") }
    let words = line[(quote + 1)..<end].split(separator: UInt8(ascii: " "))
    // HTTP/0.9 had no version, and some clients send spaces within the target.
    let hasVersion = words.count > 2 && words[words.count - 1].starts(with: "HTTP/".utf8)
    let target = words.dropFirst().dropLast(hasVersion ? 1 : 0)
    guard let method = words.first, let last = target.last, let first = target.first else {
      throw LineProblem("its request line has no target")
    }
    let columns = line[(end + 1)...].split(separator: UInt8(ascii: " "), maxSplits: 2)
    guard columns.count >= 2, let status = TraceColumns.number(columns[0]) else {
      throw LineProblem("has no status and size after the request line")
    }
    let isNothing = columns[1].elementsEqual("-".utf8)
    guard let size = isNothing ? 0 : TraceColumns.number(columns[1]) else {
      throw LineProblem("its size is no number of bytes")
    }
    return TraceRequest(
      line: number, time: time, method: String(decoding: method, as: UTF8.self),
      key: unescaped(line[first.startIndex..<last.endIndex]), size: size, status: status)
  }

  /// Where a quoted column ends; a quote after a backslash is part of it.
  private static func endOfQuoted(_ line: [UInt8], from start: Int) -> Int? {
    var place = start
    while place < line.count {
      if line[place] == UInt8(ascii: "\"") { return place }
      place += line[place] == UInt8(ascii: "\\") ? 2 : 1
    }
    return nil
  }

  /// The bytes that a log writes as `\xHH`, `\"` or `\\`.
  private static func unescaped(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    guard bytes.contains(UInt8(ascii: "\\")) else { return Array(bytes) }
    var result: [UInt8] = []
    var place = bytes.startIndex
    while place < bytes.endIndex {
      let byte = bytes[place]
      let rest = bytes[(place + 1)...]
      if byte == UInt8(ascii: "\\"), rest.first == UInt8(ascii: "x"), rest.count >= 3,
        let code = UInt8(String(decoding: rest.dropFirst().prefix(2), as: UTF8.self), radix: 16)
      {
        result.append(code)
        place += 4
      } else if byte == UInt8(ascii: "\\"), let escaped = rest.first {
        result.append(escaped)
        place += 2
      } else {
        result.append(byte)
        place += 1
      }
    }
    return result
  }
}
