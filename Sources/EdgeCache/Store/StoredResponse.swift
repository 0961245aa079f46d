import NIOCore

/// What the cache keeps: immutable once made, so that any number of connections can send it while
/// it is replaced, evicted or purged.
public final class StoredResponse: Sendable {
  /// The cache key.
  public let key: CacheKey
  /// What the request must have for this response to be its own.
  public let selector: VariantSelector
  /// Status line and fields.
  public let head: StoredHead
  /// Age and lifetime.
  public let freshness: Freshness
  /// The content.
  public let content: Content
  /// The part of the content that is there; nil if all of it is (RFC 9111 §3.3).
  public let parts: StoredParts?
  /// What is known of content that is kept in pieces; ``content`` is empty then.
  public let pieced: PiecedContent?
  /// The groups and tags that its origin gave it.
  public let names: ResponseNames
  /// For which other queries it may be used (No-Vary-Search).
  public let variance: SearchVariance?

  /// The length of the whole content, whether it is there or not.
  public var completeLength: Int {
    pieced?.count ?? parts?.completeLength ?? content.count
  }

  /// The length of what is stored, as it goes out whole: of parts, only those.
  public var sentCount: Int { pieced?.count ?? content.count }

  /// What its URL says of its content, with the fields that it has or will have. O(path).
  func hashedURL(_ fields: FieldSection) -> HashedURL {
    HashedURL(key, fields, isEmpty: completeLength == 0)
  }

  /// True if the URL holds what looks like a hash of the content. O(path).
  public var isHashedURL: Bool { HashedURL.matches(key) }

  /// Where bytes of the whole content lie in what is stored; no bytes if they are not all there. O(log parts).
  func place(of range: Range<Int>) -> Range<Int> {
    guard let parts else { return range }
    return parts.place(of: range) ?? 0..<0
  }

  /// A stored response from its parts.
  public init(
    key: CacheKey, selector: VariantSelector, head: StoredHead, freshness: Freshness,
    content: Content, parts: StoredParts? = nil, pieced: PiecedContent? = nil
  ) {
    self.key = key
    self.selector = selector
    self.head = head
    self.freshness = freshness
    self.content = content
    self.parts = parts?.isComplete == true ? nil : parts
    self.pieced = pieced
    names = ResponseNames(head, at: key)
    variance = SearchVariance(head.fields)
  }

  /// A stored response of which it is known that its head has no names and no other queries. O(1).
  init(
    plain head: StoredHead, key: CacheKey, selector: VariantSelector, freshness: Freshness,
    content: Content, parts: StoredParts?, pieced: PiecedContent?
  ) {
    self.key = key
    self.selector = selector
    self.head = head
    self.freshness = freshness
    self.content = content
    self.parts = parts
    self.pieced = pieced
    names = .none
    variance = nil
  }

  /// True if the head has no names and no other queries.
  var isPlain: Bool { names.isEmpty && variance == nil }

  /// Bytes of memory that this response takes with all its bookkeeping: what the budget counts.
  public var cost: Int {
    Self.overhead + head.capacity + MemoryCost.array(of: key.bytes) + selector.cost
      + content.capacity + names.cost + (parts?.cost ?? 0)
  }

  /// The same without what a lease counts.
  var ownCost: Int { cost - min(content.lease?.bytes ?? 0, content.capacity) }

  /// True if it is worth while to hold on to it while it is sent, so that its memory is counted until then.
  public var isLarge: Bool { content.isLarge }

  /// Bytes for the object, its slot, and its share of the index and of what grows by doubling.
  static let overhead = 512

  /// This response with the head, freshness and selector that a validation brought: the origin
  /// confirmed it for the request that was sent, whatever `Vary` says now.
  public func freshened(head: StoredHead, accepted: Storability.Accepted) -> StoredResponse {
    StoredResponse(
      key: key, selector: accepted.selector, head: head, freshness: accepted.freshness,
      content: content, parts: parts, pieced: pieced)
  }

  /// This response with its content.
  func with(_ content: Content) -> StoredResponse {
    if isPlain {
      return StoredResponse(
        plain: head, key: key, selector: selector, freshness: freshness, content: content,
        parts: parts, pieced: pieced)
    }
    return StoredResponse(
      key: key, selector: selector, head: head, freshness: freshness, content: content,
      parts: parts, pieced: pieced)
  }

  /// This response with another head, for one client alone.
  func with(head: StoredHead) -> StoredResponse {
    StoredResponse(
      key: key, selector: selector, head: head, freshness: freshness, content: content,
      parts: parts, pieced: pieced)
  }

  /// This response as one that must be validated before it is used again, and why. What is unchecked may not stand
  /// in for an upstream that fails, either.
  func markedStale(_ cause: StaleCause) -> StoredResponse {
    var freshness = freshness
    freshness.alwaysValidate = true
    freshness.staleCause = cause
    freshness.neverStale = freshness.neverStale || cause == .unchecked || cause == .distrusted
    return StoredResponse(
      key: key, selector: selector, head: head, freshness: freshness, content: content,
      parts: parts, pieced: pieced)
  }

  /// This response as purges leave it; nil if one took it away.
  ///
  /// Pieces of content are as good as the head that leads to them, which is what is validated.
  func after(_ standing: PurgeStanding) -> StoredResponse? {
    switch standing {
    case .untouched: self
    case .gone: nil
    case .stale: key.isOfPiece ? self : markedStale(.purged)
    case .unchecked: key.isOfPiece ? self : markedStale(.unchecked)
    case .distrusted: key.isOfPiece ? self : markedStale(.distrusted)
    }
  }
}
