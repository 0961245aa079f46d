import Testing

@testable import EdgeCache

// How the tables of this folder write exchanges: what a client asks, what the origin answers each
// time it is asked, and what must come of it. One row is one history of one empty store.
//
// Times are seconds after the start. `{60}` in a row is the HTTP date of that second. `↵` is CR LF.

/// One request of a row and what must come of it.
struct Ask: Sendable {
  /// Seconds after the start.
  var at: Int64
  /// `METHOD TARGET`, then fields.
  var request: String
  /// What the origin answers, one for each time it is asked; `STATUS`, then fields, then perhaps an
  /// empty line and content; `+5` before it is a delay, `fail REASON` is no answer.
  var replies: [String]
  /// The facts that must hold, and with `!` before them those that must not; see ``Outcome``.
  var expected: String
}

/// A request at the start, or that many seconds later.
func ask(_ request: String, _ replies: String..., is expected: String) -> Ask {
  Ask(at: 0, request: request, replies: replies, expected: expected)
}

/// A request that many seconds after the start.
func ask(_ at: Int64, _ request: String, _ replies: String..., is expected: String) -> Ask {
  Ask(at: at, request: request, replies: replies, expected: expected)
}

/// A row: a name, what it follows from, and the exchanges in their order.
struct History: Sendable, CustomTestStringConvertible {
  var name: String
  /// Document and section, as in `9111 §4.2`.
  var section: String
  var asks: [Ask]
  var policy = SitePolicy(ownFields: [Array("edge-cache-control".utf8)])
  var route = RequestRoute(cached: 0, passThrough: 0)

  init(_ name: String, _ section: String, _ asks: Ask...) {
    self.init(name, section, asks)
  }

  init(_ name: String, _ section: String, _ asks: [Ask]) {
    self.name = name
    self.section = section
    self.asks = asks
  }

  var testDescription: String {
    "\(name) (\(section.first?.isNumber == true ? "RFC " : "")\(section))"
  }

  /// The same at a site whose operator chose otherwise.
  func with(_ change: (inout SitePolicy) -> Void) -> History {
    var history = self
    change(&history.policy)
    return history
  }
}

/// The tables of exchanges; each file `…Histories.swift` adds those of its subject.
enum Histories {
  /// The same request twice: the first is answered with these fields, the second must be as said.
  static func twice(
    _ name: String, _ section: String, _ fields: String, _ expected: String
  ) -> History {
    History(name, section, ask("GET /", "200↵\(fields)", is: ""), ask("GET /", is: expected))
  }
}

/// A virtual clock whose second zero is the date that RFC 9110 §5.6.7 takes as its example.
enum Clock {
  static let start: Int64 = 784_111_777

  static func at(_ seconds: Int64) -> Instant { Instant(seconds: start + seconds) }

  /// Puts HTTP dates in the place of `{seconds}`.
  static func filled(_ text: String) -> String {
    guard text.contains("{") else { return text }
    var parts = text.split(separator: "{", omittingEmptySubsequences: false).map(String.init)
    for index in parts.indices.dropFirst() {
      let halves = parts[index].split(
        separator: "}", maxSplits: 1, omittingEmptySubsequences: false)
      guard halves.count == 2, let seconds = Int64(halves[0]) else { continue }
      let date = HTTPDate.bytes(start + seconds)
      parts[index] = String(decoding: date, as: UTF8.self) + halves[1]
    }
    return parts.joined()
  }
}
