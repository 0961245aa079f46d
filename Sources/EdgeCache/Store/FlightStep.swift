import NIOCore

/// What a reader gets next from a flight.
public enum FlightStep: Sendable {
  /// Nothing yet; the reader will be woken.
  case wait
  /// Nothing yet, and whoever does not know that it may share the response may ask for itself.
  case mayLeave
  /// Nothing yet, and it has taken longer than others should wait; whoever stays will be woken.
  case overdue
  /// The head; content follows.
  case head(FlightHead)
  /// Some content.
  case content(ByteBuffer)
  /// The content is complete, with these trailer fields.
  case end(FieldSection?)
  /// A validation found the stored response good: send that.
  case stored(StoredResponse)
  /// The response is not for sharing: forward by yourself.
  case goAlone(StorageRefusal)
  /// The upstream failed before a head came.
  case failed(UpstreamFailure)
  /// The response broke off.
  case truncated
  /// Others could not wait for this reader any longer: it gets no more.
  case leftBehind
}

/// What an upstream connection does after it appended content to a flight.
public enum FillStep: Sendable, Hashable {
  /// Go on reading.
  case goOn
  /// Stop reading until the flight calls `resume`.
  case hold
  /// Nobody wants the rest: let go of the upstream.
  case cancel
}
