// Another order than that of the store takes memory for every record: as little as can be, for the
// place of a record rather than the record.

import EdgeCache

/// The places of records in some order: all of them, or those that come first.
struct SortedRecords {
  struct Place {
    let number: Int64
    let text: String
    let segment: Int
    let offset: Int
    let state: DiskRecord.State
  }

  private let order: StoreList.Order
  private let limit: Int?
  private let now: Instant
  private var found: [Place] = []

  init(by order: StoreList.Order, limit: Int?, now: Instant) {
    self.order = order
    self.limit = limit
    self.now = now
  }

  mutating func add(_ record: DiskRecord) {
    let freshness = record.response.freshness
    let number: Int64 =
      switch order {
      case .newest, .url: 0
      case .size: -Int64(record.size)
      case .age: -freshness.age(now)
      case .ttl: freshness.ttl(now)
      }
    found.append(
      Place(
        number: number, text: order == .url ? record.url : "", segment: record.segment,
        offset: record.offset, state: record.state))
    // No more is kept than is wanted, and as much again.
    if let limit, found.count > 2 * min(limit, 1 << 40) + 1024 { found = places() }
  }

  /// Those that come first; of equals the newest.
  func places() -> [Place] {
    let sorted = found.enumerated().sorted { left, right in
      let (one, other) = (left.element, right.element)
      if one.number != other.number { return one.number < other.number }
      if one.text != other.text { return one.text < other.text }
      return left.offset < right.offset
    }
    return sorted.prefix(limit ?? Int.max).map(\.element)
  }
}
