// The request line within a line of a log, and the words around it.

/// Method and target of a request.
struct RequestLine: Equatable {
  /// The method as it was sent.
  var method: String
  /// The target, with the bytes that the client sent.
  var target: [UInt8]

  /// Reads `GET /a.gif HTTP/1.0`. HTTP/0.9 had no version, and some clients send spaces within the target.
  init(_ text: ArraySlice<UInt8>) throws(LineProblem) {
    var rest = Words.trimmed(text)
    guard !rest.isEmpty, !rest.elementsEqual("-".utf8) else {
      throw LineProblem("its client sent no request", .request)
    }
    let end = rest.firstIndex(of: UInt8(ascii: " ")) ?? rest.endIndex
    let method = rest[..<end]
    guard Self.isMethod(method) else {
      throw LineProblem("its request line begins with no method", .request)
    }
    rest = Words.trimmed(rest[end...])
    if let space = rest.lastIndex(of: UInt8(ascii: " ")),
      rest[(space + 1)...].starts(with: "HTTP/".utf8)
    {
      rest = Words.trimmed(rest[..<space])
    }
    try self.init(method: method, target: rest)
  }

  /// A request of its parts.
  init(method: ArraySlice<UInt8>, target: ArraySlice<UInt8>) throws(LineProblem) {
    guard Self.isMethod(method) else { throw LineProblem("it names no method", .request) }
    guard !target.isEmpty, !target.starts(with: "HTTP/".utf8) else {
      throw LineProblem("its request line has no target", .request)
    }
    self.method = String(decoding: method, as: UTF8.self)
    self.target = Array(target)
    // Others have targets of their own: `*`, or the host and port of CONNECT.
    let isRead = self.method == "GET" || self.method == "HEAD"
    guard !isRead || target.first == UInt8(ascii: "/") || AbsoluteTarget(self.target) != nil else {
      throw LineProblem("its target is neither a path nor a URL", .request)
    }
  }

  private static func isMethod(_ word: ArraySlice<UInt8>) -> Bool {
    (1...32).contains(word.count) && word.first != UInt8(ascii: "-")
      && word.allSatisfy { ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A || $0 == 0x2D || $0 == 0x5F }
  }
}

/// A target that names scheme and host: `https://www.example/a`.
struct AbsoluteTarget {
  /// Host and port.
  var authority: ArraySlice<UInt8>
  /// Path and query, at least `/`.
  var path: [UInt8]

  /// Reads a target; nil for any other form.
  init?(_ target: [UInt8]) {
    guard let colon = target.firstIndex(of: UInt8(ascii: ":")),
      ["http", "https"].contains(String(decoding: target[..<colon], as: UTF8.self).lowercased()),
      target[colon...].starts(with: "://".utf8)
    else { return nil }
    let rest = target[(colon + 3)...].prefix { $0 != UInt8(ascii: "#") }
    authority = rest.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
    guard !authority.isEmpty else { return nil }
    path = Array(rest[authority.endIndex...])
    if path.first != UInt8(ascii: "/") { path.insert(UInt8(ascii: "/"), at: 0) }
  }
}

/// The words of a line, and what stands in quotes.
enum Words {
  /// Without spaces around it.
  static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let rest = text.drop { $0 == UInt8(ascii: " ") }
    guard let end = rest.lastIndex(where: { $0 != UInt8(ascii: " ") }) else { return rest }
    return rest[...end]
  }

  /// The words up to the first quote or the end, at most so many; the rest of the line is left.
  static func take(_ most: Int, _ rest: inout ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
    var words: [ArraySlice<UInt8>] = []
    while words.count < most {
      rest = rest.drop { $0 == UInt8(ascii: " ") }
      guard !rest.isEmpty, rest.first != UInt8(ascii: "\"") else { break }
      let end = rest.firstIndex(of: UInt8(ascii: " ")) ?? rest.endIndex
      words.append(rest[..<end])
      rest = rest[end...]
    }
    return words
  }

  /// What stands in the first quotes; the rest of the line is left. A quote after a backslash is part of it, and so is
  /// one that `isEnd` does not take, which is asked with what follows the quote.
  static func quoted(
    _ rest: inout ArraySlice<UInt8>, isEnd: (ArraySlice<UInt8>) -> Bool = { _ in true }
  ) -> ArraySlice<UInt8>? {
    guard let open = rest.firstIndex(of: UInt8(ascii: "\"")) else { return nil }
    var place = open + 1
    var first: Int?
    while place < rest.endIndex {
      if rest[place] == UInt8(ascii: "\"") {
        first = first ?? place
        if isEnd(rest[(place + 1)...]) {
          first = place
          break
        }
      }
      place += rest[place] == UInt8(ascii: "\\") ? 2 : 1
    }
    guard let end = first else { return nil }
    defer { rest = rest[(end + 1)...] }
    return rest[(open + 1)..<end]
  }

  /// The bytes that Apache, nginx and others write as `\xHH`, `\"`, `\\`, `\t` and so on.
  static func unescaped(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    guard bytes.contains(UInt8(ascii: "\\")) else { return Array(bytes) }
    let letters: [UInt8: UInt8] = [0x62: 8, 0x74: 9, 0x6E: 10, 0x76: 11, 0x66: 12, 0x72: 13]
    var result: [UInt8] = []
    var rest = bytes
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() else {
        result.append(byte)
        continue
      }
      if escaped == UInt8(ascii: "x"), let code = hexadecimal(rest.prefix(2)) {
        result.append(code)
        rest = rest.dropFirst(2)
      } else {
        result.append(letters[escaped] ?? escaped)
      }
    }
    return result
  }

  /// The bytes that HAProxy writes as `#HH`.
  static func unhashed(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    guard bytes.contains(UInt8(ascii: "#")) else { return Array(bytes) }
    var result: [UInt8] = []
    var rest = bytes
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "#"), let code = hexadecimal(rest.prefix(2)) {
        result.append(code)
        rest = rest.dropFirst(2)
      } else {
        result.append(byte)
      }
    }
    return result
  }

  private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt8? {
    guard digits.count == 2, digits.allSatisfy({ $0 != UInt8(ascii: "+") }) else { return nil }
    return UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
  }

  /// A size; `-` is none: 0.
  static func size(_ word: ArraySlice<UInt8>) throws(LineProblem) -> Int {
    if word.elementsEqual("-".utf8) { return 0 }
    guard let size = TraceColumns.number(word), size <= TraceRequest.largest else {
      throw LineProblem("its size is no number of bytes", .size)
    }
    return size
  }
}
