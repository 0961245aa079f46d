/// A snapshot of the store's counters.
public struct StoreStatistics: Sendable, Hashable {
  public var responses = 0
  public var bytes = 0
  public var reservedBytes = 0
  public var capacity = 0
  public var eviction = EvictionPolicy.standard
  public var evictions: UInt64 = 0
  public var flights = 0
}
