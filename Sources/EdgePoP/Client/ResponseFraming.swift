import EdgeCache

/// How a response goes out over HTTP/1.1.
struct ResponseFraming {
  /// True for the answer to HEAD.
  var isToHead = false
  /// True if the connection is closed behind it.
  var closes = false
  /// The minor version of the request.
  var minorVersion: UInt8 = 1
  /// How its content is delimited (RFC 9112 §6).
  var content = MessageFraming.none
}
