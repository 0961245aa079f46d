// What several scopes come to together: one of each kind, without wildcards, and never less than each of them.

import EdgeCache

/// Joins scopes into one purge.
struct PurgeScopes {
  private var urls: [PurgeURL] = []
  private var prefixes: [PurgeURL] = []
  private var hosts: [String] = []
  private var tags: [String] = []
  private var isEverything = false
  /// Where more is covered than was written.
  private(set) var widened: [String] = []

  /// One scope of each kind that was added; everything alone, if it is among them.
  var all: [PurgeRequest.Scope] {
    if isEverything { return [.everything] }
    var all: [PurgeRequest.Scope] = []
    if !urls.isEmpty { all.append(.urls(urls)) }
    if !prefixes.isEmpty { all.append(.prefixes(prefixes)) }
    if !hosts.isEmpty { all.append(.hosts(hosts)) }
    if !tags.isEmpty { all.append(.tags(tags)) }
    return all
  }

  /// Adds a scope. O(names).
  mutating func add(_ scope: PurgeRequest.Scope) {
    switch scope {
    case .urls(let urls):
      for url in urls {
        if let prefix = rest(of: url) { prefixes.append(prefix) } else { self.urls.append(url) }
      }
    case .prefixes(let prefixes): self.prefixes += prefixes.map { rest(of: $0) ?? $0 }
    case .hosts(let hosts): self.hosts += hosts
    case .tags(let tags):
      self.tags += tags
      for tag in tags where CacheTag.parts(tag.utf8).count > 1 {
        note("the tag \(quoted(tag)) is purged as each of its words")
      }
    case .everything: isEverything = true
    }
  }

  /// What stands before the first `*` of a URL, or before `.*`, as a prefix, or before the expression that has the `*`
  /// in it; nil if there is none.
  private mutating func rest(of url: PurgeURL) -> PurgeURL? {
    guard let star = url.target.firstIndex(of: "*") else { return nil }
    let text = url.description
    // Hosts have none, so it is the first of the whole as well.
    guard let place = text.firstIndex(of: "*") else { return nil }
    var prefix = String(text[..<place])
    if let implied = ImpliedPattern(url.target) {
      prefix = "http://\(url.host)\(implied.beginning)"
      note(
        "\(quoted(text)) is read as an expression, and purged as all that begins with "
          + quoted(prefix))
    } else {
      if url.target[..<star].hasSuffix(".") { prefix = String(prefix.dropLast()) }
      if !text[place...].allSatisfy({ $0 == "*" }) {
        note("\(quoted(text)) is purged as all that begins with \(quoted(prefix))")
      }
    }
    return try? PurgeURL(parsing: prefix)
  }

  /// Notes that more is covered; of many such notes the first few are kept.
  mutating func note(_ sentence: String) {
    if widened.count < 10 { widened.append(sentence) }
  }
}
