import Testing

@testable import EdgeCache

// RFC 9111 as data: a row is a name, a section, and exchanges with what must come of each.
//
// A request is `+seconds METHOD path↵Field: value`; each part may be left out, and `GET /` is meant
// then. An origin's answer is `~seconds STATUS↵Field: value↵↵content`; `{-60}` stands for the date
// 60 s before the answer. `Date` and `Content-Length` are added, unless `-date` or `-length` is
// among the fields. `fail:WORD` is an upstream that failed that way. Answers to several requests of
// one exchange are separated by `‖`.
//
// An expectation is a list of words, all of which must be facts of the exchange, and `!word` must
// not be. Spaces within a fact are written `_`.

/// One request, what the origin answers, and what must be.
struct CachingStep: Sendable {
  var request: String
  var replies: [String]
  var expectation: String
  /// Before it, the wall clock is set by so many seconds; the origin's goes right.
  var clockStep: Int64 = 0

  /// This step after the wall clock was set, forth or (negative) back.
  func afterClockStep(_ seconds: Int64) -> CachingStep {
    var step = self
    step.clockStep = seconds
    return step
  }
}

/// A request that must be answered without asking the origin.
func hit(_ request: String, _ expectation: String) -> CachingStep {
  CachingStep(request: request, replies: [], expectation: expectation)
}

/// A request for which the origin must be asked, as often as it has answers.
func ask(_ request: String, _ replies: String, _ expectation: String) -> CachingStep {
  CachingStep(
    request: request, replies: replies.split(separator: "‖").map(String.init),
    expectation: expectation)
}

/// A behaviour of the cache.
struct CachingRow: Sendable, CustomTestStringConvertible {
  var name: String
  /// Section of RFC 9111, or another document's number and section.
  var section: String
  var steps: [CachingStep]

  init(_ name: String, _ section: String, _ steps: CachingStep...) {
    self.init(name, section, steps)
  }

  init(_ name: String, _ section: String, _ steps: [CachingStep]) {
    self.name = name
    self.section = section
    self.steps = steps
  }

  var testDescription: String { "\(name) (\(section))" }

  /// Runs the exchanges in an empty store and records what does not hold.
  func run(limits: StoreLimits = StoreLimits(memory: 8 << 20)) {
    let world = CoreWorld(limits: limits)
    for (number, step) in steps.enumerated() {
      let (delay, request) = Self.takeSeconds(step.request, "+")
      world.now = world.now.adding(seconds: delay)
      world.now.wallOffset += step.clockStep * 1000
      let exchange = world.begin(Self.requestText(request))
      var used = 0
      while exchange.awaitsUpstream, used < step.replies.count {
        Self.reply(step.replies[used], to: exchange)
        used += 1
      }
      let facts = Facts(exchange)
      let place = "\(name) (\(section)), exchange \(number + 1)"
      #expect(
        exchange.forwards.count == step.replies.count,
        "\(place): the origin was asked \(exchange.forwards.count) times; \(facts)")
      #expect(exchange.isOver, "\(place): not over")
      #expect(exchange.received.heads <= 1, "\(place): more than one head")
      for word in step.expectation.split(separator: " ") {
        let isDenied = word.first == "!"
        let holds = facts.words.contains(String(isDenied ? word.dropFirst() : word))
        #expect(holds != isDenied, "\(place): \(word) fails; \(facts)")
      }
      // What was asked for without a client gets nothing.
      for validation in world.background { validation.upstreamFails(.connect) }
      world.background = []
    }
    let statistics = world.store.statistics
    #expect(statistics.flights == 0 && statistics.reservedBytes == 0, "\(name): something is left")
  }

  static func requestText(_ text: some StringProtocol) -> String {
    let lines = text.split(separator: "↵", omittingEmptySubsequences: false)
    let words = (lines.first ?? "").split(separator: " ")
    let method = words.first ?? "GET"
    let path = words.count > 1 ? words[1] : "/"
    let fields = lines.dropFirst().map { "↵\($0)" }.joined()
    let host = fields.contains("↵Host:") ? "" : "↵Host: a.example"
    return "\(method) \(path) HTTP/1.1\(host)\(fields)"
  }

  private static func takeSeconds(
    _ text: String, _ mark: Character
  ) -> (Int64, Substring) {
    guard text.first == mark else { return (0, text[...]) }
    let digits = text.dropFirst().prefix { $0.isNumber }
    let rest = text.dropFirst(1 + digits.count)
    return (Int64(digits) ?? 0, rest.first == " " ? rest.dropFirst() : rest)
  }

  private static func reply(_ text: String, to exchange: CoreExchange) {
    let world = exchange.world
    let (delay, rest) = takeSeconds(text, "~")
    world.now = world.now.adding(seconds: delay)
    if rest.hasPrefix("fail:") {
      guard let failure = UpstreamFailure(rawValue: String(rest.dropFirst(5))) else {
        fatalError(text)
      }
      return exchange.upstreamFails(failure)
    }
    let parts = String(rest).components(separatedBy: "↵↵")
    let content = parts.count > 1 ? parts[1] : "content"
    let (head, sends) = responseText(parts[0], length: content.utf8.count, now: world.now)
    exchange.answer(head, sends && exchange.transaction.request.method != .head ? content : "")
  }

  /// The head of an answer, and whether it has content.
  static func responseText(_ text: String, length: Int, now: Instant) -> (String, Bool) {
    var lines = text.split(separator: "↵").map(String.init)
    let status = lines.removeFirst()
    let sends = status != "304" && status != "204"
    if !lines.contains("-date"), !lines.contains(where: { $0.hasPrefix("Date:") }) {
      lines.append("Date: {0}")
    }
    if sends, !lines.contains("-length") { lines.append("Content-Length: \(length)") }
    lines.removeAll { $0.first == "-" }
    let fields = lines.map { "↵" + dated($0, now) }.joined()
    return ("HTTP/1.1 \(status) Reason\(fields)", sends)
  }

  /// Puts dates for `{seconds}`, by a clock that goes right.
  static func dated(_ text: String, _ now: Instant) -> String {
    guard let open = text.firstIndex(of: "{"), let close = text[open...].firstIndex(of: "}"),
      let offset = Int64(text[text.index(after: open)..<close])
    else { return text }
    let date = String(decoding: HTTPDate.bytes(now.milliseconds / 1000 + offset), as: UTF8.self)
    return dated(text[..<open] + date + text[text.index(after: close)...], now)
  }
}

/// What can be said about an exchange, as words.
struct Facts: CustomStringConvertible {
  private(set) var words: Set<String> = []

  init(_ exchange: CoreExchange) {
    for part in exchange.statusText.split(separator: ";").dropFirst() { add(part) }
    if let head = exchange.received.parsed {
      words.insert("\(head.status)")
      addFields("", head.fields)
    }
    words.insert("=\(exchange.received.text.replacing(" ", with: "_"))")
    if exchange.received.isAborted { words.insert("aborted") }
    if let forward = exchange.forwards.last, let request = exchange.forwarded.last {
      words.insert(forward.isForStore ? "for-store" : "passed")
      words.insert("group=\(forward.group)")
      words.insert(forward.validates.isEmpty ? "plain" : "validates")
      addFields("up:", request.fields)
    }
  }

  private mutating func addFields(_ prefix: String, _ section: FieldSection) {
    for field in section.fields {
      let name = section.text(field.nameRange).lowercased()
      words.insert("\(prefix)\(name)")
      add("\(prefix)\(name):\(section.text(field.value))")
    }
  }

  private mutating func add(_ text: some StringProtocol) {
    let start = text.first == " " ? text.dropFirst() : text[...]
    words.insert(String(start).replacing(" ", with: "_"))
  }

  var description: String { words.sorted().joined(separator: " ") }
}

extension String {
  /// The parts between occurrences of `separator`.
  func components(separatedBy separator: String) -> [String] {
    split(separator: separator, maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
  }
}
