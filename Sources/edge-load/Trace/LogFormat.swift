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

  /// Other names: programs, whose logs may be in one of several formats, and what formats are called elsewhere.
  private static let others: [(name: String, formats: [String])] =
    [
      "apache", "clf", "combined", "httpd", "ncsa", "varnish", "vhost-combined", "vhost_combined",
    ].map { ($0, ["common"]) } + [
      ("nginx", ["common", "nginx-json"]), ("edge-pop", ["common", "edge-pop-json"]),
      ("edgecache", ["common", "edge-pop-json"]), ("traefik", ["common", "traefik-json"]),
      ("fastly", ["common", "fastly-json"]), ("json", JSONLogNames.all.map(\.format)),
      ("cloudfront", ["w3c"]), ("iis", ["w3c"]), ("elb", ["alb"]), ("aws", ["w3c", "alb"]),
      ("csv", ["rows"]), ("tsv", ["rows"]),
    ]

  /// The names of the formats in a row.
  static var names: String { all.map(\.name).joined(separator: ", ") }

  /// All names that `--format` takes, those of formats first.
  static var allNames: [String] { all.map(\.name) + others.map(\.name) }

  /// All names in a sentence.
  static var choice: String {
    "\(names); or what wrote it: \(others.map(\.name).joined(separator: ", "))"
  }

  /// The formats that a name stands for, in whatever case; none for what is no name.
  static func named(_ name: String) -> [LogFormatKind] {
    let name = name.lowercased()
    let wanted = others.first { $0.name == name }?.formats ?? [name]
    return all.filter { wanted.contains($0.name) }
  }

  /// The format that reads most of the first lines of a log, or else the one that they look most like, and how many
  /// lines it reads; nil if there is none. O(lines × formats).
  static func recognised(
    _ lines: [ArraySlice<UInt8>], among kinds: [LogFormatKind] = all
  ) -> (kind: LogFormatKind, read: Int)? {
    var best: (kind: LogFormatKind, read: Int, alike: Int)?
    for kind in kinds {
      var reader = kind.make()
      var (read, alike) = (0, 0)
      for line in lines {
        if (try? reader.take(line)) != nil {
          read += 1
        } else if kind.resembles(SyslogPrefix.removed(line)) {
          alike += 1
        }
      }
      // A line that is read weighs more than any number of lines that look like it.
      if (read, alike) > (best?.read ?? 0, best?.alike ?? 0) { best = (kind, read, alike) }
    }
    return best.map { ($0.kind, $0.read) }
  }
}
