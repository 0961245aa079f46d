// What a request means that orders a purge by its method, its target and its fields, as plug-ins of content
// management systems send it. No standard has it; these are the habits of Varnish and its modules, nginx, Squid,
// Fastly, LiteSpeed and Magento.
//
// A purge never does less than its sender meant. So all that a request names is purged, a pattern that cannot be
// carried out exactly is widened, and a request that may mean something which is not known here is refused as a whole.

import EdgeCache

/// The purge in the fields of a request.
public struct PurgeFields: Sendable {
  /// Why nothing was purged.
  public struct Refusal: Error, Sendable, Hashable {
    /// 400; 501 for a method, 421 for a host.
    public let status: Int
    /// The reason, as a sentence.
    public let reason: String

    /// A refusal with its status.
    public init(_ status: Int, _ reason: String) {
      (self.status, self.reason) = (status, reason)
    }
  }

  /// What a method has to do with purges.
  public enum Method: Sendable, Hashable {
    /// `PURGE`: the target, and what fields name.
    case purge
    /// `PURGEKEYS`: what fields name.
    case purgeKeys
    /// `BAN`, `REFRESH` and their kin, which mean a purge elsewhere.
    case unknown

    /// The method of that name; nil if it has nothing to do with purges.
    public init?(_ name: String) {
      switch name {
      case "PURGE": self = .purge
      case "PURGEKEYS": self = .purgeKeys
      default:
        let upper = name.uppercased()
        let isMeant =
          ["REFRESH", "INVALIDATE", "FLUSH", "EVICT"].contains(upper) || upper.contains("PURGE")
          || upper.hasPrefix("BAN") || upper.hasSuffix("BAN")
        guard isMeant else { return nil }
        self = .unknown
      }
    }
  }

  /// What a request is for: the authority and the path, with its query, of its target.
  public struct Target: Sendable, Hashable {
    /// The host, perhaps with a port.
    public let authority: String
    let path: String

    /// A target from its parts.
    public init(authority: String, path: String) {
      self.authority = authority
      self.path = path.isEmpty || path.hasPrefix("?") ? "/\(path)" : path
    }
  }

  /// The order in a request with this method. Fields that are not about purges are ignored; those in `tagFields`, in
  /// lower case, name tags as the site chose, whatever they mean where no site does. O(bytes).
  public static func read(
    _ method: String, _ target: Target, _ fields: [(name: String, value: String)],
    tagFields: [String] = [], hasContent: Bool = false
  ) throws(Refusal) -> PurgeRequest {
    guard let known = Method(method), known != .unknown else {
      throw Refusal(
        501, "\(method) is not understood; there is PURGE and PURGEKEYS. Nothing was purged")
    }
    if hasContent {
      throw Refusal(
        400, "\(method) takes no content: what it names would be left out. Nothing was purged")
    }
    var reader = PurgeFields(target: target)
    reader.tagFields = tagFields
    for field in fields { try reader.take(field.name, field.value) }
    if known == .purgeKeys {
      guard reader.rule == nil else {
        throw Refusal(400, "X-Purge-Method does not go with PURGEKEYS. Nothing was purged")
      }
      guard reader.hasNames else {
        throw Refusal(400, "PURGEKEYS without a field that names tags. Nothing was purged")
      }
    } else {
      try reader.takeTarget()
    }
    return try reader.request()
  }

  /// The scopes that fields alone name, without a target, and those of `content`, a body of the admin API; nil if there
  /// is neither. O(bytes).
  public static func read(
    _ fields: [(name: String, value: String)], content: [UInt8]
  ) throws -> PurgeRequest? {
    let named = try read(fields, hasContent: !content.isEmpty)
    guard !content.isEmpty else { return named.request }
    var request = try PurgeRequest(json: content, otherwise: named.isSoft == true ? .soft : .hard)
    if named.isSoft == false { request.mode = .hard }
    return try named.request.map { try request.joined(with: $0) } ?? request
  }

  private static func read(
    _ fields: [(name: String, value: String)], hasContent: Bool
  ) throws(Refusal) -> (request: PurgeRequest?, isSoft: Bool?) {
    var reader = PurgeFields(target: nil)
    for field in fields { try reader.take(field.name, field.value) }
    guard reader.rule == nil else {
      throw Refusal(400, "X-Purge-Method goes only with PURGE. Nothing was purged")
    }
    if !reader.hasNames {
      guard reader.isSoft == nil || hasContent else {
        throw Refusal(400, "a field says how to purge, and none says what. Nothing was purged")
      }
      return (nil, reader.isSoft)
    }
    return (try reader.request(), reader.isSoft)
  }

  // MARK: - Reading

  /// What `X-Purge-Method` says of the path.
  private enum Rule: String { case regex, exact, `default` }

  private let target: Target?
  /// Fields that a site chose for its tags, besides those that are known.
  private var tagFields: [String] = []
  private var scopes: [PurgeRequest.Scope] = []
  private var widened: [String] = []
  private var rule: Rule?
  /// What `Fastly-Soft-Purge` says.
  private var isSoft: Bool?
  /// True if something is named that is purged softly of itself, and if something is not.
  private var (hasSoft, hasHard) = (false, false)
  /// True if something is named that is purged as `Fastly-Soft-Purge` says.
  private var hasEither = false
  /// True if the target is purged even if it is `/` and something else is named.
  private var purgesTarget = false

  private init(target: Target?) { self.target = target }

  private var hasNames: Bool { !scopes.isEmpty }

  private mutating func take(_ name: String, _ value: String) throws(Refusal) {
    let value = value.trimmingBlanks
    switch name.lowercased() {
    case "surrogate-key", "xkey", "cache-tag", "cache-tags", "ykey":
      try takeTags(name, value)
      hasEither = true
    case "key":
      try takeTags(name, value)
      hasEither = true
      // It may also be what opens a door.
      purgesTarget = true
    case "clear-cache", "x-clear-cache":
      guard ["true", "1", "yes", "on", "all", "*"].contains(value.lowercased()) else {
        throw Refusal(400, "\(name): \(quoted(value)) is not true. Nothing was purged")
      }
      scopes.append(.everything)
      hasEither = true
    case "xkey-purge":
      try takeTags(name, value)
      hasHard = true
    case "xkey-softpurge":
      try takeTags(name, value)
      hasSoft = true
    case "x-magento-tags-pattern":
      try takePattern(name, value)
      hasEither = true
    case "x-litespeed-purge": try takeLiteSpeed(value)
    case "x-purge-method":
      guard let known = Rule(rawValue: value.lowercased()), rule == nil || rule == known else {
        throw Refusal(
          400, "X-Purge-Method: \(quoted(value)) is not regex, exact or default. Nothing was purged"
        )
      }
      rule = known
    case "fastly-soft-purge":
      guard value == "0" || value == "1", isSoft == nil || isSoft == (value == "1") else {
        throw Refusal(400, "Fastly-Soft-Purge: \(quoted(value)) is not 0 or 1. Nothing was purged")
      }
      isSoft = value == "1"
    // They may be some that responses alone have elsewhere.
    case let lowercased where tagFields.contains(lowercased):
      try takeTags(name, value)
      hasEither = true
    case let lowercased:
      guard !PurgeFieldNames.mayNameScope(lowercased) else {
        throw Refusal(
          400, "the field \(name) may say what to purge, and is not understood. Nothing was purged")
      }
    }
  }

  /// Tags as they are, and without quotes; and where they look like an expression for Varnish, what that matches, too.
  /// One that is `*` alone is everything.
  private mutating func takeTags(_ name: String, _ value: String) throws(Refusal) {
    let tags = PurgeTagList(value)
    if tags.isEverything { return scopes.append(.everything) }
    if let pattern = tags.pattern {
      try takePattern(name, pattern)
      if scopes.last == .everything { return }
    }
    try add(tags.names, of: name)
  }

  private mutating func add(_ tags: [String], of name: String) throws(Refusal) {
    guard !tags.isEmpty else {
      throw Refusal(400, "\(name) names nothing to purge. Nothing was purged")
    }
    do throws(ValueProblem) {
      var checked: [String] = []
      for tag in tags { checked.append(try PurgeRequest.tag(tag)) }
      scopes.append(.tags(checked))
    } catch {
      throw Refusal(400, "\(name): \(error). Nothing was purged")
    }
  }

  private mutating func takePattern(_ name: String, _ value: String) throws(Refusal) {
    switch TagPattern(value) {
    case .everything: scopes.append(.everything)
    case .tags(let tags): try add(tags, of: name)
    case nil:
      throw Refusal(
        400,
        "\(name): \(quoted(value)) is not understood; there are alternatives of tags, and .* alone. "
          + "Nothing was purged")
    }
  }

  // MARK: LiteSpeed

  /// `X-LiteSpeed-Purge`: groups between semicolons, of `public`, `private` and `stale`, and what is to be purged:
  /// `*`, `tag=NAME`, and URLs.
  private mutating func takeLiteSpeed(_ value: String) throws(Refusal) {
    for group in value.split(separator: ";") {
      var named = 0
      var isStale = false
      for item in group.split(separator: ",") {
        let item = String(item).trimmingBlanks
        switch item.lowercased() {
        case "": break
        case "public": break
        case "private": widened.append("what is private is not stored here; the public is purged")
        case "stale": isStale = true
        default:
          named += 1
          try takeLiteSpeedItem(item)
        }
      }
      guard named > 0 else {
        throw Refusal(400, "X-LiteSpeed-Purge: \(quoted(group)) names nothing. Nothing was purged")
      }
      if isStale { hasSoft = true } else { hasEither = true }
    }
    guard hasNames else {
      throw Refusal(400, "X-LiteSpeed-Purge names nothing to purge. Nothing was purged")
    }
  }

  private mutating func takeLiteSpeedItem(_ item: String) throws(Refusal) {
    if item == "*" {
      scopes.append(.everything)
    } else if item.lowercased().hasPrefix("tag=") {
      let tag = String(item.dropFirst(4)).trimmingBlanks
      try takeTags("tag=", tag)
    } else if item.hasPrefix("/"), let target {
      try takePath(item, of: target.authority)
    } else if item.contains("://") {
      scopes.append(.urls([try url(item)]))
    } else {
      throw Refusal(
        400, "X-LiteSpeed-Purge: \(quoted(item)) is not *, tag=NAME or a URL. Nothing was purged")
    }
  }

  // MARK: The target

  private mutating func takeTarget() throws(Refusal) {
    guard let target else { return }
    let path = target.path
    switch rule {
    case .regex:
      switch PathPattern(path) {
      case .exact(let path): scopes.append(.urls([try url(target.authority, path)]))
      case .prefix(let prefix, let isWider):
        scopes.append(.prefixes([try url(target.authority, prefix)]))
        if isWider {
          widened.append("\(quoted(path)) is purged as all that begins with \(quoted(prefix))")
        }
      case nil:
        throw Refusal(
          400,
          "X-Purge-Method: regex is carried out for a path and .* behind it; "
            + "\(quoted(path)) is another expression. Nothing was purged")
      }
    case .default:
      if try takeImpliedPattern(path, of: target.authority) { break }
      // The page, with whatever query.
      let page = String(path.prefix { $0 != "?" })
      scopes.append(.urls([try url(target.authority, page)]))
      scopes.append(.prefixes([try url(target.authority, page + "?")]))
    // Even so a `*` stands for any rest.
    case .exact: scopes.append(.urls([try url(target.authority, path)]))
    case nil:
      // Who names tags has to send them to some path.
      if hasNames, path == "/", !purgesTarget { return }
      try takePath(path, of: target.authority)
    }
    hasEither = true
  }

  /// A path of which nothing says how it is meant.
  private mutating func takePath(_ path: String, of authority: String) throws(Refusal) {
    if try takeImpliedPattern(path, of: authority) { return }
    scopes.append(.urls([try url(authority, path)]))
  }

  /// Takes a path that looks like an expression, and what it may be as a URL besides; false if it does not.
  private mutating func takeImpliedPattern(
    _ path: String, of authority: String
  ) throws(Refusal) -> Bool {
    guard let implied = ImpliedPattern(path) else { return false }
    let beginning = try url(authority, implied.beginning)
    // It may be a URL all the same, unless there is a `*` in it.
    if implied.isWhole || !path.hasPrefix(implied.beginning) && !path.contains("*") {
      scopes.append(.urls([try url(authority, path)]))
    }
    if implied.isWhole {
      scopes.append(.urls([beginning]))
      widened.append(
        "\(quoted(path)) is read as an expression, too, and \(quoted(implied.beginning)) is purged")
    } else {
      scopes.append(.prefixes([beginning]))
      widened.append(
        "\(quoted(path)) is read as an expression, and purged as all that begins with "
          + quoted(implied.beginning))
    }
    return true
  }

  private func url(_ authority: String, _ path: String) throws(Refusal) -> PurgeURL {
    guard path.hasPrefix("/") else {
      throw Refusal(400, "\(quoted(path)) is not a path. Nothing was purged")
    }
    return try url("http://\(authority)\(path)")
  }

  private func url(_ text: String) throws(Refusal) -> PurgeURL {
    do throws(ValueProblem) {
      return try PurgeURL(parsing: text)
    } catch {
      throw Refusal(400, "\(error). Nothing was purged")
    }
  }

  private func request() throws(Refusal) -> PurgeRequest {
    // What is to be gone must not only become stale.
    let isHard = hasHard || hasEither && isSoft != true || !hasSoft && isSoft != true
    do throws(PurgeRequest.Problem) {
      var request = try PurgeRequest(
        checking: scopes, mode: isHard || isSoft == false ? .hard : .soft)
      request.widened += widened
      if isHard, hasSoft {
        request.widened.append("what is named softly is purged hard, with the rest")
      }
      return request
    } catch {
      throw Refusal(400, "\(error). Nothing was purged")
    }
  }
}

extension String {
  /// Without spaces and tabs at its ends.
  fileprivate var trimmingBlanks: String {
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
    let start = utf8.firstIndex { !isBlank($0) } ?? utf8.endIndex
    let end = utf8.lastIndex { !isBlank($0) }.map { utf8.index(after: $0) } ?? start
    return String(self[start..<end])
  }
}
