// Where a Redis is: redis://[[user]:password@]host[:port][/database], and rediss:// over TLS.

import FoundationEssentials

/// The address of a Redis, with what it wants to know.
public struct RedisURL: Sendable, Hashable, CustomStringConvertible {
  /// Where to connect.
  public let endpoint: SocketEndpoint
  /// Whether the connection is secured.
  public let isSecure: Bool
  /// The user, if there is one besides the usual.
  public let user: String?
  /// The password, if one is wanted.
  public var password: String?
  /// The number of the database.
  public let database: Int

  /// Reads a URL; user and password are percent-encoded.
  public init(parsing text: String) throws(ValueProblem) {
    func problem(_ what: String) -> ValueProblem {
      // A password does not belong in messages.
      ValueProblem(text.contains("@") ? "\(text.prefix { $0 != ":" })://…" : text, what)
    }
    let rest: Substring
    if text.hasPrefix("redis://") {
      (isSecure, rest) = (false, text.dropFirst(8))
    } else if text.hasPrefix("rediss://") {
      (isSecure, rest) = (true, text.dropFirst(9))
    } else {
      throw problem("is not a redis:// or rediss:// URL")
    }
    let split = rest.lastIndex(of: "@")
    var place = split.map { rest[rest.index(after: $0)...] } ?? rest
    if let split {
      let parts = rest[..<split].split(
        separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let name = Self.decoded(parts[0]),
        let secret = Self.decoded(parts[1]), !secret.isEmpty
      else { throw problem("has no password before the @; write redis://:PASSWORD@HOST") }
      (user, password) = (name.isEmpty ? nil : name, secret)
    } else {
      (user, password) = (nil, nil)
    }
    var number = 0
    if let slash = place.firstIndex(of: "/") {
      let digits = place[place.index(after: slash)...]
      guard digits.isEmpty || Int(digits).map({ $0 >= 0 }) == true else {
        throw problem("has a database which is not a number")
      }
      number = Int(digits) ?? 0
      place = place[..<slash]
    }
    database = number
    guard let parts = HostGrammar.splitPlace(place) else {
      throw problem("has no valid host; write redis://HOST:PORT")
    }
    var port = 6379
    if let digits = parts.port, !digits.isEmpty {
      guard let number = HostGrammar.port(digits), number > 0 else {
        throw problem("has a port which is not a number from 1 to 65535")
      }
      port = number
    }
    endpoint = SocketEndpoint(host: parts.host, port: port)
  }

  private static func decoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 2, let value = UInt8(String(rest.prefix(2)) ?? "", radix: 16) else {
        return nil
      }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
  }

  /// Where it is, without the password.
  public var description: String { "\(isSecure ? "rediss" : "redis")://\(endpoint)" }
}
