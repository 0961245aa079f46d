// What to purge, as it is sent to PoPs and from one to the other. Read strictly: a misspelt or unknown key must
// not turn "one URL" into something wider.

import EdgeCache
import FoundationEssentials

/// What to purge: the body of `POST /purge`.
public struct PurgeRequest: Sendable, Hashable {
  /// What a purge covers.
  public enum Scope: Sendable, Hashable {
    /// The stored responses of these URLs.
    case urls([PurgeURL])
    /// Those of all URLs that begin so.
    case prefixes([PurgeURL])
    /// Those of these hosts, in canonical form.
    case hosts([String])
    /// Those with one of these tags.
    case tags([String])
    /// Every stored response.
    case everything
  }

  /// A body that is not a purge request: what is wrong with it, as a sentence.
  public struct Problem: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, as the text of a 400.
    public let description: String

    /// A problem described by a sentence.
    public init(description: String) { self.description = description }
  }

  /// The most URLs, prefixes, hosts or tags of one request.
  public static let most = 1000
  /// The largest body that a PoP reads; a larger one is answered 413.
  public static let largestBody = ByteSize.mebibytes(1)
  /// The longest name of who ordered it, in bytes.
  public static let longestAuthor = 256

  /// What it covers.
  public let scope: Scope
  /// How much it takes away.
  public var mode: PurgeMode
  /// Its name in the fleet; the PoP gives it one if there is none.
  public var id: PurgeID?
  /// Who ordered it, for the audit log.
  public var author: String?
  /// True if it is only to be said how much it would cover.
  public var isDryRun = false
  /// True if it is for the PoP that gets it alone: others are not told.
  public var isLocal = false

  /// This request with a name of its own: of the present moment, and random.
  public func named() -> PurgeRequest {
    var request = self
    request.id = PurgeID(
      milliseconds: UInt64(Date().timeIntervalSince1970 * 1000),
      number: UInt64(UInt32.random(in: 0 ... .max)))
    return request
  }

  /// A purge of every stored response.
  public static let everything = PurgeRequest(.everything)

  /// A purge of a scope, of at least one and at most ``most`` URLs or names.
  public init(checking scope: Scope, mode: PurgeMode = .hard) throws(Problem) {
    if scope != .everything {
      let count = scope.names.count
      guard count > 0 else { throw Problem(description: "a purge of no \(scope.noun)") }
      guard count <= Self.most else {
        throw Problem(
          description: "\(count) \(scope.nouns); at most \(Self.most) in one purge")
      }
    }
    self.init(scope, mode: mode)
  }

  private init(_ scope: Scope, mode: PurgeMode = .hard) {
    (self.scope, self.mode) = (scope, mode)
  }

  /// A purge of some URLs, at least one and at most ``most``.
  public static func urls(_ urls: [PurgeURL]) throws(Problem) -> PurgeRequest {
    try PurgeRequest(checking: .urls(urls))
  }

  /// A host as purges name it: canonical, without a port.
  public static func host(_ text: String) throws(ValueProblem) -> String {
    guard let parts = HostGrammar.split(text[...]), parts.port == nil else {
      throw ValueProblem(text, "is not a host; write it like www.example, without a port")
    }
    return HostGrammar.bracketed(parts.host)
  }

  /// A tag: visible ASCII and spaces, without spaces around it, 1 to 1024 bytes.
  public static func tag(_ text: String) throws(ValueProblem) -> String {
    guard (1...CacheTag.longest).contains(text.utf8.count),
      text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }), !text.contains(","),
      text.first != " ", text.last != " "
    else {
      throw ValueProblem(
        text, "is not a tag; use 1 to \(CacheTag.longest) characters of ASCII without commas")
    }
    return text
  }

  // MARK: - Reading

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
    let request = Self.read(ConfigurationNode(value: tree, path: ""), &reader)
    if let problem = reader.problems.first { throw Problem(description: problem.text) }
    guard let request else { throw Problem(description: "not a purge request") }
    try self.init(checking: request.scope, mode: request.mode)
    (id, author) = (request.id, request.author)
    (isDryRun, isLocal) = (request.isDryRun, request.isLocal)
  }

  private enum Name: String, CaseIterable { case url, prefix, host, tag, everything }
  private enum Mode: String, CaseIterable { case hard, soft }

  private static func read(
    _ node: ConfigurationNode, _ reader: inout ConfigurationReader
  ) -> PurgeRequest? {
    let lists: [(name: Name, key: String)] = [
      (.url, "urls"), (.prefix, "prefixes"), (.host, "hosts"), (.tag, "tags"),
    ]
    guard
      let fields = reader.fields(
        node, required: ["scope"],
        optional: lists.map(\.key) + ["mode", "id", "by", "dryRun", "local"]),
      let name = reader.choice(fields["scope"], Name.self)
    else { return nil }
    for list in lists where list.name != name && fields[list.key] != nil {
      reader.note(list.key, "does not go with scope \"\(name.rawValue)\"")
    }
    if let list = lists.first(where: { $0.name == name }), fields[list.key] == nil {
      reader.note(list.key, "is required with scope \"\(name.rawValue)\"")
    }
    let scope: Scope =
      switch name {
      case .url: .urls(list(fields["urls"], &reader, parseURL))
      case .prefix: .prefixes(list(fields["prefixes"], &reader, parseURL))
      case .host: .hosts(list(fields["hosts"], &reader, host))
      case .tag: .tags(list(fields["tags"], &reader, tag))
      case .everything: .everything
      }
    var request = PurgeRequest(scope)
    if reader.choice(fields["mode"], Mode.self) == .soft { request.mode = .soft }
    request.id = reader.value(fields["id"]) { text throws(ValueProblem) in
      guard let id = PurgeID(text) else {
        throw ValueProblem(text, "is not the name of a purge; it is like 1764000000000-7")
      }
      return id
    }
    request.author = reader.value(fields["by"]) { text throws(ValueProblem) in
      guard text.utf8.count <= longestAuthor else {
        throw ValueProblem(text, "is longer than \(longestAuthor) bytes")
      }
      return text
    }
    request.isDryRun = reader.truth(fields["dryRun"]) ?? false
    request.isLocal = reader.truth(fields["local"]) ?? false
    if request.isLocal, request.id != nil {
      reader.note("local", "does not go with id, which is for all PoPs")
    }
    return request
  }

  private static func parseURL(_ text: String) throws(ValueProblem) -> PurgeURL {
    try PurgeURL(parsing: text)
  }

  /// Twice the same is no mistake here.
  private static func list<Value>(
    _ node: ConfigurationNode?, _ reader: inout ConfigurationReader,
    _ parse: (String) throws(ValueProblem) -> Value
  ) -> [Value] {
    (reader.elements(node) ?? []).compactMap { reader.value($0, parse) }
  }

  // MARK: - Writing

  /// The body of a request.
  public var json: [UInt8] {
    JSONForm.line.bytes(Wire(self, isOrder: true))
  }

  /// What is ordered, the same wherever it is applied: without its name.
  public var message: [UInt8] {
    JSONForm.line.bytes(Wire(self, isOrder: false))
  }

  private struct Wire: Encodable {
    let scope: String
    var urls: [String]?
    var prefixes: [String]?
    var hosts: [String]?
    var tags: [String]?
    var mode: String?
    var id: String?
    let by: String?
    var dryRun: Bool?
    var local: Bool?

    init(_ request: PurgeRequest, isOrder: Bool) {
      scope = request.scope.name
      switch request.scope {
      case .urls(let urls): self.urls = urls.map(\.description)
      case .prefixes(let prefixes): self.prefixes = prefixes.map(\.description)
      case .hosts(let hosts): self.hosts = hosts
      case .tags(let tags): self.tags = tags
      case .everything: break
      }
      mode = request.mode == .soft ? Mode.soft.rawValue : nil
      by = request.author
      guard isOrder else { return }
      id = request.id.map { "\($0)" }
      dryRun = request.isDryRun ? true : nil
      local = request.isLocal ? true : nil
    }
  }
}

extension PurgeRequest.Scope {
  /// The scope in one word.
  public var name: String {
    switch self {
    case .urls: "url"
    case .prefixes: "prefix"
    case .hosts: "host"
    case .tags: "tag"
    case .everything: "everything"
    }
  }

  /// What it names; empty for everything.
  public var names: [String] {
    switch self {
    case .urls(let urls), .prefixes(let urls): urls.map(\.description)
    case .hosts(let names), .tags(let names): names
    case .everything: []
    }
  }

  /// In a few words, for a log: `url http://a/b`, `3 tags, the first x`.
  public var summary: String {
    let names = names
    guard let first = names.first else { return name }
    return names.count == 1 ? "\(name) \(first)" : "\(names.count) × \(name), the first \(first)"
  }

  fileprivate var noun: String {
    if case .urls = self { "URL" } else { name }
  }

  fileprivate var nouns: String {
    if case .prefixes = self { "prefixes" } else { noun + "s" }
  }
}
