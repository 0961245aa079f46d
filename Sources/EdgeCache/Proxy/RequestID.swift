/// What a request is called in the logs of everybody who has to do with it: `X-Request-ID`, as a proxy tells it that is
/// believed, or made here.
public struct RequestID: Sendable, Hashable {
  /// Where it lies in the request that it came with; empty if it was made here.
  public let taken: ByteRange
  /// The number that was made, if one was: 128 bits.
  public let high: UInt64
  public let low: UInt64

  /// The bytes of the longest that is taken.
  public static let longest = 128

  /// Takes that of a request, or makes one.
  public init(
    of request: borrowing RequestHead, isBelieved: Bool, from source: inout RequestIDSource
  ) {
    if isBelieved, let range = request.fields.only(.xRequestID),
      Self.isAcceptable(request.fields.bytes.readableBytesUInt8Span.extracting(range.range))
    {
      (taken, high, low) = (range, 0, 0)
    } else {
      taken = .empty
      (high, low) = source.next()
    }
  }

  /// Makes one.
  public init(from source: inout RequestIDSource) {
    taken = .empty
    (high, low) = source.next()
  }

  private static func isAcceptable(_ text: Span<UInt8>) -> Bool {
    guard (1...longest).contains(text.count) else { return false }
    for index in text.indices where text[index] <= ASCII.space || text[index] >= 0x7F {
      return false
    }
    return true
  }

  /// Writes it as a field of a request that goes upstream.
  func write(of request: borrowing RequestHead, to buffer: inout HeadBuffer) {
    buffer.writeStaticString("X-Request-ID: ")
    if taken.isEmpty {
      buffer.writeHexadecimal(word: high)
      buffer.writeHexadecimal(word: low)
    } else {
      buffer.writeRange(taken, of: request.fields)
    }
    buffer.writeStaticString("\r\n")
  }
}

/// Makes names of requests, each once: from numbers that are different wherever they are made (Steele, Lea, Flood:
/// Fast splittable pseudorandom number generators, 2014). They are no secret.
public struct RequestIDSource: Sendable {
  private var high: UInt64
  private var low: UInt64

  /// A source that follows from two random numbers.
  public init(_ high: UInt64, _ low: UInt64) { (self.high, self.low) = (high, low) }

  /// 128 bits.
  mutating func next() -> (UInt64, UInt64) { (Self.next(&high), Self.next(&low)) }

  private static func next(_ state: inout UInt64) -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
