import Testing

@testable import EdgeCache

/// Plays the exchanges of a row against one store, without sockets.
struct Player {
  private let world = CoreWorld()

  /// Plays a row and records what is not as it must be.
  static func check(_ history: History) throws {
    for failure in try failures(history) { Issue.record("\(failure)") }
  }

  /// Plays a row; what is not as it must be.
  static func failures(_ history: History) throws -> [String] {
    let player = Player()
    player.world.policy = history.policy
    player.world.route = history.route
    var failures: [String] = []
    for (number, ask) in history.asks.enumerated() {
      let outcome = try player.play(ask)
      let missing = outcome.missing(ask.expected)
      if !missing.isEmpty {
        failures.append(
          "request \(number + 1), \(ask.request): \(missing) fails; "
            + outcome.facts.sorted().joined(separator: " "))
      }
    }
    let statistics = player.world.store.statistics
    if statistics.flights != 0 || statistics.reservedBytes != 0 {
      failures.append("something is left")
    }
    return failures
  }

  /// Plays one exchange.
  private func play(_ ask: Ask) throws -> Outcome {
    world.now = Clock.at(ask.at)
    let exchange = world.begin(Self.request(ask.request))
    var replies = ask.replies[...]
    while exchange.awaitsUpstream {
      try Self.answer(replies.popFirst() ?? "200↵X-From: default", to: exchange)
    }
    #expect(exchange.isDone && exchange.isOver, "the exchange does not end")
    #expect(exchange.received.heads == 1, "not one response")
    // Validations that nobody waits for come after the response.
    let background = world.background
    world.background = []
    for validation in background {
      while validation.awaitsUpstream {
        try Self.answer(replies.popFirst() ?? "200↵X-From: default", to: validation)
      }
      #expect(validation.isDone, "a validation does not end")
    }
    return Outcome(exchange, background: background)
  }

  /// A request that is written as in ``Ask``, in full.
  private static func request(_ text: String) -> String {
    var lines = Clock.filled(text).components(of: "↵")
    if !lines[0].contains(" HTTP/1.") { lines[0] += " HTTP/1.1" }
    if !text.lowercased().contains("↵host:"), !lines[0].hasSuffix("1.0") {
      lines.insert("Host: a", at: 1)
    }
    return lines.joined(separator: "↵")
  }

  /// The origin answers as is written in ``Ask``.
  private static func answer(_ reply: String, to exchange: CoreExchange) throws {
    var text = Clock.filled(reply)
    if text.hasPrefix("+"), let space = text.firstIndex(of: " ") {
      let delay = Int64(text[..<space].dropFirst()) ?? 0
      exchange.world.now = exchange.world.now.adding(seconds: delay)
      text = String(text[space...].dropFirst())
    }
    if text.hasPrefix("fail ") {
      return exchange.upstreamFails(
        try #require(UpstreamFailure(rawValue: String(text.dropFirst(5)))))
    }
    let parts = text.components(of: "↵↵")
    var head = "HTTP/1.1 " + parts[0]
    var content = parts.count > 1 ? parts[1] : "content"
    let lowercased = head.lowercased()
    let isFramed =
      lowercased.contains("↵content-length:") || lowercased.contains("↵transfer-encoding:")
    if ["204", "304"].contains(text.prefix(3)) {
      content = ""
    } else if !isFramed {
      head += "↵Content-Length: \(content.utf8.count)"
    }
    exchange.answer(head, exchange.transaction.request.method == .head ? "" : content)
  }
}

/// What came of a request, as words without spaces.
///
/// Of the response to the client: `status=200`, `content=abc`, its fields as `name:value` with names
/// in lower case, the parameters of Cache-Status as `hit`, `fwd=stale`, `ttl=5`, and `broken` if it
/// was cut off. Of the requests that went to the origin: `asked=1` for how many there were, and of
/// each its fields as `>name:value`, `2>name:value` and its first line as `>GET_/_HTTP/1.1`; further
/// `>for-store` and `>validates`. A space within a value is written `_`.
struct Outcome {
  private(set) var facts: Set<String> = []

  init(_ exchange: CoreExchange, background: [CoreExchange] = []) {
    add("background=\(background.reduce(0) { $0 + $1.forwards.count })")
    add("interims=\(exchange.interims)")
    let received = exchange.received
    if let head = received.parsed {
      add("status=\(head.status)")
      add(head.fields)
    }
    if received.isAborted { add("broken") }
    add("content=\(received.text)")
    addParts(received)
    for part in exchange.statusText.components(of: "; ").dropFirst() { add(part) }
    add("asked=\(exchange.forwards.count)")
    for (number, head) in exchange.forwarded.enumerated() {
      let prefix = number == 0 ? ">" : "\(number + 1)>"
      let forward = exchange.forwards[number]
      if forward.isForStore { add("\(prefix)for-store") }
      if !forward.validates.isEmpty { add("\(prefix)validates") }
      add(prefix + String(buffer: head.fields.bytes).prefix { $0 != "\r\n" })
      add(head.fields, prefix: prefix)
    }
  }

  /// The parts of a `multipart/byteranges` content (RFC 9110 §14.6), taken apart by its boundary.
  private mutating func addParts(_ received: ReceivedResponse) {
    guard let type = received.parsed?.fields.text(.contentType),
      type.hasPrefix("multipart/byteranges; boundary=")
    else { return }
    let boundary = "\r\n--" + type.components(of: "boundary=").last!
    #expect(received.parsed?.contentLength == received.content.count)
    #expect(received.text.hasSuffix(boundary + "--\r\n"))
    let parts = received.text.components(of: boundary).dropFirst().dropLast()
    add("parts=\(parts.count)")
    for part in parts {
      let halves = part.components(of: "\r\n\r\n")
      for line in halves[0].components(of: "\r\n") where line.hasPrefix("Content-Range: bytes ") {
        let range = line.dropFirst("Content-Range: bytes ".count).prefix { $0 != "/" }
        add("part=\(range):\(halves.dropFirst().joined(separator: "\r\n\r\n"))")
      }
    }
  }

  private mutating func add(_ fact: String) {
    facts.insert(fact.replacing(" ", with: "_"))
  }

  private mutating func add(_ section: FieldSection, prefix: String = "") {
    for field in section.fields {
      let name = section.text(field.nameRange).lowercased()
      add("\(prefix)\(name):\(section.text(field.value))")
      add("\(prefix)\(name)")
    }
  }

  /// The words of an expectation that do not hold.
  func missing(_ expected: String) -> [String] {
    expected.split(separator: " ").map { Clock.filled(String($0)).replacing(" ", with: "_") }
      .filter { word in
        word.hasPrefix("!") ? facts.contains(String(word.dropFirst())) : !facts.contains(word)
      }
  }
}

extension String {
  /// The parts between occurrences of `separator`.
  fileprivate func components(of separator: String) -> [String] {
    split(separator: separator, omittingEmptySubsequences: false).map(String.init)
  }
}
