// URLs as operators write them, for purges.

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
    guard text.utf8.allSatisfy(\.isVisible) else {
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
