// Asking the origin whether a stored response is still good (RFC 9111 §4.3).

/// What an answer to a validation request means for the stored response.
public enum ValidationOutcome: Sendable {
  /// 304: the stored response is good and has new fields (§4.3.4).
  case freshened(StoredHead, Storability.Accepted)
  /// 304: the stored response is good for this request, but its new fields may not be stored.
  case confirmed(StoredHead, Freshness, StorageRefusal)
  /// 304, but about something else: the stored response must not be used.
  case mismatch
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
    guard response.status == 304 else { return .replaced }
    guard isAbout(stored.head, response.fields, now: responseTime) else { return .mismatch }
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
    case .failure(let refusal):
      let freshness = Freshness(
        renewed, directives: CacheControl(renewed.fields), isHashedURL: stored.isHashedURL,
        requestTime: requestTime, responseTime: responseTime)
      return .confirmed(head, freshness, refusal)
    }
  }

  /// True if the validator in a 304, if there is one, is the stored one (§4.3.4).
  ///
  /// Entity tags are compared weakly, where §4.3.4 wants strong ones to be the same: origins that
  /// compress weaken the tag of a 200 and leave it strong in the 304. A date alone must be the same
  /// too: an origin that went back to an older file answers `If-Modified-Since` with 304.
  private static func isAbout(_ stored: StoredHead, _ update: FieldSection, now: Instant) -> Bool {
    let bytes = update.bytes.readableBytesUInt8Span
    if let etag = update.first(.etag) {
      guard let own = stored.etag else { return false }
      return EntityTag.weaklyEqual(
        bytes, etag.range, stored.fields.bytes.readableBytesUInt8Span, own.range)
    }
    guard let range = update.first(.lastModified), let own = stored.lastModified,
      let modified = HTTPDate.parse(bytes.extracting(range.range), now: now)
    else { return true }
    return modified == own
  }
}
