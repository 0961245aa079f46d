/// Which stored response is evicted for a new one.
public enum EvictionPolicy: String, Sendable, Hashable, CaseIterable {
  /// The one that was used longest ago.
  case lru
  /// Segmented LRU: those that were used once go before those that were used again.
  case slru
  /// GreedyDual over LRU lists: large ones go before small ones, rarely used ones before often used.
  case sizeLRU = "size-lru"

  /// The policy where nobody chose one: fewest requests go upstream.
  public static let standard = EvictionPolicy.sizeLRU
}
