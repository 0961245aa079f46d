// Request logs, to be replayed or simulated. The format is told by the first lines, so that nobody has to name it.
//
// A reader goes through a file once and holds a few lines of it. A line that is not understood is an error with its
// number; whoever wants to go on may, for the reader then stands behind that line.

import EdgeFleet

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
  /// Bytes of content; 0 where the log does not say.
  var size: Int
  /// The status that was sent, where the log says.
  var status: Int?
  /// The host that was asked, where the log has it apart from the target.
  var host: [UInt8]?
  /// Whether the log has a time for it.
  var isTimed = true
  /// Whether the log says how many bytes were sent.
  var isSized = true

  /// The largest size that is believed: a pebibyte.
  static let largest = 1 << 50

  /// What a cache would know it by: the target, behind the host where that is known.
  var cacheKey: [UInt8] { (host ?? []) + key }
}

/// Why a line of a log is left out.
enum LeftOut: String, CaseIterable, Sendable {
  /// The method is none that is wanted.
  case method
  /// The status is none that is wanted.
  case status
  /// There is no request: the client sent none, or something else.
  case request
  /// The time cannot be read.
  case time
  /// The size cannot be read, or is not there.
  case size
  /// It is no line of this format.
  case format
  /// It is longer than any line of a log.
  case tooLong

  /// The words for it.
  var label: String {
    switch self {
    case .method: "of another method"
    case .status: "of another status than 200"
    case .request: "without a request that can be made"
    case .time: "without a time that can be read"
    case .size: "without a size that can be read"
    case .format: "not of this format"
    case .tooLong: "longer than 1 MiB"
    }
  }
}

/// Why a log cannot be read, or what is wrong with one line of it.
struct TraceProblem: Error, Equatable, CustomStringConvertible {
  /// The file as it was named.
  var path: String
  /// The number of the line, if it is about one.
  var line: Int?
  /// The rest of the sentence.
  var reason: String
  /// Why the line is left out by who goes on.
  var kind = LeftOut.format

  /// A problem with a file or, if it has a number, with a line.
  init(_ path: String, line: Int? = nil, _ reason: String, _ kind: LeftOut = .format) {
    (self.path, self.line, self.reason, self.kind) = (path, line, reason, kind)
  }

  /// The sentence. What stands in a log is not to do anything to a terminal.
  var description: String {
    Terminal.plain(line.map { "\(path), line \($0): \(reason)" } ?? "\(path) \(reason)")
  }
}

/// What is wrong with a line, before anybody knows which one it is.
struct LineProblem: Error {
  var reason: String
  var kind: LeftOut

  init(_ reason: String, _ kind: LeftOut = .format) { (self.reason, self.kind) = (reason, kind) }
}

/// Reads the requests of a log in their order.
struct TraceReader {
  /// A line with its number, or what is wrong with it.
  private enum Line {
    case text(Int, [UInt8])
    case problem(TraceProblem)
  }

  private let path: String
  private let lines: TraceLines
  /// The format's name; nil until the first lines were seen.
  private(set) var formatName: String?
  private var format: (any LogFormat)?
  /// Lines that were read to find the format, the next one last.
  private var waiting: [Line] = []

  /// As many lines are looked at to find the format.
  private static let firstLines = 32

  /// Opens a log; a file that gzip compressed is decompressed, and `-` is standard input. A format that is named is not
  /// looked for.
  init(path: String, format name: String? = nil) throws(TraceProblem) {
    self.path = path == "-" ? "standard input" : path
    if let name {
      guard let kind = LogFormatKind.named(name) else {
        throw TraceProblem(name, "is no format; there is \(LogFormatKind.names)")
      }
      (formatName, format) = (kind.name, kind.make())
    }
    lines = try TraceLines(path: path)
  }

  /// The next request; nil at the end of the log.
  ///
  /// After a problem with a line (one that has a number) it may be called again and goes on with the
  /// line after it.
  mutating func next() throws(TraceProblem) -> TraceRequest? {
    if format == nil { try findFormat() }
    while true {
      var line = waiting.popLast()
      if line == nil { line = try nextLine() }
      switch line {
      case nil: return nil
      case .problem(let problem): throw problem
      case .text(let number, let text):
        do {
          if var request = try format?.take(text[...]) {
            request.line = number
            return request
          }
        } catch {
          throw TraceProblem(path, line: number, error.reason, error.kind)
        }
      }
    }
  }

  /// The next line that holds something.
  private func nextLine() throws(TraceProblem) -> Line? {
    do throws(TraceProblem) {
      while var line = try lines.next() {
        if lines.number == 1, line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        if let first = line.first(where: { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }),
          first != UInt8(ascii: "#") || line.starts(with: W3CLog.heading)
        {
          return .text(lines.number, line)
        }
      }
      return nil
    } catch {
      guard error.line != nil else { throw error }
      return .problem(error)
    }
  }

  private mutating func findFormat() throws(TraceProblem) {
    var first: [Line] = []
    var failure: TraceProblem?
    while first.count < Self.firstLines {
      do throws(TraceProblem) {
        guard let line = try nextLine() else { break }
        first.append(line)
        // A file without any line ends is no log, and may have no end.
        if case .problem(let problem) = line, first.count == 1 { throw problem }
      } catch {
        failure = error
        break
      }
    }
    let texts = first.compactMap { line -> ArraySlice<UInt8>? in
      if case .text(_, let text) = line { text[...] } else { nil }
    }
    guard let kind = LogFormatKind.recognised(texts) else {
      if let failure { throw failure }
      guard case .text(let number, let text)? = first.first else {
        format = TraceColumns.Rows()
        return
      }
      let sample = String(decoding: text.prefix(100), as: UTF8.self)
      throw TraceProblem(
        path,
        "is in no format that is known; its line \(number) is '\(sample)'. Give it with "
          + "--format: \(LogFormatKind.names)")
    }
    (formatName, format) = (kind.name, kind.make())
    waiting = first.reversed()
    // What broke off so early does so again when the lines before it have been read.
    if let failure { waiting.insert(.problem(failure), at: 0) }
  }
}
