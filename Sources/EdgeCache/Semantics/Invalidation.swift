// What an unsafe request makes unusable (RFC 9111 §4.4).

/// Finds the cache keys that a response to an unsafe request invalidates.
public enum Invalidation {
  /// The target URI, and those in `Location` and `Content-Location` of the same origin, after a
  /// response that is not an error; none otherwise. O(bytes of the fields).
  public static func keys(
    request: RequestHead, target: CacheKey, response: ResponseHead, secret: HashSecret
  ) -> [CacheKey] {
    guard !request.method.isSafe, (200..<400).contains(response.status) else { return [] }
    var keys = [target]
    for name in [FieldName.location, .contentLocation] {
      guard let range = response.fields.only(name),
        let key = resolve(
          response.fields.bytes.readableBytesUInt8Span.extracting(range.range),
          base: request, target: target, secret: secret),
        key.origin == target.origin, key.hostCount == target.hostCount,
        key.bytes[..<key.hostCount] == target.bytes[..<target.hostCount], key != target
      else { continue }
      keys.append(key)
    }
    return keys
  }

  /// Resolves a URI reference against the target URI (RFC 3986 §5.2), dot segments left alone
  /// except by exactness: what does not match a stored key invalidates nothing.
  private static func resolve(
    _ reference: Span<UInt8>, base: RequestHead, target: CacheKey, secret: HashSecret
  ) -> CacheKey? {
    if let parts = URLParts(reference) {
      return CacheKey(
        reference, authority: parts.authority, path: parts.path, isSecure: parts.isSecure,
        secret: secret)
    }
    let end = reference.firstIndex(of: ASCII.hash, in: 0..<reference.count) ?? reference.count
    var url: [UInt8] = Array((target.origin.isSecure ? "https://" : "http://").utf8)
    let authorityStart = url.count
    url += base.fields.copy(base.authority)
    let authority = authorityStart..<url.count
    let pathStart = url.count
    if end > 1, reference[0] == ASCII.slash, reference[1] == ASCII.slash { return nil }
    if end == 0 || reference[0] != ASCII.slash {
      // A relative path replaces what follows the last slash of the target's path.
      guard reference.firstIndex(of: ASCII.colon, in: 0..<end) == nil else { return nil }
      let path = target.bytes[target.pathRange]
      let query = path.firstIndex(of: ASCII.question) ?? path.endIndex
      if end == 0 || reference[0] == ASCII.question {
        // Without a path of its own it keeps the target's, and its query too if it has none.
        url += end == 0 ? path : path[..<query]
      } else {
        let slash = path[..<query].lastIndex(of: ASCII.slash) ?? path.startIndex
        url += path[path.startIndex...slash]
      }
    }
    for index in 0..<end { url.append(reference[index]) }
    return CacheKey(
      url.span, authority: authority, path: pathStart..<url.count,
      isSecure: target.origin.isSecure, secret: secret)
  }
}
