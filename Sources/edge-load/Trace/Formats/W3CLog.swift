// The extended log file format of W3C, whose columns are named by a line that begins with #Fields: the standard logs of
// CloudFront (tabs), and those of IIS (spaces).

/// Reads the extended log file format.
struct W3CLog: LogFormat {
  /// What the line begins with that names the columns.
  static let heading = Array("#Fields:".utf8)

  private var names: [String] = []
  private var separator = UInt8(ascii: "\t")

  static func resembles(_ line: ArraySlice<UInt8>) -> Bool { line.starts(with: heading) }

  mutating func read(_ line: ArraySlice<UInt8>) throws(LineProblem) -> TraceRequest? {
    if line.starts(with: Self.heading) {
      let words = line.dropFirst(Self.heading.count).split { $0 == 0x20 || $0 == 0x09 }
      names = words.map { String(decoding: $0, as: UTF8.self).lowercased() }
      separator = 0
      return nil
    }
    guard !names.isEmpty else {
      throw LineProblem("has no line before it that begins with #Fields:")
    }
    // The heading of CloudFront has spaces where its rows have tabs.
    if separator == 0 { separator = line.contains(0x09) ? 0x09 : 0x20 }
    let columns = line.split(separator: separator, omittingEmptySubsequences: false)
    guard columns.count >= names.count else {
      throw LineProblem("has \(columns.count) columns where there are \(names.count) names")
    }
    func column(_ wanted: [String]) -> ArraySlice<UInt8>? {
      for name in wanted {
        guard let place = names.firstIndex(of: name) else { continue }
        if !columns[place].elementsEqual("-".utf8), !columns[place].isEmpty {
          return columns[place]
        }
      }
      return nil
    }
    guard var target = column(["cs-uri-stem", "cs-uri"]) else {
      throw LineProblem("has no cs-uri-stem", .request)
    }
    if let query = column(["cs-uri-query"]), !target.contains(UInt8(ascii: "?")) {
      target = (target + [UInt8(ascii: "?")] + query)[...]
    }
    let request = try RequestLine(
      method: column(["cs-method"]) ?? Array("GET".utf8)[...], target: target)
    var result = TraceRequest(
      line: 0, time: 0, method: request.method, key: request.target, size: 0)
    result.host = column(["x-host-header", "cs-host", "cs(host)"]).map { Array($0) }
    result.status = column(["sc-status"]).flatMap(TraceColumns.number)
    if let date = column(["date"]), let time = column(["time"]) {
      guard let seconds = TraceTime.iso(date + [UInt8(ascii: "T")] + time + [UInt8(ascii: "Z")])
      else {
        throw LineProblem("its date and time are not like 2019-12-04 and 21:02:31", .time)
      }
      result.time = seconds
    } else if let stamp = column(["timestamp"]) {
      guard let seconds = TraceTime.any(Array(stamp)) else {
        throw LineProblem("its time cannot be read", .time)
      }
      result.time = seconds
    } else {
      result.isTimed = false
    }
    if let bytes = column(["sc-bytes"]) {
      result.size = try Words.size(bytes)
    } else {
      result.isSized = names.contains("sc-bytes")
    }
    return result
  }
}
