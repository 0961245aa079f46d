// The secret of the admin API. A type of its own, so that it does not end up in a log by
// interpolation, is never sent with a line break in it, and is compared in one way only.

/// The token that a request to the admin API must carry as `Authorization: Bearer TOKEN`.
public struct AdminToken: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
  /// Why there is no token; says nothing of what was read.
  public struct Problem: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, as a sentence.
    public let description: String
  }

  private let text: String

  /// A token of `text`: visible ASCII, without spaces, 1 to 1024 characters.
  public init(_ text: String) throws(Problem) {
    guard !text.isEmpty else { throw Problem(description: "the admin token is empty") }
    guard text.utf8.count <= 1024, text.utf8.allSatisfy(\.isVisible) else {
      throw Problem(
        description: "the admin token is not 1 to 1024 characters of visible ASCII without spaces")
    }
    self.text = text
  }

  /// Reads the token from a file which holds nothing else; white space around it does not count.
  public static func read(path: String) throws(Problem) -> AdminToken {
    try read(path: path) { bytes throws(Problem) in
      let isSpace: (UInt8) -> Bool = { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
      let content = bytes.drop(while: isSpace)
      let end = content.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? content.startIndex
      return try AdminToken(String(decoding: content[..<end], as: UTF8.self))
    }
  }

  /// What `parse` makes of a file of tokens; whatever is wrong is said of that file.
  static func read<Value>(
    path: String, _ parse: ([UInt8]) throws(Problem) -> Value
  ) throws(Problem) -> Value {
    func problem(_ reason: String) -> Problem {
      Problem(description: "admin token file \(quoted(path)): \(reason)")
    }
    let bytes: [UInt8]
    do throws(TextFile.Unreadable) {
      bytes = try TextFile.bytes(path: path)
    } catch {
      throw problem(error.reason)
    }
    // Some editors begin a file with a byte order mark, which no token has.
    let hasMark = bytes.starts(with: [0xEF, 0xBB, 0xBF])
    do throws(Problem) {
      return try parse(hasMark ? Array(bytes.dropFirst(3)) : bytes)
    } catch {
      throw problem(error.description)
    }
  }

  /// Its bytes, for keys that are made of it.
  var bytes: [UInt8] { Array(text.utf8) }

  /// The value of the Authorization field that presents this token.
  public var authorization: String { "Bearer \(text)" }

  /// Whether `value`, the value of an Authorization field, presents this token.
  ///
  /// Takes as long for a wrong token as for the right one, so that time does not tell how much of
  /// a guess was right.
  public func isPresented(by value: some Collection<UInt8>) -> Bool {
    let scheme = Array("bearer ".utf8)
    guard value.prefix(scheme.count).elementsEqual(scheme, by: { $0 | 0x20 == $1 }) else {
      return false
    }
    let expected = Array(text.utf8)
    let presented = value.dropFirst(scheme.count).drop { $0 == 0x20 }
    var difference = presented.count ^ expected.count
    for (index, byte) in presented.enumerated() {
      difference |= Int(byte ^ expected[index % expected.count])
    }
    return difference == 0
  }

  /// A stand-in: the token itself is not printed.
  public var description: String { "(admin token)" }

  /// No children: the token itself is not dumped.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
