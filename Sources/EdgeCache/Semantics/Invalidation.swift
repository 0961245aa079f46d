// What an unsafe request makes unusable (RFC 9111 §4.4).

/// Finds the cache keys that a response to an unsafe request invalidates.
public enum Invalidation {
  /// The target URI, and those in `Location` and `Content-Location` of the same origin, after a
  /// response that is not an error; none otherwise. O(bytes of the fields).
  public static func keys(
    request: RequestHead, target: CacheKey, response: ResponseHead,
    rules: QueryRules = QueryRules(), secret: HashSecret
  ) -> [CacheKey] {
    guard !request.method.isSafe, (200..<400).contains(response.status) else { return [] }
    var keys = [target]
    for name in [FieldName.location, .contentLocation] {
      guard let range = response.fields.only(name),
        let key = resolve(
          response.fields.bytes.readableBytesUInt8Span.extracting(range.range),
          base: request, target: target, secret: secret)?.applying(rules, secret: secret),
        key.scheme == target.scheme, key.hostCount == target.hostCount,
        key.bytes[..<key.hostCount] == target.bytes[..<target.hostCount], key != target
      else { continue }
      keys.append(key)
    }
    return keys
  }

  /// Resolves a URI reference against the target URI (RFC 3986 §5.2).
  private static func resolve(
    _ reference: Span<UInt8>, base: RequestHead, target: CacheKey, secret: HashSecret
  ) -> CacheKey? {
    if let parts = URLParts(reference) {
      return CacheKey(
        reference, authority: parts.authority, path: parts.path, isSecure: parts.isSecure,
        secret: secret)
    }
    let end = reference.firstIndex(of: ASCII.hash, in: 0..<reference.count) ?? reference.count
    let scheme = target.scheme.isSecure ? "https" : "http"
    if end > 1, reference[0] == ASCII.slash, reference[1] == ASCII.slash {
      // Of the target's scheme, with an authority of its own.
      let url = Array("\(scheme):".utf8) + reference.extracting(first: end).copied()
      return CacheKey(url: url, secret: secret)
    }
    var url: [UInt8] = Array("\(scheme)://".utf8)
    let authorityStart = url.count
    url += base.fields.copy(base.authority)
    let authority = authorityStart..<url.count
    let pathStart = url.count
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
    url.replaceSubrange(pathStart..., with: removingDotSegments(url[pathStart...]))
    return CacheKey(
      url.span, authority: authority, path: pathStart..<url.count,
      isSecure: target.scheme.isSecure, secret: secret)
  }

  /// A path, with its query, without `.` and `..` (RFC 3986 §5.2.4).
  private static func removingDotSegments(_ target: ArraySlice<UInt8>) -> [UInt8] {
    let query = target.firstIndex(of: ASCII.question) ?? target.endIndex
    var kept: [ArraySlice<UInt8>] = []
    let segments = target[..<query].split(
      separator: ASCII.slash, omittingEmptySubsequences: false
    ).dropFirst()
    for (index, segment) in segments.enumerated() {
      let isLast = index == segments.count - 1
      if segment.elementsEqual(".".utf8) {
        if isLast { kept.append([]) }
      } else if segment.elementsEqual("..".utf8) {
        if !kept.isEmpty { kept.removeLast() }
        if isLast { kept.append([]) }
      } else {
        kept.append(segment)
      }
    }
    return kept.flatMap { [ASCII.slash] + $0 } + target[query...]
  }
}
