// The messages of the admin API, in one place for the PoP that answers and the client that asks.
// What decides what is removed (the request) is read strictly: a misspelt or unknown key must not
// turn "one URL" into something wider. What only reports (the replies) is read leniently, so that a
// newer PoP can tell an older client more than it knows.

import FoundationEssentials

/// A URL whose stored responses are purged: every variant, both schemes, every port of its host.
public struct PurgeURL: Sendable, Hashable, CustomStringConvertible {
  /// The URL as it was written.
  public let description: String
  /// Its host in canonical form, an IPv6 address in brackets; the port is left out.
  public let host: String
  /// Its path and query exactly as written; `/` stands for an empty path.
  public let target: String

  /// The longest URL, as long as the longest request line a PoP takes.
  public static let longest = 8192

  /// Reads an absolute http or https URL without user and fragment.
  ///
  /// Percent-encoding is not touched: what is stored under `/a%2Fb` is not purged by `/a/b`.
  public init(parsing text: String) throws(ValueProblem) {
    guard text.utf8.count <= Self.longest else {
      throw ValueProblem(text, "is longer than \(Self.longest) bytes")
    }
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw ValueProblem(text, "has a space or another character which must be percent-encoded")
    }
    guard let mark = text.firstRange(of: "://"),
      UpstreamURL.Scheme(rawValue: text[..<mark.lowerBound].lowercased()) != nil
    else {
      throw ValueProblem(
        text, "is not an absolute http or https URL; write it like http://www.example/a.js")
    }
    guard !text.contains("#") else {
      throw ValueProblem(text, "has a fragment, which no stored response has; leave it out")
    }
    let rest = text[mark.upperBound...]
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    guard !authority.contains("@") else {
      throw ValueProblem(text, "names a user, which no stored response has; leave it out")
    }
    guard let parts = HostGrammar.split(authority) else {
      throw ValueProblem(text, "has no valid host; write it like http://www.example/a.js")
    }
    if let digits = parts.port, !digits.isEmpty, HostGrammar.port(digits) == nil {
      throw ValueProblem(text, "has a port which is not a number from 0 to 65535")
    }
    let target = rest[authority.endIndex...]
    description = text
    host = HostGrammar.bracketed(parts.host)
    self.target = target.hasPrefix("/") ? String(target) : "/\(target)"
  }
}

/// What to purge: the body of `POST /purge`.
public struct PurgeRequest: Sendable, Hashable {
  /// How much a purge takes.
  public enum Scope: Sendable, Hashable {
    /// The stored responses of these URLs.
    case urls([PurgeURL])
    /// Every stored response.
    case everything
  }

  /// A body that is not a purge request: what is wrong with it, as a sentence.
  public struct Problem: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, as the text of a 400.
    public let description: String
  }

  /// The most URLs of one request.
  public static let mostURLs = 1000
  /// The largest body that a PoP reads; a larger one is answered 413.
  public static let largestBody = ByteSize.mebibytes(1)

  /// How much it takes.
  public let scope: Scope

  /// A purge of every stored response.
  public static let everything = PurgeRequest(scope: .everything)

  /// A purge of some URLs, at least one and at most ``mostURLs``.
  public static func urls(_ urls: [PurgeURL]) throws(Problem) -> PurgeRequest {
    guard !urls.isEmpty else { throw Problem(description: "a purge of no URL") }
    guard urls.count <= mostURLs else {
      throw Problem(description: "\(urls.count) URLs; at most \(mostURLs) in one purge")
    }
    return PurgeRequest(scope: .urls(urls))
  }

  private init(scope: Scope) { self.scope = scope }

  /// Reads the body of a request.
  public init(json bytes: [UInt8]) throws(Problem) {
    let tree: JSONTree
    do throws(JSONTree.SyntaxProblem) {
      tree = try JSONTree.parse(bytes)
    } catch {
      throw Problem(
        description: "not JSON: line \(error.line), column \(error.column): \(error.reason)")
    }
    var reader = ConfigurationReader()
    let scope = Self.scope(ConfigurationNode(value: tree, path: ""), &reader)
    if let problem = reader.problems.first {
      throw Problem(description: problem.text)
    }
    switch scope {
    case .urls(let urls): self = try Self.urls(urls)
    case .everything: self = .everything
    case nil: throw Problem(description: "not a purge request")
    }
  }

  private static func scope(
    _ node: ConfigurationNode, _ reader: inout ConfigurationReader
  ) -> Scope? {
    enum Name: String, CaseIterable { case url, everything }
    // Hard is the one mode there is; a client may say so, and any other must not pass for it.
    enum Mode: String, CaseIterable { case hard }
    guard let fields = reader.fields(node, required: ["scope"], optional: ["urls", "mode"]) else {
      return nil
    }
    _ = reader.choice(fields["mode"], Mode.self)
    switch reader.choice(fields["scope"], Name.self) {
    case .url:
      guard let urls = fields["urls"] else {
        reader.note("urls", "is required with scope \"url\"")
        return nil
      }
      return .urls(
        reader.elements(urls).map { elements in
          elements.compactMap { element in
            reader.value(element) { text throws(ValueProblem) in try PurgeURL(parsing: text) }
          }
        } ?? [])
    case .everything:
      if fields["urls"] != nil { reader.note("urls", "does not go with scope \"everything\"") }
      return .everything
    case nil: return nil
    }
  }

  /// The body of a request.
  public var json: [UInt8] {
    struct Wire: Encodable {
      let scope: String
      var urls: [String]?
    }
    return switch scope {
    case .urls(let urls): jsonBytes(Wire(scope: "url", urls: urls.map(\.description)))
    case .everything: jsonBytes(Wire(scope: "everything"))
    }
  }
}

/// A PoP's answer to a purge: from now on it serves nothing that the purge took.
public struct PurgeAcknowledgement: Codable, Sendable, Hashable {
  /// The id of the PoP.
  public let pop: String
  /// The number of the purge in the PoP's purge log.
  public let sequence: UInt64
  /// How many stored responses it took.
  public let matched: Int
  /// How many bytes they occupied.
  public let freedBytes: Int

  /// An acknowledgement of these parts.
  public init(pop: String, sequence: UInt64, matched: Int, freedBytes: Int) {
    (self.pop, self.sequence) = (pop, sequence)
    (self.matched, self.freedBytes) = (matched, freedBytes)
  }

  /// The body of a reply.
  public var json: [UInt8] { jsonBytes(self) }
}

/// A PoP's answer to `GET /health`.
public struct HealthReport: Codable, Sendable, Hashable {
  /// `ok` when the PoP serves clients.
  public let status: String
  /// The id of the PoP.
  public let pop: String
  /// The version of EdgeCache it runs.
  public let version: String
  /// For how long it has been running.
  public let uptimeSeconds: Int
  /// The number of the last purge it applied; 0 before the first.
  public let sequence: UInt64

  /// A report of these parts.
  public init(
    status: String = "ok", pop: String, version: String = Release.version, uptimeSeconds: Int,
    sequence: UInt64
  ) {
    (self.status, self.pop, self.version) = (status, pop, version)
    (self.uptimeSeconds, self.sequence) = (uptimeSeconds, sequence)
  }

  /// The body of a reply.
  public var json: [UInt8] { jsonBytes(self) }
}

/// The body of every answer of the admin API that is not a success.
public struct AdminRefusal: Codable, Sendable, Hashable {
  /// What was wrong, for people.
  public let error: String

  /// A refusal because of `error`.
  public init(error: String) { self.error = error }

  /// The body of a reply.
  public var json: [UInt8] { jsonBytes(self) }
}

extension ConfigurationError.Problem {
  /// The path and the reason, without the name of a file.
  fileprivate var text: String {
    guard case .path(let path) = place, !path.isEmpty else { return reason }
    return "\(path): \(reason)"
  }
}

/// The JSON of a message: keys in order and slashes as they are, so that it reads well in a shell.
func jsonBytes(_ message: some Encodable) -> [UInt8] {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  guard let data = try? encoder.encode(message) else {
    preconditionFailure("messages hold only strings, integers and truth values")
  }
  return Array(data)
}
