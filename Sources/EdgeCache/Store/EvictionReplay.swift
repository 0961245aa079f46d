import NIOCore

// Replays a log of requests through the memory tier's own shards, with sizes instead of contents. It
// is the tier itself that is asked and that evicts; only what a stored response costs is taken from
// the log, so that the outcome can be compared with a simulator that knows nothing of this program.

/// The memory tier with objects that have a size and no content.
public struct EvictionReplay: Sendable {
  /// What can be requested: the key of a log.
  public struct Object: Sendable {
    fileprivate let response: StoredResponse
  }

  /// What became of a request.
  public enum Outcome: Sendable, Hashable {
    /// It was stored.
    case hit
    /// It was not, and is now.
    case stored
    /// It was not, and is too large to be.
    case tooLarge
  }

  /// What a request means whose size is not the one that is stored.
  public enum ChangedSize: String, Sendable, Hashable, CaseIterable {
    /// A hit, for the key alone decides; what is stored keeps its size.
    case keep
    /// A hit; what is stored takes the new size.
    case resize
    /// No hit: the object has changed, so what is stored goes and the new one is stored.
    case replace
  }

  /// Bytes of bookkeeping that a PoP counts for each stored response, without key and head.
  public static var overheadOfPoP: Int { StoredResponse.overhead }

  private static let secret = HashSecret(0x4564_6765, 0x4361_6368)

  private var shards: [MemoryShard]
  private let purges = PurgeLog()
  private let overhead: Int
  private let largest: Int
  private let changedSize: ChangedSize

  /// An empty tier of `memory` bytes. Each stored object costs its size and `overhead`; one whose
  /// size is above `largest`, or which would not fit in an empty shard, is not stored. The number of
  /// shards is a power of two.
  public init(
    memory: Int, eviction: EvictionPolicy, shards: Int = 1, overhead: Int = 0,
    largest: Int = .max, changedSize: ChangedSize = .keep
  ) {
    invariant(shards > 0 && shards & (shards - 1) == 0, "the number of shards is no power of two")
    let budget = MemoryBudget(capacity: memory, shards: shards)
    self.shards = (0..<shards).map { _ in MemoryShard(budget, eviction: eviction) }
    (self.overhead, self.largest, self.changedSize) = (overhead, largest, changedSize)
  }

  /// The object with a key, which may be any bytes.
  public static func object(_ key: [UInt8]) -> Object {
    let cacheKey = CacheKey(
      key.span, authority: 0..<0, path: 0..<key.count, isSecure: false, secret: secret)
    return Object(
      response: StoredResponse(
        key: cacheKey, selector: .any, head: Self.response.head, freshness: Self.response.freshness,
        content: .empty))
  }

  /// Replays one request. O(1), and what is evicted.
  public mutating func request(_ object: Object, size: Int) -> Outcome {
    let key = object.response.key
    let place = Int(truncatingIfNeeded: key.hash.high) & (shards.count - 1)
    let cost = size + overhead
    if changedSize != .keep, let kept = shards[place].cost(of: key), kept != cost {
      return replace(object, in: place, size: size)
    }
    if shards[place].find(key, purges: purges, where: { _ in true }) != nil { return .hit }
    guard size <= largest, reserve(cost, place) else { return .tooLarge }
    shards[place].insert(object.response, cost: cost, stamp: purges.head)
    return .stored
  }

  /// Makes room in one shard or, if nothing is left there, in the others.
  private mutating func reserve(_ cost: Int, _ place: Int) -> Bool {
    for other in 0..<shards.count where shards[(place + other) % shards.count].reserve(cost) {
      return true
    }
    return false
  }

  private mutating func replace(_ object: Object, in place: Int, size: Int) -> Outcome {
    let key = object.response.key
    var uses: UInt8 = 1
    if changedSize == .resize {
      _ = shards[place].find(key, purges: purges) { _ in true }
      uses = shards[place].uses(of: key) { _ in true }
    }
    _ = shards[place].removeAll(key)
    let isHit = changedSize == .resize
    guard size <= largest, reserve(size + overhead, place) else {
      return isHit ? .hit : .tooLarge
    }
    shards[place].insert(object.response, cost: size + overhead, stamp: purges.head, uses: uses)
    return isHit ? .hit : .stored
  }

  /// Number of objects evicted so far.
  public var evictions: UInt64 { shards.reduce(0) { $0 + $1.evictions } }

  /// Number of objects that are stored, and what they cost.
  public var stored: (count: Int, bytes: Int) {
    shards.reduce((0, 0)) { ($0.0 + $1.count, $0.1 + $1.stored) }
  }

  // MARK: What an object has in place of a response

  private static let response: (head: StoredHead, freshness: Freshness) = {
    var parser = ResponseParser()
    let now = Instant(seconds: 0)
    let bytes = ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n")
    guard case .head(let head, _)? = try? parser.parse(bytes, toHead: false) else {
      invariantFailed("a response without fields is not understood")
    }
    let directives = ResponseDirectives(head.fields, policy: SitePolicy())
    let freshness = Freshness(
      head, directives: directives, policy: SitePolicy(), requestTime: now, responseTime: now,
      hashedURL: .none)
    return (StoredHead(head, now: now), freshness)
  }()
}
