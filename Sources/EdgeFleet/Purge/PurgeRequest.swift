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

  /// The most URLs, prefixes, hosts and tags of one request, together.
  public static let most = 4096
  /// The largest body that a PoP reads; a larger one is answered 413.
  public static let largestBody = ByteSize.mebibytes(1)
  /// The longest name of who ordered it, in bytes.
  public static let longestAuthor = 256

  /// What it covers, in all: at least one scope, at most one of each kind, and `everything` only alone.
  public let scopes: [Scope]
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
  /// Where it covers more than was written, for whoever ordered it: sentences. They are not sent on.
  public var widened: [String] = []
  /// True if it names URLs, prefixes or hosts and nothing else.
  public var isOfURLs: Bool {
    scopes.allSatisfy { scope in
      switch scope {
      case .urls, .prefixes, .hosts: true
      case .tags, .everything: false
      }
    }
  }

  /// This request with a name of its own: of the present moment, and random.
  public func named() -> PurgeRequest {
    var request = self
    request.id = PurgeID(
      milliseconds: UInt64(Date().timeIntervalSince1970 * 1000),
      number: UInt64(UInt32.random(in: 0 ... .max)))
    return request
  }

  /// A purge of every stored response.
  public static let everything = PurgeRequest([.everything])

  /// A purge of one scope, of at least one and at most ``most`` URLs or names.
  public init(checking scope: Scope, mode: PurgeMode = .hard) throws(Problem) {
    try self.init(checking: [scope], mode: mode)
  }

  /// A purge of all of these scopes; each has at least one URL or name, and all together at most ``most``.
  ///
  /// A `*` in a URL stands for any rest: what a URL cannot say becomes a prefix, and if that covers more than
  /// was written, ``widened`` says so.
  public init(checking scopes: [Scope], mode: PurgeMode = .hard) throws(Problem) {
    guard !scopes.isEmpty else { throw Problem(description: "a purge of nothing") }
    for scope in scopes where scope != .everything {
      guard !scope.isEmpty else { throw Problem(description: "a purge of no \(scope.noun)") }
    }
    let count = scopes.reduce(0) { $0 + $1.count }
    guard count <= Self.most else {
      let nouns = scopes.count == 1 ? scopes[0].nouns : "URLs and names"
      throw Problem(description: "\(count) \(nouns); at most \(Self.most) in one purge")
    }
    var joined = PurgeScopes()
    for scope in scopes { joined.add(scope) }
    self.init(joined.all, mode: mode)
    widened = joined.widened
  }

  private init(_ scopes: [Scope], mode: PurgeMode = .hard) {
    (self.scopes, self.mode) = (scopes, mode)
  }

  /// This purge of what another one covers, too: hard if either is. Throws if that is too much for one.
  public func joined(with other: PurgeRequest) throws(Problem) -> PurgeRequest {
    var joined = try PurgeRequest(
      checking: scopes + other.scopes, mode: mode == .soft ? other.mode : .hard)
    (joined.id, joined.author) = (id, author)
    (joined.isDryRun, joined.isLocal) = (isDryRun, isLocal)
    joined.widened = widened + other.widened
    return joined
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

  /// A tag: text without commas, stars and control characters, and without spaces around it, of 1 to
  /// ``CacheTag/most`` bytes.
  public static func tag(_ text: String) throws(ValueProblem) -> String {
    guard !text.contains("*") else {
      throw ValueProblem(
        text, "has a *, and there are no wildcards of tags; all that is stored is everything")
    }
    guard (1...CacheTag.most).contains(text.utf8.count),
      text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: ",") }),
      !text.unicodeScalars.contains("\u{FFFD}"), text.utf8.first != 0x20, text.utf8.last != 0x20
    else {
      throw ValueProblem(
        text,
        "is not a tag; use 1 to \(CacheTag.most) bytes of UTF-8 without commas and control characters"
      )
    }
    return text
  }

  // MARK: - Reading

  /// Reads the body of a request, which is carried out in `mode` where it does not say how.
  public init(json bytes: [UInt8], otherwise mode: PurgeMode = .hard) throws(Problem) {
    let tree: JSONTree
    do throws(JSONTree.SyntaxProblem) {
      tree = try JSONTree.parse(bytes)
    } catch {
      throw Problem(
        description: "not JSON: line \(error.line), column \(error.column): \(error.reason)")
    }
    var reader = ConfigurationReader()
    let request = Self.read(ConfigurationNode(value: tree, path: ""), otherwise: mode, &reader)
    if let problem = reader.problems.first { throw Problem(description: problem.text) }
    guard let request else { throw Problem(description: "not a purge request") }
    try self.init(checking: request.scopes, mode: request.mode)
    (id, author) = (request.id, request.author)
    (isDryRun, isLocal) = (request.isDryRun, request.isLocal)
  }

  private enum Name: String, CaseIterable { case url, prefix, host, tag, everything }
  private enum Mode: String, CaseIterable { case hard, soft }

  private static func read(
    _ node: ConfigurationNode, otherwise mode: PurgeMode, _ reader: inout ConfigurationReader
  ) -> PurgeRequest? {
    let lists: [(name: Name, key: String)] = [
      (.url, "urls"), (.prefix, "prefixes"), (.host, "hosts"), (.tag, "tags"),
    ]
    guard
      let fields = reader.fields(
        node, required: [],
        optional: ["scope"] + lists.map(\.key) + ["mode", "id", "by", "dryRun", "local"])
    else { return nil }
    // Without a scope it is all that there is a list for.
    var names = lists.filter { fields[$0.key] != nil }.map(\.name)
    if fields["scope"] == nil {
      if names.isEmpty { reader.note("scope", "is required") }
    } else {
      guard let name = reader.choice(fields["scope"], Name.self) else { return nil }
      for list in lists where list.name != name && fields[list.key] != nil {
        reader.note(list.key, "does not go with scope \"\(name.rawValue)\"")
      }
      if let list = lists.first(where: { $0.name == name }), fields[list.key] == nil {
        reader.note(list.key, "is required with scope \"\(name.rawValue)\"")
      }
      names = [name]
    }
    let scopes: [Scope] = names.map { name in
      switch name {
      case .url: .urls(list(fields["urls"], &reader, parseURL))
      case .prefix: .prefixes(list(fields["prefixes"], &reader, parseURL))
      case .host: .hosts(list(fields["hosts"], &reader, host))
      case .tag: .tags(list(fields["tags"], &reader, tag))
      case .everything: .everything
      }
    }
    var request = PurgeRequest(scopes)
    request.mode =
      switch reader.choice(fields["mode"], Mode.self) {
      case .soft: .soft
      case .hard: .hard
      case nil: mode
      }
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
    /// Left out where there are several.
    var scope: String?
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
      if request.scopes.count == 1 { scope = request.scopes[0].name }
      for scope in request.scopes {
        switch scope {
        case .urls(let urls): self.urls = urls.map(\.description)
        case .prefixes(let prefixes): self.prefixes = prefixes.map(\.description)
        case .hosts(let hosts): self.hosts = hosts
        case .tags(let tags): self.tags = tags
        case .everything: break
        }
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

extension PurgeRequest {
  /// What it covers in a few words, for a log.
  public var summary: String { scopes.map(\.summary).joined(separator: "; ") }
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

  /// How many it names. O(1).
  public var count: Int {
    switch self {
    case .urls(let urls), .prefixes(let urls): urls.count
    case .hosts(let names), .tags(let names): names.count
    case .everything: 0
    }
  }

  fileprivate var isEmpty: Bool { count == 0 }

  /// In a few words, for a log: `url http://a/b`, `3 × tag, the first x`.
  public var summary: String {
    let first =
      switch self {
      case .urls(let urls), .prefixes(let urls): urls.first?.description
      case .hosts(let names), .tags(let names): names.first
      case .everything: nil as String?
      }
    guard let first else { return name }
    return count == 1 ? "\(name) \(first)" : "\(count) × \(name), the first \(first)"
  }

  fileprivate var noun: String {
    if case .urls = self { "URL" } else { name }
  }

  fileprivate var nouns: String {
    if case .prefixes = self { "prefixes" } else { noun + "s" }
  }
}
