/// What was noted of identities lately, for people who ask: of so many and no more, the oldest forgotten first.
struct RecentKeys<Value: Sendable>: Sendable {
  private var values: [KeyHash: Value] = [:]
  private var order: [KeyHash] = []
  /// Where the oldest is in `order`, once that is full.
  private var oldest = 0
  private let most: Int

  init(atMost most: Int = 4096) { self.most = most }

  /// What was noted last of an identity. O(1).
  subscript(_ hash: KeyHash) -> Value? { values[hash] }

  /// Notes something of an identity. O(1).
  mutating func note(_ value: Value, of hash: KeyHash) {
    guard values.updateValue(value, forKey: hash) == nil else { return }
    if order.count < most {
      order.append(hash)
    } else {
      values[order[oldest]] = nil
      order[oldest] = hash
      oldest = (oldest + 1) % most
    }
  }
}
