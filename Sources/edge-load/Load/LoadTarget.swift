// Where requests go: the parts of a target URL, and its share of the load.

/// A server that is put under load, and the path its URL names.
struct LoadTarget: Equatable, Sendable {
  /// A name or a numeric address, without brackets.
  var host: String
  /// The port, 80 if the URL names none.
  var port: Int
  /// Path and query, at least `/`.
  var path: String
  /// Its share of requests, in proportion to that of the others.
  var weight = 1.0

  /// Reads `http://HOST[:PORT][@WEIGHT][/PATH]` or `http://HOST[:PORT]/@WEIGHT`.
  ///
  /// A path may hold an `@` and a number, as those of packages do (`/npm/vue@3`): behind more of a path than its first
  /// `/` it is no weight.
  init(argument: String) throws(LoadPlanError) {
    let scheme = "\(argument.prefix { $0 != ":" })://"
    let rest = argument.hasPrefix(scheme) ? argument.dropFirst(scheme.count) : argument[...]
    let authority = rest.prefix { !"/?#".contains($0) }
    let tail = rest.dropFirst(authority.count)
    if let at = authority.lastIndex(of: "@") {
      guard let weight = Self.weight(authority[authority.index(after: at)...]) else {
        throw .target(argument, "a weight is more than 0 and at most 1000; a user cannot be named")
      }
      let opening = argument.prefix(argument.count - rest.count)
      try self.init(url: "\(opening)\(authority[..<at])\(tail)")
      self.weight = weight
    } else if tail.hasPrefix("/@"), let weight = Self.weight(tail.dropFirst(2)) {
      try self.init(url: String(argument.dropLast(tail.count)))
      self.weight = weight
    } else {
      try self.init(url: argument)
    }
  }

  /// A weight, more than 0 and at most 1000; nil for anything else.
  static func weight(_ text: some StringProtocol) -> Double? {
    DecimalText.parse(text).flatMap { $0 > 0 && $0 <= 1000 ? $0 : nil }
  }

  /// A target of its parts.
  init(host: String, port: Int, path: String) {
    (self.host, self.port, self.path) = (host, port, path)
  }

  /// Reads an `http://` URL.
  init(url: String) throws(LoadPlanError) {
    guard url.hasPrefix("http://") else { throw .target(url, "only http:// URLs are supported") }
    let rest = url.dropFirst(7).prefix { $0 != "#" }
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let tail = rest.dropFirst(authority.count)
    path = Self.encoded(tail.isEmpty ? "/" : tail.hasPrefix("/") ? String(tail) : "/" + tail)
    var name = authority
    var digits: Substring = "80"
    if authority.hasPrefix("[") {
      guard let close = authority.firstIndex(of: "]") else {
        throw .target(url, "the address has no closing bracket")
      }
      name = authority[authority.index(after: authority.startIndex)..<close]
      let after = authority[authority.index(after: close)...]
      guard after.isEmpty || after.hasPrefix(":") else {
        throw .target(url, "the address is followed by something other than a port")
      }
      if !after.isEmpty { digits = after.dropFirst() }
    } else if let colon = authority.firstIndex(of: ":") {
      name = authority[..<colon]
      digits = authority[authority.index(after: colon)...]
    }
    guard !name.isEmpty, !name.contains("@") else { throw .target(url, "it names no host") }
    guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits),
      port > 0
    else { throw .target(url, "its port is no port") }
    guard Self.isPath(path) else { throw .target(url, "its path has characters to be encoded") }
    (host, self.port) = (String(name), Int(port))
  }

  /// The value of the Host field.
  var authority: String {
    let name = host.contains(":") ? "[\(host)]" : host
    return port == 80 ? name : "\(name):\(port)"
  }

  /// A path as it is asked for: what is not ASCII is percent-encoded.
  static func encoded(_ path: String) -> String {
    path.utf8.allSatisfy { $0 < 0x80 }
      ? path
      : String(decoding: TargetText.requestable(Array(path.utf8)) { $0 >= 0x80 }, as: UTF8.self)
  }

  /// Whether text can stand in a request line: begins with `/`, visible ASCII only.
  static func isPath(_ text: String) -> Bool {
    text.hasPrefix("/") && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
  }
}
