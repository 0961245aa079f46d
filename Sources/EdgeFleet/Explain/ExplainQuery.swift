// The question of `GET /explain`: what would become of this request, and why? The request goes into
// a query, so that the question can be asked from a shell and read in a log. It is read strictly: a
// misspelt parameter would get the answer to another question, which nobody would notice.

/// A request to explain: its method, its URL and its fields.
public struct ExplainQuery: Sendable, Hashable {
  /// Something that is not a question: what is wrong with it, as a sentence.
  public struct Problem: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, as the text of a 400.
    public let description: String
  }

  /// The path of the admin API that answers.
  public static let path = "/explain"

  /// The URL as it was written: absolute, as ``PurgeURL`` reads it.
  public let url: String
  /// The method, in the letter case of a request line.
  public let method: String
  /// The fields of the request in their order, each as `Name: value`; Host is not among them.
  public let headers: [String]

  /// A question about parts that are checked here.
  public init(url: String, method: String = "GET", headers: [String] = []) throws(Problem) {
    do throws(ValueProblem) {
      _ = try PurgeURL(parsing: url)
    } catch {
      throw Problem(description: "url: \(error)")
    }
    guard Self.isToken(method) else {
      throw Problem(description: "method: \(quoted(method)) is not a method")
    }
    for header in headers { try Self.check(header) }
    (self.url, self.method, self.headers) = (url, method, headers)
  }

  /// The fields taken apart: names as they were written, values without the spaces around them.
  public var fields: [(name: String, value: String)] {
    headers.map { header in
      let bytes = header.utf8
      let colon = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.endIndex
      var value = bytes[colon...].dropFirst().drop { $0 == 0x20 }
      while value.last == 0x20 { value.removeLast() }
      return (String(header[..<colon]), String(Substring(value)))
    }
  }

  private static func check(_ header: String) throws(Problem) {
    func problem(_ reason: String) -> Problem {
      Problem(description: "header: \(quoted(header)) \(reason)")
    }
    guard let colon = header.utf8.firstIndex(of: UInt8(ascii: ":")) else {
      throw problem("has no colon; write it like Accept-Encoding: gzip")
    }
    let name = header[..<colon]
    guard isToken(name) else { throw problem("has a name that is not a token (RFC 9110 §5.1)") }
    guard header.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
      throw problem("has a control character")
    }
    guard name.lowercased() != "host" else {
      throw problem("is not asked about; the host is that of the url")
    }
  }

  /// Whether `text` is a token (RFC 9110 §5.6.2).
  private static func isToken(_ text: some StringProtocol) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { $0.isLetter || $0.isDigit || "!#$%&'*+-.^_`|~".utf8.contains($0) }
  }
}

// MARK: - In a request line

extension ExplainQuery {
  /// Path and query of the request that asks the question.
  public var target: String {
    var target = "\(Self.path)?url=\(Self.encoded(url))&method=\(Self.encoded(method))"
    for header in headers { target += "&header=\(Self.encoded(header))" }
    return target
  }

  /// Reads the path and query of a request.
  public init(target: String) throws(Problem) {
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts[0] == Self.path else {
      throw Problem(description: "\(quoted(target)) is not \(Self.path)?url=URL")
    }
    var (url, method): (String?, String?)
    var headers: [String] = []
    let parameters = parts.count == 2 && !parts[1].isEmpty ? parts[1] : nil
    for parameter in parameters?.split(separator: "&", omittingEmptySubsequences: false) ?? [] {
      let halves = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = halves[0]
      guard ["url", "method", "header"].contains(name) else {
        throw Problem(
          description: "\(quoted(name)) is not a parameter; there is url, method and header")
      }
      guard halves.count == 2 else { throw Problem(description: "\(name): has no value") }
      let value = try Self.decoded(halves[1], of: name)
      switch name {
      case "header": headers.append(value)
      case "url" where url == nil: url = value
      case "method" where method == nil: method = value
      default: throw Problem(description: "\(name): is there twice")
      }
    }
    guard let url else { throw Problem(description: "url: is required") }
    try self.init(url: url, method: method ?? "GET", headers: headers)
  }

  /// Percent-encodes (RFC 3986 §2.1) what a query may not have or could be taken for another thing.
  private static func encoded(_ text: String) -> String {
    var result = ""
    for byte in text.utf8 {
      if byte.isLetter || byte.isDigit || "-._~/:?".utf8.contains(byte) {
        result.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        let digits = String(byte, radix: 16, uppercase: true)
        result += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
      }
    }
    return result
  }

  /// Undoes percent-encoding and nothing else: `+` is a plus, as everywhere but in HTML forms.
  private static func decoded(_ text: Substring, of name: Substring) throws(Problem) -> String {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%") {
        guard let high = rest.popFirst().flatMap(\.hexadecimal),
          let low = rest.popFirst().flatMap(\.hexadecimal)
        else { throw Problem(description: "\(name): has a % without two hexadecimal digits") }
        bytes.append(high << 4 | low)
      } else {
        guard byte.isVisible, byte != UInt8(ascii: "#") else {
          throw Problem(
            description: "\(name): has a space or another character which must be percent-encoded")
        }
        bytes.append(byte)
      }
    }
    guard let result = String(validating: bytes, as: UTF8.self) else {
      throw Problem(description: "\(name): is not UTF-8")
    }
    return result
  }
}
