// What an unsafe request makes unusable (RFC 9111 §4.4).

/// What an unsafe request makes unusable of what is stored.
public struct Invalidation: Sendable {
  /// The URIs.
  public private(set) var keys: [CacheKey] = []
  /// Collections of which everything that lies below them is unusable too; each ends in a slash.
  public private(set) var collections: [CacheKey] = []

  /// What a response to an unsafe request invalidates, if it is not an error: the target URI, and those in
  /// `Location` and `Content-Location` of the same origin; of COPY and MOVE the `Destination` of the same host
  /// (RFC 4918 §10.3); and what lies below a collection that was deleted, moved or written over. Nothing after an
  /// error. `isCached` is false where requests for the target go past the store. O(bytes of the fields).
  public init(
    _ request: RequestHead, at target: CacheKey, isCached: Bool = true, response: ResponseHead,
    rules: QueryRules = QueryRules(), secret: HashSecret
  ) {
    guard !request.method.isSafe, (200..<400).contains(response.status) else { return }
    keys = [target]
    for name in [FieldName.location, .contentLocation] {
      guard let range = response.fields.only(name),
        let key = Self.resolve(
          response.fields.bytes.readableBytesUInt8Span.extracting(range.range),
          base: request, target: target, secret: secret)?.applying(rules, secret: secret),
        key.scheme == target.scheme, key.hasHost(of: target), key != target
      else { continue }
      keys.append(key)
    }
    // A redirect has done nothing yet, and a page with 200 is what sites answer that know no such method.
    let isPage = response.status == 200 && response.fields.isPage
    addOthers(
      request, target, isCached, withCollections: response.status < 300 && !isPage, rules: rules,
      secret: secret)
  }

  /// What an unsafe request whose answer nobody will see may have made unusable: it may have been carried out
  /// all the same. Not what lies below a collection: anybody can send a request and hang up, and who may delete a
  /// whole site waits for the answer. O(bytes of the fields).
  public init(
    unanswered request: RequestHead, at target: CacheKey, isCached: Bool = true,
    rules: QueryRules = QueryRules(), secret: HashSecret
  ) {
    guard !request.method.isSafe else { return }
    keys = [target]
    addOthers(
      request, target, isCached, withCollections: false, rules: rules, secret: secret)
  }

  /// Adds what the request itself names besides its target.
  private mutating func addOthers(
    _ request: RequestHead, _ target: CacheKey, _ isCached: Bool, withCollections: Bool,
    rules: QueryRules, secret: HashSecret
  ) {
    // The server may take `/a` for the collection `/a/` (RFC 4918 §5.2), and nothing here says whether it did.
    // What lies below it goes whatever `Depth` says: only COPY knows another one than infinity, and it leaves its
    // target as it is. An API whose answers are not stored and that deletes much makes no purge each time.
    let collection = target.collection(secret)
    if withCollections, request.method.changesBelow,
      isCached || collection.bytes.count <= target.bytes.count
    {
      collections.append(collection)
    }
    guard request.method == .copy || request.method == .move,
      let range = request.fields.only(named: "destination"),
      var destination = Self.resolve(
        request.fields.bytes.readableBytesUInt8Span.extracting(range.range), base: request,
        target: target, secret: secret)
    else { return }
    // The client's own scheme, which a terminator before us may not have told of.
    if destination.scheme.isDefault, target.scheme.isDefault {
      destination = destination.with(target.scheme)
    }
    guard destination.scheme == target.scheme, destination.hasHost(of: target) else { return }
    let key = destination.applying(rules, secret: secret)
    if key != target { keys.append(key) }
    // What was there is deleted first, with all below it (RFC 4918 §9.8.4, §9.9.3).
    if withCollections { collections.append(destination.collection(secret)) }
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
    return NormalTarget.removingDotSegments(target[..<query]) + target[query...]
  }
}
