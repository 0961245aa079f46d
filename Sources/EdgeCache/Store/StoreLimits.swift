/// Bounds of the store. Reaching one is counted and never an error of the client's.
public struct StoreLimits: Sendable {
  /// Bytes of memory for stored responses and for what is on its way into the store.
  public var memory: Int
  /// Number of shards; a power of two, at most 16.
  public var shards: Int
  /// What is evicted when memory is full.
  public var eviction = EvictionPolicy.standard
  /// Bytes of content of the largest stored response.
  public var largestResponse: Int
  /// Variants of one key.
  public var variants = 8
  /// Stored responses of one identity: variants, schemes and ports together.
  public var chain = 64
  /// Requests that wait for one flight.
  public var followers = 10_000
  /// Requests of those that wait for one flight that ask for themselves when it takes long, and nothing says that its
  /// response may be shared.
  public var leavers = 16
  /// Seconds for which a key stays hit-for-miss: at first, and when it has proved it again and again.
  public var hitForMiss: ClosedRange<Int64> = 60...3600
  /// Keys that are remembered as hit-for-miss in each shard.
  public var hitForMissKeys = 4096
  /// Bytes that a reader may lag behind in content that will not be stored before the upstream is held for it.
  public var relayWindow = 4 << 20
  /// Seconds for which others wait for such a reader, unless it takes a quarter of that meanwhile.
  public var relayPatience: Int64 = 10
  /// Bytes that wait for the fastest reader of such content before the upstream is held.
  public var relayBuffer = 256 << 10

  /// Limits for a memory budget in bytes, and for the largest response if that is not left to the budget: then it
  /// is a quarter of it, or a mebibyte, whatever is more.
  ///
  /// A shard has 32 MiB or more, so that a small cache is one shard with an exact order of eviction.
  public init(memory: Int, largestResponse: Int? = nil) {
    self.memory = memory
    var shards = 1
    while shards < 16, memory / (shards * 2) >= 32 << 20 { shards *= 2 }
    self.shards = shards
    self.largestResponse = min(
      largestResponse ?? max(memory / 4, 1 << 20), Self.mostForOne(memory))
  }

  /// Bytes of content of the largest response of a key: pieces are there for what is larger than others may be. O(1).
  func largest(of key: CacheKey) -> Int {
    key.isOfPiece ? max(largestResponse, PiecedContent.pieceSize) : largestResponse
  }

  /// Bytes of the largest response that a memory budget has room for.
  ///
  /// Half of it: three quarters are for large content, and it takes more room while it arrives. But what is no
  /// larger than a block may have all of it.
  public static func mostForOne(_ memory: Int) -> Int {
    max(min(memory, Content.block), memory / 2)
  }
}
