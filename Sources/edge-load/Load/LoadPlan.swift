// What a load run is to do, checked before anything is connected: a plan that exists can be run.

/// A field that is added to every request.
struct RequestField: Equatable, Sendable {
  /// The field's name.
  var name: String
  /// The field's value.
  var value: String

  /// Reads `Name: value`.
  init(_ text: String) throws(LoadPlanError) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { throw .field(text, "give it as 'Name: value'") }
    let isToken = parts[0].utf8.allSatisfy {
      ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A || 0x30...0x39 ~= $0
        || "!#$%&'*+-.^_`|~".utf8.contains($0)
    }
    guard !parts[0].isEmpty, isToken else { throw .field(text, "its name is not a field name") }
    let value = String(parts[1].drop { $0 == " " || $0 == "\t" })
    guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
      throw .field(text, "its value has a control character")
    }
    // The generator reads content by its own framing and decides itself when to close.
    let reserved = ["connection", "content-length", "transfer-encoding", "host", "expect"]
    guard !reserved.contains(parts[0].lowercased()) else {
      throw .field(text, "this field is the generator's own (for Host there is --host)")
    }
    (name, self.value) = (String(parts[0]), value)
  }
}

/// Why a plan was refused; the words end up on one line for the operator.
enum LoadPlanError: Error, Equatable, CustomStringConvertible {
  case target(String, String)
  case field(String, String)
  case path(String)
  case pathTwice(String)
  case value(option: String, need: String)
  case configuration(String)

  var description: String {
    switch self {
    case .target(let url, let why): "--target \(url): \(why)"
    case .field(let text, let why): "--header '\(text)': \(why)"
    case .path(let path):
      "path '\(path)': it must begin with /, and spaces in it must be percent-encoded"
    case .pathTwice(let path):
      "the target names the path \(path) and --path or --paths-file others; give either"
    case .configuration(let problem): problem
    case .value(let option, let need): "\(option) must be \(need)"
    }
  }
}

/// Everything that a load run needs to know.
struct LoadPlan: Equatable, Sendable {
  /// The servers; connections are dealt to them in turn.
  var targets: [LoadTarget]
  /// Connections over all targets.
  var connections = 16
  /// How long requests are begun.
  var duration = TimeSpan.seconds(10)
  /// Requests per second over all connections; nil for a closed loop.
  var rate: Double?
  /// The paths to choose from; empty for the path of each target's URL.
  var paths: [String] = []
  /// Zipf's exponent; nil for round robin.
  var zipf: Double?
  /// Seeds the choice of paths.
  var seed: UInt64 = 1
  /// The Host field; nil for the target's own.
  var host: String?
  /// Fields added to every request.
  var fields: [RequestField] = []
  /// From sending a request until its response is complete; also for connecting.
  var timeout = TimeSpan.seconds(10)
  /// Threads, each with its share of the connections.
  var threads = 1
  /// The method of every request.
  var method = "GET"
  /// Bytes of content sent with every request.
  var contentSize = 0
  /// Requests that are begun in all; nil for as many as the duration allows.
  var requests: Int?
  /// What is requested, instead of paths; nil for the paths.
  var workload: WorkloadModel?
  /// The name of the workload.
  var workloadName: String?
  /// The log that is replayed, instead of paths; nil for none.
  var replay: ReplayPlan?
  /// The purges during the run; nil for none.
  var purges: PurgePlan?
  /// The share of requests with `If-None-Match`, where the entity tag is known.
  var conditional = 0.0
  /// The share of requests for a range of the content.
  var range = 0.0
  /// Whether each URL that comes again and again is requested once from each target before the run.
  var prefills = false
  /// Whether no two requests are for the same URL.
  var isUnique = false
  /// Whether each request has a connection of its own.
  var newConnections = false
  /// Connections beside those under load that make one request and then stay open.
  var restingConnections = 0
  /// How long the load is on before anything is counted.
  var warmup = TimeSpan.zero

  /// The most connections of one run: beyond it a single client address runs out of ports.
  static let mostConnections = 20_000
  /// The most connections that rest.
  static let mostResting = 1_000_000
  /// The largest content of a request.
  static let largestContent = 1 << 30
  /// The rate that the times of a workload are made for in a closed loop, which has none.
  static let nominalRate = 10_000.0
  /// The highest rate; far above what one generator can send.
  static let highestRate = 10_000_000.0
  /// The lowest rate: a request in three hours.
  static let lowestRate = 0.0001

  /// Checks all bounds and how the values stand to each other.
  func validate() throws(LoadPlanError) {
    guard !targets.isEmpty else {
      throw .value(option: "--target", need: "given at least once (or --pops)")
    }
    try purges?.validate()
    guard 1...Self.mostConnections ~= connections else {
      throw .value(option: "--connections", need: "between 1 and \(Self.mostConnections)")
    }
    guard connections >= targets.count else {
      throw .value(
        option: "--connections", need: "at least the number of targets, \(targets.count)")
    }
    guard threads < 2 || connections >= targets.count * threads else {
      throw .value(
        option: "--connections",
        need: "at least one to each target for each thread, \(targets.count * threads)")
    }
    guard duration > .zero else { throw .value(option: "--duration", need: "longer than zero") }
    guard timeout > .zero else { throw .value(option: "--timeout", need: "longer than zero") }
    guard threads >= 1, threads <= connections, threads <= 64 else {
      throw .value(option: "--threads", need: "between 1 and the number of connections")
    }
    guard 0...Self.mostResting ~= restingConnections else {
      throw .value(option: "--idle", need: "between 0 and \(Self.mostResting)")
    }
    if let requests, requests < 1 { throw .value(option: "--requests", need: "at least 1") }
    guard 0...Self.largestContent ~= contentSize else {
      throw .value(option: "--body-size", need: "at most 1GiB")
    }
    guard !method.isEmpty, method.utf8.allSatisfy({ $0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A }),
      method != "CONNECT"
    else { throw .value(option: "--method", need: "a method, such as GET, HEAD or POST") }
    if let rate, !(Self.lowestRate...Self.highestRate ~= rate) {
      throw .value(
        option: "--rate", need: "between \(Self.lowestRate) and \(Int(Self.highestRate)) per second"
      )
    }
    for (option, share) in [("--conditional", conditional), ("--range", range)]
    where !(0...1 ~= share) {
      throw .value(option: option, need: "from 0 to 1")
    }
    if workload != nil && (!paths.isEmpty || isUnique) {
      throw .value(option: "--workload", need: "used without --path, --paths-file and --unique")
    }
    if let replay {
      guard workload == nil, paths.isEmpty, !isUnique, rate == nil else {
        throw .value(
          option: "--replay", need: "used without --workload, --path, --unique and --rate")
      }
      if let speed = replay.speed, !(0.001...1_000_000 ~= speed) {
        throw .value(option: "--speed", need: "from 0.001x to 1000000x, or max")
      }
      guard 0...1 ~= replay.mostLeftOut else {
        throw .value(option: "--most-left-out", need: "from 0 to 1")
      }
      if let name = replay.format, LogFormatKind.named(name).isEmpty {
        throw .value(option: "--format", need: "one of \(LogFormatKind.choice)")
      }
    }
    if let zipf {
      guard zipf >= 0, zipf <= 10 else { throw .value(option: "--zipf", need: "from 0 to 10") }
      guard paths.count > 1 || workload != nil else {
        throw .value(option: "--zipf", need: "used with two paths or more (--path, --paths-file)")
      }
    }
    if let host, host.isEmpty || !host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
      throw .value(option: "--host", need: "a host name with an optional port")
    }
    for path in paths where !LoadTarget.isPath(path) { throw .path(path) }
    if !paths.isEmpty || workload != nil || replay != nil,
      let target = targets.first(where: { $0.path != "/" })
    {
      throw .pathTwice(target.path)
    }
  }

  /// The targets of so many connections: one to each, then in proportion to their weights.
  func dealtTargets(_ count: Int) -> [Int] {
    let sum = targets.reduce(0) { $0 + $1.weight }
    var credits = targets.map { _ in 0.0 }
    return (0..<count).map { number in
      for index in credits.indices { credits[index] += targets[index].weight / sum }
      var chosen = number
      if number >= targets.count {
        chosen = 0
        for index in credits.indices where credits[index] > credits[chosen] + 1e-9 {
          chosen = index
        }
      }
      credits[chosen] -= 1
      return chosen
    }
  }

  /// The paths of a file's text: one to a line, empty lines and lines that begin with `#` left out.
  static func paths(inFile text: String) -> [String] {
    // Some editors begin a file with a byte order mark.
    (text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text)
      .split(whereSeparator: \.isNewline)
      .map { $0.drop { $0 == " " || $0 == "\t" } }
      .map { line in String(line.prefix { $0 != " " && $0 != "\t" }) }
      .filter { !$0.isEmpty && !$0.hasPrefix("#") }
  }
}
