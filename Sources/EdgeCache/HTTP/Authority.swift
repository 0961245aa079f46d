/// A host with the port behind it, if there is one (RFC 3986 §3.2, RFC 9110 §7.2).
public struct Authority: Sendable, Hashable {
  /// What is known of an authority, wherever it lies.
  struct Shape: Sendable, Hashable {
    /// The number of bytes of the host, with which it begins.
    var hostCount: Int
    /// The port; nil if none is given.
    var port: UInt16?
    /// True if the host is in canonical form.
    var hasCanonicalHost: Bool
    /// True if the host is in canonical form, and there is nothing behind it.
    var isCanonical: Bool

    /// That of no authority.
    static let empty = Shape(hostCount: 0, port: nil, hasCanonicalHost: true, isCanonical: true)
  }

  /// Where the host lies, the brackets of an IPv6 address included.
  public let host: Range<Int>
  /// The port; nil if none is given.
  public let port: UInt16?
  /// True if the host is in canonical form.
  public let hasCanonicalHost: Bool
  /// True if the host is in canonical form, and there is nothing behind it.
  public let isCanonical: Bool

  /// An authority that is known to be a host in canonical form, or empty.
  init(canonical range: Range<Int>) {
    (host, port, hasCanonicalHost, isCanonical) = (range, nil, true, true)
  }

  /// One of which everything is known but where it lies.
  @inline(__always)
  init(_ shape: Shape, at start: Int) {
    host = start..<(start &+ shape.hostCount)
    (port, hasCanonicalHost, isCanonical) = (shape.port, shape.hasCanonicalHost, shape.isCanonical)
  }

  /// What is known of it, wherever it lies.
  var shape: Shape {
    Shape(
      hostCount: host.count, port: port, hasCanonicalHost: hasCanonicalHost,
      isCanonical: isCanonical)
  }

  /// Takes the authority in `range` apart; nil if it is none. O(bytes).
  @inline(__always)
  public init?(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    if let end = HostName.endOfCanonical(bytes, range), end == range.upperBound {
      self.init(canonical: range)
      return
    }
    self.init(slowly: bytes, range)
  }

  @inline(never)
  private init?(slowly bytes: Span<UInt8>, _ range: Range<Int>) {
    guard !range.isEmpty else { return nil }
    var end = range.lowerBound
    if bytes[end] == UInt8(ascii: "[") {
      guard let close = bytes.firstIndex(of: UInt8(ascii: "]"), in: range) else { return nil }
      end = close + 1
    } else {
      end = bytes.firstIndex(of: ASCII.colon, in: range) ?? range.upperBound
    }
    host = range.lowerBound..<end
    isCanonical = false
    hasCanonicalHost = HostName.isCanonical(bytes, host)
    guard hasCanonicalHost || HostName.canonical(bytes, host) != nil else { return nil }
    if end == range.upperBound {
      port = nil
      return
    }
    guard bytes[end] == ASCII.colon else { return nil }
    let digits = end + 1..<range.upperBound
    if digits.isEmpty {
      port = nil
      return
    }
    guard digits.count <= 5, let number = bytes.decimal(digits), number <= 65535 else { return nil }
    port = UInt16(number)
  }
}
