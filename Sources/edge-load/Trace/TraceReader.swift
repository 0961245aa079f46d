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

    /// The line; nil for a problem.
    var bytes: ArraySlice<UInt8>? {
      if case .text(_, let bytes) = self { bytes[...] } else { nil }
    }
  }

  private let path: String
  private let lines: TraceLines
  /// The format's name; nil until the first lines were seen.
  private(set) var formatName: String?
  private var format: (any LogFormat)?
  /// Whether it was said that nothing of it can be read.
  private var isRefused = false
  /// The formats that it may be in.
  private let candidates: [LogFormatKind]
  /// Whether somebody has said what it is.
  private let isNamed: Bool
  /// Lines that were read to find the format, the next one last.
  private var waiting: [Line] = []

  /// As many lines are looked at to find the format; more, if none of them is a request.
  private static let firstLines = [32, 1024]
  /// And no more once they are so long, in bytes.
  private static let firstBytes = 4 << 20

  /// Opens a log; a file that gzip compressed is decompressed, and `-` is standard input. A format that is named is not
  /// looked for.
  init(path: String, format name: String? = nil) throws(TraceProblem) {
    self.path = path == "-" ? "standard input" : path
    isNamed = name != nil
    candidates = name.map(LogFormatKind.named) ?? LogFormatKind.all
    guard let kind = candidates.first else {
      throw TraceProblem(name ?? "", "is no format; there is \(LogFormatKind.choice)")
    }
    if candidates.count == 1 { (formatName, format) = (kind.name, kind.make()) }
    lines = try TraceLines(path: path)
  }

  /// The next request; nil at the end of the log.
  ///
  /// After a problem with a line (one that has a number) it may be called again and goes on with the
  /// line after it.
  mutating func next() throws(TraceProblem) -> TraceRequest? {
    if isRefused { return nil }
    if format == nil {
      do throws(TraceProblem) {
        try findFormat()
      } catch {
        isRefused = true
        throw error
      }
    }
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
    var found: (kind: LogFormatKind, read: Int)?
    for count in Self.firstLines where failure == nil && found?.read ?? 0 == 0 {
      failure = try gather(&first, upTo: count)
      let texts = first.compactMap(\.bytes)
      if !isNamed, texts.count(where: { !FileKind.isText($0) }) * 2 > texts.count {
        throw TraceProblem(
          path,
          "is not a log: its first lines hold bytes that no text has (if it is one all the same, "
            + "name its --format)")
      }
      found = LogFormatKind.recognised(texts, among: candidates)
      if first.count < count { break }
    }
    if found?.read ?? 0 == 0 {
      if let failure, found == nil { throw failure }
      if let reason = whyUnknown(first) { throw TraceProblem(path, reason) }
    }
    guard let kind = found?.kind else { throw TraceProblem(path, unknown(first)) }
    (formatName, format) = (kind.name, kind.make())
    waiting = first.reversed()
    // What broke off so early does so again when the lines before it have been read.
    if let failure { waiting.insert(.problem(failure), at: 0) }
  }

  /// Reads so many lines, if there are as many and they are not too long; returns what ended the log before its end.
  private mutating func gather(
    _ first: inout [Line], upTo count: Int
  ) throws(TraceProblem) -> TraceProblem? {
    var bytes = first.reduce(0) { $0 + ($1.bytes?.count ?? 0) }
    while first.count < count, bytes < Self.firstBytes {
      let line: Line
      do throws(TraceProblem) {
        guard let next = try nextLine() else { break }
        line = next
      } catch {
        return error
      }
      first.append(line)
      bytes += line.bytes?.count ?? 0
      // A file without any line ends is no log, and may have no end.
      if case .problem(let problem) = line, first.count == 1 { throw problem }
    }
    return nil
  }

  // MARK: What cannot be read

  /// What is to be said of lines that look like a format and of which none is a request; nil for nothing.
  private func whyUnknown(_ first: [Line]) -> String? {
    guard let text = first.lazy.compactMap(\.bytes).first else {
      return "is empty: it has no line, or only comments"
    }
    let begin = text.filter { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }.prefix(2)
    if JSONFields(text) == nil,
      ["{", "{\"", "[", "[{"].contains(where: { begin.elementsEqual($0.utf8) })
    {
      return "is JSON, but not with one object to a line; jq -c . writes it so, of an array "
        + "jq -c '.[]'"
    }
    let places = JSONLogNames.all.filter { names in candidates.contains { $0.name == names.format }
    }
    for case .text(let number, let bytes) in first where !places.isEmpty {
      guard let names = JSONFields.names(SyslogPrefix.removed(bytes[...])) else { continue }
      return "is JSON, and has no target where it is looked for; its line \(number) has \(names). "
        + "The target of a request is in " + places.map(\.targets).joined(separator: "; ")
    }
    if let lack = TraceColumns.foreignHeading(Array(text)) {
      return "is in no format that is known; as a table \(lack)"
    }
    return nil
  }

  private func unknown(_ first: [Line]) -> String {
    guard case .text(let number, let text)? = first.first(where: { $0.bytes != nil }) else {
      return "is in no format that is known"
    }
    let sample = String(decoding: text.prefix(100), as: UTF8.self)
    let names = candidates.map(\.name).joined(separator: ", ")
    return isNamed
      ? "is in none of the formats \(names); its line \(number) is '\(sample)'"
      : "is in no format that is known; its line \(number) is '\(sample)'. Give it with --format: "
        + LogFormatKind.choice
  }
}
