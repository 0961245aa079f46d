// Request logs, to be replayed or simulated: rows of time, key and size, or the access logs that web
// servers write. The form is told by the first line, so that nobody has to name it.
//
// A reader goes through a file once and holds one line of it. A line that is not understood is an
// error with its number; whoever wants to go on may, for the reader then stands behind that line.

/// One request of a log.
struct TraceRequest: Equatable, Sendable {
  /// The number of its line, counted from 1.
  var line: Int
  /// Seconds, from whatever moment the log counts; 0 where the log has no times.
  var time: Double
  /// The method; `GET` where the log does not say.
  var method = "GET"
  /// What was asked for: the request target of an access log, the key column of rows.
  var key: [UInt8]
  /// Bytes of content.
  var size: Int
  /// The status that was sent, where the log says.
  var status: Int?
}

/// Why a log cannot be read, or what is wrong with one line of it.
struct TraceProblem: Error, Equatable, CustomStringConvertible {
  /// The file as it was named.
  var path: String
  /// The number of the line, if it is about one.
  var line: Int?
  /// The rest of the sentence.
  var reason: String

  /// A problem with a file or with one of its lines.
  init(_ path: String, line: Int? = nil, _ reason: String) {
    (self.path, self.line, self.reason) = (path, line, reason)
  }

  var description: String {
    line.map { "\(path), line \($0): \(reason)" } ?? "\(path) \(reason)"
  }
}

/// Reads the requests of a log in their order.
struct TraceReader {
  private enum Form {
    case rows(TraceColumns)
    case accessLog
  }

  private let path: String
  private let lines: TraceLines
  private var form: Form?

  /// Opens a log; a file that gzip compressed is decompressed, and `-` is standard input.
  init(path: String) throws(TraceProblem) {
    self.path = path
    lines = try TraceLines(path: path)
  }

  /// The next request; nil at the end of the log.
  ///
  /// After a problem with a line (one that has a number) it may be called again and goes on with the
  /// line after it.
  mutating func next() throws(TraceProblem) -> TraceRequest? {
    while var line = try lines.next() {
      if lines.number == 1, line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
      // Blank lines and comments.
      guard let first = line.first(where: { $0 != UInt8(ascii: " ") }) else { continue }
      if first == UInt8(ascii: "#") { continue }
      if let request = try read(line) { return request }
    }
    return nil
  }

  /// The request of a line; nil for a heading.
  private mutating func read(_ line: [UInt8]) throws(TraceProblem) -> TraceRequest? {
    do {
      switch form {
      case .accessLog: return try AccessLogLine.read(line, number: lines.number)
      case .rows(let columns): return try columns.read(line, number: lines.number)
      case nil:
        if AccessLogLine.isLikely(line) {
          form = .accessLog
          return try AccessLogLine.read(line, number: lines.number)
        }
        let columns = try TraceColumns(first: line)
        form = .rows(columns)
        return columns.isHeading ? nil : try columns.read(line, number: lines.number)
      }
    } catch {
      throw TraceProblem(path, line: lines.number, error.reason)
    }
  }
}

/// What is wrong with a line, before anybody knows which one it is.
struct LineProblem: Error {
  var reason: String

  init(_ reason: String) { self.reason = reason }
}
