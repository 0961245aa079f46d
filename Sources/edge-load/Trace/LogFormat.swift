// The formats of request logs, in one table. Each is a small type that reads a line and knows nothing of files; which one
// it is, is decided by reading the first lines with all of them.

/// Reads the lines of one format.
protocol LogFormat: Sendable {
  /// The request of a line; nil for a heading.
  mutating func read(_ line: ArraySlice<UInt8>) throws(LineProblem) -> TraceRequest?
  /// The same for a line that may stand behind what syslog puts before it.
  mutating func take(_ line: ArraySlice<UInt8>) throws(LineProblem) -> TraceRequest?
  /// Whether a line has the looks of this format, though perhaps it cannot be read.
  static func resembles(_ line: ArraySlice<UInt8>) -> Bool
}

extension LogFormat {
  mutating func take(_ line: ArraySlice<UInt8>) throws(LineProblem) -> TraceRequest? {
    try read(SyslogPrefix.removed(line))
  }
}

/// A format with its name.
struct LogFormatKind: Sendable {
  /// What `--format` calls it.
  let name: String
  /// A reader that has not seen anything.
  let make: @Sendable () -> any LogFormat
  private let resembles: @Sendable (ArraySlice<UInt8>) -> Bool

  private init<Format: LogFormat>(_ name: String, _ make: @escaping @Sendable () -> Format) {
    (self.name, self.make, resembles) = (name, make, Format.resembles)
  }

  /// All formats. Of two that read as many of the first lines the one further up is taken.
  static let all: [LogFormatKind] =
    [
      LogFormatKind("common") { CommonLog() },
      LogFormatKind("haproxy") { HAProxyLog() },
      LogFormatKind("squid") { SquidLog() },
      LogFormatKind("w3c") { W3CLog() },
      LogFormatKind("alb") { LoadBalancerLog() },
    ]
    + JSONLogNames.all.map { names in LogFormatKind(names.format) { JSONLog(names) } } + [
      LogFormatKind("rows") { TraceColumns.Rows() }
    ]

  /// Their names in a row.
  static var names: String { all.map(\.name).joined(separator: ", ") }

  /// The format of a name; nil for another name. Programs whose logs are of a common format may be named, too.
  static func named(_ name: String) -> LogFormatKind? {
    let others = [
      "combined": "common", "vhost_combined": "common", "apache": "common", "cloudfront": "w3c",
      "iis": "w3c", "elb": "alb", "json": "nginx-json",
    ]
    let wanted = others[name] ?? name
    return all.first { $0.name == wanted }
  }

  /// The format that reads most of the first lines of a log, or else the one that they look most like; nil if there is
  /// none. O(lines × formats).
  static func recognised(_ lines: [ArraySlice<UInt8>]) -> LogFormatKind? {
    var best: (kind: LogFormatKind, score: Int)?
    for kind in all {
      var reader = kind.make()
      var score = 0
      for line in lines {
        // A line that is read weighs more than any number of lines that look like it.
        if (try? reader.take(line)) != nil {
          score += lines.count + 1
        } else if kind.resembles(SyslogPrefix.removed(line)) {
          score += 1
        }
      }
      if score > best?.score ?? 0 { best = (kind, score) }
    }
    return best?.kind
  }
}
