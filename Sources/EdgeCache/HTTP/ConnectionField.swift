/// What `Connection` says (RFC 9110 §7.6.1), read once for each head: most often it is a single word.
struct ConnectionField: OptionSet, Sendable {
  let rawValue: UInt8

  static let close = ConnectionField(rawValue: 1)
  static let keepAlive = ConnectionField(rawValue: 2)
  static let upgrade = ConnectionField(rawValue: 4)
  /// It has other options: each may be the name of a field that is only for the recipient.
  static let others = ConnectionField(rawValue: 8)

  /// True if the connection can be used again (RFC 9112 §9.3).
  func keepsAlive(minorVersion: UInt8) -> Bool {
    !contains(.close) && (minorVersion >= 1 || contains(.keepAlive))
  }

  /// What one line of it says. O(length).
  static func of(_ bytes: Span<UInt8>, _ value: Range<Int>) -> ConnectionField {
    if HeadScanner.isToken(bytes, value, named: "keep-alive") { return .keepAlive }
    if HeadScanner.isToken(bytes, value, named: "close") { return .close }
    return ofList(bytes, value)
  }

  @inline(never)
  private static func ofList(_ bytes: Span<UInt8>, _ value: Range<Int>) -> ConnectionField {
    var found: ConnectionField = []
    bytes.forEachListElement(value, ofTokens: true) { element in
      let option = bytes.extracting(element)
      if option.equalsIgnoringCase("close") {
        found.insert(.close)
      } else if option.equalsIgnoringCase("keep-alive") {
        found.insert(.keepAlive)
      } else {
        found.insert(option.equalsIgnoringCase("upgrade") ? .upgrade : .others)
      }
      return true
    }
    return found
  }
}
