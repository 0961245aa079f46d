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

  /// Reads `URL` or `URL@weight`, as `http://127.0.0.1:8081@2`.
  init(argument: String) throws(LoadPlanError) {
    // A path may hold an @; a weight is a number after the last one, and is not in an authority.
    guard let at = argument.lastIndex(of: "@"),
      let weight = Double(argument[argument.index(after: at)...])
    else {
      try self.init(url: argument)
      return
    }
    try self.init(url: String(argument[..<at]))
    guard weight > 0, weight <= 1000 else {
      throw .target(argument, "its weight must be more than 0 and at most 1000")
    }
    self.weight = weight
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
    path = tail.isEmpty ? "/" : tail.hasPrefix("/") ? String(tail) : "/" + tail
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
    guard let port = UInt16(digits), port > 0 else { throw .target(url, "its port is no port") }
    guard Self.isPath(path) else { throw .target(url, "its path has characters to be encoded") }
    (host, self.port) = (String(name), Int(port))
  }

  /// The value of the Host field.
  var authority: String {
    let name = host.contains(":") ? "[\(host)]" : host
    return port == 80 ? name : "\(name):\(port)"
  }

  /// Whether text can stand in a request line: begins with `/`, visible ASCII only.
  static func isPath(_ text: String) -> Bool {
    text.hasPrefix("/") && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
  }
}
