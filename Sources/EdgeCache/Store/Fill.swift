import NIOCore

// What is on its way into the store, as far as the budget and memory go.

/// What a flight has reserved in the budget; kept by the one that fills it.
public struct Fill: Sendable {
  /// The length that the upstream gave.
  public var expectedLength: Int?
  var reserved = 0

  /// A fill of a response with that length, if it is known.
  public init(expectedLength: Int? = nil) {
    self.expectedLength = expectedLength
  }
}

extension ByteBuffer {
  /// This chunk in memory of about its own size: a slice of a receive buffer would keep all of it.
  public func compacted() -> ByteBuffer {
    if readableBytes * 2 > storageCapacity { return self }
    var copy = ByteBufferAllocator().buffer(capacity: readableBytes)
    copy.writeImmutableBuffer(self)
    return copy
  }
}
