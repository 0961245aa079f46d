// Asking the origin whether a stored response is still good (RFC 9111 §4.3).

/// What an answer to a validation request means for the stored response.
public enum ValidationOutcome: Sendable {
  /// 304: the stored response is good and has new fields (§4.3.4).
  case freshened(StoredHead, Storability.Accepted)
  /// 304: the stored response is good for this request, but its new fields may not be stored.
  case confirmed(StorageRefusal)
  /// 304, but about something else: the stored response must not be used.
  case mismatch
  /// A server error: the stored response may stand in, where that is allowed (§4.3.3).
  case serverError
  /// Any other answer replaces the stored one.
  case replaced
}

/// Builds and judges validation requests.
public enum Validation {
  /// True if the stored response has something to ask with (§4.3.1).
  public static func hasValidator(_ head: StoredHead) -> Bool {
    head.etag != nil || head.fields.contains(.lastModified)
  }

  /// Judges the answer to a validation of `stored` that was sent for `request`. O(bytes).
  public static func judge(
    _ response: ResponseHead,
    stored: StoredResponse,
    request: RequestHead,
    requestTime: Instant,
    responseTime: Instant
  ) -> ValidationOutcome {
    if response.status >= 500 { return .serverError }
    guard response.status == 304 else { return .replaced }
    // §4.3.4: a strong validator in the 304 must be the stored one, and so must a weak one.
    if let etag = response.fields.first(.etag) {
      guard let own = stored.head.etag else { return .mismatch }
      let storedBytes = stored.head.fields.bytes
      guard
        EntityTag.weaklyEqual(
          response.fields.bytes.readableBytesUInt8Span, etag.range,
          storedBytes.readableBytesUInt8Span, own.range)
      else { return .mismatch }
    }
    let head = stored.head.freshened(by: response, now: responseTime)
    // A 304 is about the stored response now: its Age counts, and its Date is new.
    var renewed = head.asResponse
    if let age = response.fields.first(.age) {
      renewed.fields.append(name: "age", value: response.fields.copy(age))
    }
    let accepted = Storability.decide(
      request: request, requestDirectives: CacheControl(), response: renewed,
      isHashedURL: stored.isHashedURL, requestTime: requestTime, responseTime: responseTime)
    switch accepted {
    case .success(let accepted): return .freshened(head, accepted)
    case .failure(let refusal): return .confirmed(refusal)
    }
  }
}
