/// Bounds on what a peer may send before its content. Reaching one is an error that names it.
public struct HeadLimits: Sendable {
  /// Longest method and target with the space between them, or status line, in bytes; past it 414.
  public var startLine: Int
  /// Longest single field line, in bytes; past it 431.
  public var fieldLine: Int
  /// Longest whole head, in bytes; past it 431.
  public var head: Int
  /// Most field lines in a head; past it 431.
  public var fields: Int

  /// Limits from their parts.
  public init(startLine: Int, fieldLine: Int, head: Int, fields: Int) {
    self.startLine = startLine
    self.fieldLine = fieldLine
    self.head = head
    self.fields = fields
  }

  /// What a client may send: 8 KiB, 8 KiB, 32 KiB, 100 fields.
  public static let request = HeadLimits(
    startLine: 8 << 10, fieldLine: 8 << 10, head: 32 << 10, fields: 100)
  /// What an upstream may send: origins set long policies and many cookies, so twice as much.
  public static let response = HeadLimits(
    startLine: 8 << 10, fieldLine: 32 << 10, head: 64 << 10, fields: 256)
  /// What either side may send after chunked content.
  public static let trailers = HeadLimits(
    startLine: 0, fieldLine: 8 << 10, head: 16 << 10, fields: 64)
}

/// Why bytes are not an acceptable message; each case has its status and its words.
public enum MalformedMessage: Error, Sendable, Hashable {
  case requestLine, method, target, version, unsupportedVersion, targetTooLong
  case fieldName, fieldValue, fieldLine, lineFolding, bareLineEnd
  case fieldTooLong, headTooLarge, tooManyFields
  case hostMissing, hostRepeated, hostInvalid, wrongScheme
  case contentLength, contentLengthRepeated, contentLengthWithTransferEncoding
  case transferEncoding, transferCodingUnknown, transferEncodingInHTTP10
  case expectation
  case connectMethod
  case statusLine
  case chunkSize, chunkExtension, chunkEnd, chunkExtensionTooLong

  /// The status that tells a client (RFC 9110 §15.5, RFC 9112 §3, RFC 6585 §5).
  public var status: Int {
    switch self {
    case .targetTooLong: 414
    case .fieldTooLong, .headTooLarge, .tooManyFields: 431
    case .unsupportedVersion: 505
    case .transferCodingUnknown, .connectMethod: 501
    case .expectation: 417
    case .wrongScheme: 421
    default: 400
    }
  }

  /// What is wrong, in words that fit a log line.
  public var reason: StaticString {
    switch self {
    case .requestLine: "the request line is not METHOD SP TARGET SP HTTP/1.x"
    case .method: "the method is not a token"
    case .target: "the request target is not valid"
    case .version: "the protocol version is not HTTP/1.x"
    case .unsupportedVersion: "the protocol version is not supported"
    case .targetTooLong: "the request line is too long"
    case .fieldName: "a field name is not a token"
    case .fieldValue: "a field value has a control character"
    case .fieldLine: "a field line has no colon"
    case .lineFolding: "a field line is folded"
    case .bareLineEnd: "a line does not end in CR LF"
    case .fieldTooLong: "a field line is too long"
    case .headTooLarge: "the head is too large"
    case .tooManyFields: "there are too many field lines"
    case .hostMissing: "there is no Host field"
    case .hostRepeated: "there is more than one Host field"
    case .hostInvalid: "the Host field is not a host with an optional port"
    case .wrongScheme: "the target's scheme is not that of this connection"
    case .contentLength: "Content-Length is not a number"
    case .contentLengthRepeated: "there is more than one Content-Length"
    case .contentLengthWithTransferEncoding: "Content-Length stands beside Transfer-Encoding"
    case .transferEncoding: "chunked is not the last transfer coding, applied once"
    case .transferCodingUnknown: "a transfer coding is not supported"
    case .transferEncodingInHTTP10: "Transfer-Encoding in an HTTP/1.0 message"
    case .expectation: "the expectation is not 100-continue"
    case .connectMethod: "CONNECT is not supported"
    case .statusLine: "the status line is not HTTP/1.x SP STATUS SP REASON"
    case .chunkSize: "a chunk size is not a hexadecimal number"
    case .chunkExtension: "a chunk extension is not valid"
    case .chunkEnd: "a chunk does not end in CR LF"
    case .chunkExtensionTooLong: "chunk extensions are too long"
    }
  }
}
