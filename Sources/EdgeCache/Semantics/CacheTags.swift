// Tags, by which stored responses are purged together: `Cache-Tag` (names between commas), `Surrogate-Key`
// (names between spaces), and the groups of RFC 9875 as tags for those who purge by them. No standard says
// what the first two look like; this is how the caches that have them read them.

extension CacheTag {
  /// Tags that are read of one response; more are left out.
  public static let limit = 64
  /// The longest tag that is read, in bytes.
  public static let longest = 1024

  /// The tags in the fields of a response, each once, in their order. O(bytes of the fields).
  public static func names(_ fields: FieldSection) -> [[UInt8]] {
    let isTagged = fields.contains(.cacheTag) || fields.contains(.surrogateKey)
    if !isTagged, !fields.contains(.cacheGroups) { return [] }
    var names: [[UInt8]] = []
    func add(_ name: [UInt8]) {
      guard names.count < limit, (1...longest).contains(name.count), !names.contains(name) else {
        return
      }
      names.append(name)
    }
    let bytes = fields.bytes.readableBytesUInt8Span
    for field in fields.fields {
      switch field.name {
      case .cacheTag: split(bytes, field.value.range, by: { $0 == ASCII.comma }, add)
      case .surrogateKey:
        split(bytes, field.value.range, by: { $0 == ASCII.space || $0 == ASCII.tab }, add)
      default: break
      }
    }
    for group in CacheGroup.names(fields) { add(group) }
    return names
  }

  private static func split(
    _ bytes: Span<UInt8>, _ range: Range<Int>, by isSeparator: (UInt8) -> Bool,
    _ add: ([UInt8]) -> Void
  ) {
    var start = range.lowerBound
    while start <= range.upperBound {
      var end = start
      while end < range.upperBound, !isSeparator(bytes[end]) { end += 1 }
      let name = bytes.trimmingWhitespace(start..<end)
      if !name.isEmpty { add(bytes.extracting(name).copied()) }
      start = end + 1
    }
  }
}
