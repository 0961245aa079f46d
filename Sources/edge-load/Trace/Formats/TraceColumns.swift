// Rows of a table: comma-separated values (RFC 4180 without line ends within a field), or columns
// between tabs or spaces. Columns are found by the names in a heading; without one they are time, key
// and size, in this order, and whatever follows is left alone.

/// Which column of a row is what.
struct TraceColumns: Equatable, Sendable {
  private var separator: UInt8
  private var time: Int?
  private var key: Int
  private var size: Int
  private var method: Int?
  private var status: Int?

  /// Whether the first line is a heading and not a request.
  let isHeading: Bool

  private static let times = ["time", "timestamp", "ts"]
  private static let keys = [
    "key", "objid", "obj_id", "object_id", "id", "url", "uri", "path", "target",
  ]
  private static let sizes = [
    "size", "bytes", "obj_size", "object_size", "value_size", "content_length", "length",
  ]

  /// The columns of a table that begins with this line.
  init(first line: [UInt8]) throws(LineProblem) {
    separator = Self.separator(of: line)
    let names = try Self.fields(line, separator).map {
      String(decoding: $0, as: UTF8.self).lowercased()
    }
    func place(_ wanted: [String]) -> Int? { names.firstIndex { wanted.contains($0) } }
    if let key = place(Self.keys), let size = place(Self.sizes) {
      (self.key, self.size) = (key, size)
      time = place(Self.times)
      method = place(["method", "op"])
      status = place(["status", "code"])
      isHeading = true
      return
    }
    if let problem = Self.heading(names, separator) { throw LineProblem(problem) }
    guard names.count >= 3, Self.seconds(Array(names[0].utf8)) != nil else {
      throw LineProblem(
        "is neither time, key and size, nor a heading that names a key"
          + " (\(Self.keys.joined(separator: ", "))) and a size"
          + " (\(Self.sizes.joined(separator: ", ")))")
    }
    (time, key, size) = (0, 1, 2)
    isHeading = false
  }

  /// What a heading lacks whose names say neither key nor size; nil for what is no heading.
  static func foreignHeading(_ line: [UInt8]) -> String? {
    let separator = separator(of: line)
    guard let fields = try? fields(line, separator) else { return nil }
    return heading(fields.map { String(decoding: $0, as: UTF8.self) }, separator)
  }

  /// Words in columns are a heading.
  private static func heading(_ names: [String], _ separator: UInt8) -> String? {
    let isHeading =
      separator != UInt8(ascii: " ") && names.count > 1
      && names.allSatisfy { name in
        name.first?.isLetter == true && name.count <= 40
          && name.allSatisfy { $0.isLetter || $0.isNumber || "_-. ()".contains($0) }
      }
    guard isHeading else { return nil }
    let known = names.map { $0.lowercased() }
    let lacks = [("key", keys), ("size", sizes)].filter { !known.contains(where: $0.1.contains) }
      .map { "no \($0.0) (\($0.1.joined(separator: ", ")))" }
    guard !lacks.isEmpty else { return nil }
    return "its heading (\(names.prefix(20).joined(separator: ", "))) names "
      + lacks.joined(separator: " and ")
  }

  /// The request of a row.
  func read(_ line: [UInt8]) throws(LineProblem) -> TraceRequest {
    let fields = try Self.fields(line, separator)
    let needed = max(key, size, max(time ?? 0, max(method ?? 0, status ?? 0)))
    guard fields.count > needed else {
      throw LineProblem("has \(fields.count) columns where \(needed + 1) or more are expected")
    }
    guard let bytes = Self.size(fields[size]) else {
      throw LineProblem("'\(Self.text(fields[size]))' is no size in bytes", .size)
    }
    guard !fields[key].isEmpty else { throw LineProblem("the key is empty", .request) }
    var request = TraceRequest(line: 0, time: 0, key: fields[key], size: bytes)
    request.isTimed = time != nil
    if let time {
      guard let seconds = Self.seconds(fields[time]) else {
        throw LineProblem(
          "'\(Self.text(fields[time]))' is no time in seconds or as RFC 3339 has it", .time)
      }
      request.time = seconds
    }
    if let method { request.method = Self.text(fields[method]).uppercased() }
    if let status {
      guard let code = Self.number(fields[status]) else {
        throw LineProblem("'\(Self.text(fields[status]))' is no status")
      }
      request.status = code
    }
    return request
  }

  // MARK: Fields

  /// What stands between columns: a comma if there is one, else a tab, else spaces.
  private static func separator(of line: [UInt8]) -> UInt8 {
    for separator in [UInt8(ascii: ","), UInt8(ascii: "\t")] where line.contains(separator) {
      return separator
    }
    return UInt8(ascii: " ")
  }

  private static func fields(
    _ line: [UInt8], _ separator: UInt8
  ) throws(LineProblem) -> [[UInt8]] {
    let quote = UInt8(ascii: "\"")
    let space = UInt8(ascii: " ")
    var fields: [[UInt8]] = []
    guard line.contains(quote) else {
      for field in line.split(separator: separator, omittingEmptySubsequences: separator == space) {
        var field = field
        while field.first == space { field.removeFirst() }
        while field.last == space { field.removeLast() }
        fields.append(Array(field))
      }
      return fields
    }
    var field: [UInt8] = []
    var place = 0
    while place <= line.count {
      guard place < line.count, line[place] != separator else {
        if separator != space || !field.isEmpty { fields.append(field) }
        field = []
        place += 1
        continue
      }
      guard line[place] == quote, field.isEmpty else {
        if line[place] != space || !field.isEmpty { field.append(line[place]) }
        place += 1
        continue
      }
      place += 1
      // A quote within quotes is written twice.
      while true {
        guard place < line.count else { throw LineProblem("a quoted column does not end") }
        if line[place] == quote {
          place += 1
          guard place < line.count, line[place] == quote else { break }
        }
        field.append(line[place])
        place += 1
      }
    }
    return fields
  }

  private static func text(_ field: [UInt8]) -> String {
    String(decoding: field.prefix(40), as: UTF8.self)
  }

  /// A whole number that is not negative.
  static func number(_ field: some Sequence<UInt8>) -> Int? {
    var value = 0
    var hasDigits = false
    for byte in field {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      let (scaled, overflows) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflowsToo) = scaled.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
      if overflows || overflowsToo { return nil }
      (value, hasDigits) = (sum, true)
    }
    return hasDigits ? value : nil
  }

  /// A size in bytes; some programs write whole numbers as `17.0`.
  private static func size(_ field: [UInt8]) -> Int? {
    number(field.suffix(2).elementsEqual(".0".utf8) ? field.dropLast(2) : field[...])
      .flatMap { $0 <= TraceRequest.largest ? $0 : nil }
  }

  /// A time: a number of seconds, with or without a fraction, or a date with a time of the day.
  static func seconds(_ field: [UInt8]) -> Double? {
    TraceTime.number(field) ?? TraceTime.iso(field)
  }

  /// Rows as a format of logs: the first line says which columns there are.
  struct Rows: LogFormat {
    private var columns: TraceColumns?
    /// What a heading lacks that names other things: then no row is a request.
    private var lack: String?

    static func resembles(_ line: ArraySlice<UInt8>) -> Bool {
      guard let columns = try? TraceColumns(first: Array(line)) else { return false }
      return columns.isHeading || (try? columns.read(Array(line))) != nil
    }

    mutating func read(_ line: ArraySlice<UInt8>) throws(LineProblem) -> TraceRequest? {
      let line = Array(line)
      if let columns { return try columns.read(line) }
      if let lack { throw LineProblem(lack) }
      lack = TraceColumns.foreignHeading(line)
      let columns = try TraceColumns(first: line)
      self.columns = columns
      return columns.isHeading ? nil : try columns.read(line)
    }

    /// Rows do not come by way of syslog, and a key may look as if they did.
    mutating func take(_ line: ArraySlice<UInt8>) throws(LineProblem) -> TraceRequest? {
      try read(line)
    }
  }
}
