// Tags, by which stored responses are purged together. No standard says what the fields look like that carry them;
// this is how the caches that have them are written to: names between blanks or commas, over any number of lines.
// The groups of RFC 9875 are tags, too, for those who purge by them.

/// The fields of responses that carry tags.
public struct TagFields: Sendable, Hashable {
  /// Names in lower case.
  public var names: [[UInt8]]
  /// True if they go on to clients; to other PoPs they always do.
  public var areForwarded: Bool

  /// The fields that are read where nobody chooses others.
  public static let known = [
    "surrogate-key", "cache-tag", "cache-tags", "xkey", "x-hashtwo", "x-magento-tags",
    "x-litespeed-tag", "cache-groups",
  ]

  /// These fields, in lower case; those that are ``known`` if nothing is said.
  public init(_ names: [String] = Self.known, areForwarded: Bool = true) {
    self.names = names.map { Array($0.utf8) }
    self.areForwarded = areForwarded
  }

  private static let usual = TagFields()

  /// The usual fields, made once.
  public static var standard: TagFields { usual }
}

extension CacheTag {
  /// The most bytes of tags that a response may have, each tag once and one byte between them: 16 KiB. It is the
  /// longest tag as well.
  public static let most = 16 << 10

  /// The names in a text between blanks and commas. O(bytes).
  public static func parts(_ text: some Sequence<UInt8>) -> [[UInt8]] {
    var parts: [[UInt8]] = []
    var part: [UInt8] = []
    for byte in text {
      if isSeparator(byte) {
        if !part.isEmpty { parts.append(part) }
        part = []
      } else {
        part.append(byte)
      }
    }
    if !part.isEmpty { parts.append(part) }
    return parts
  }

  /// The tags in the fields of a response, each once, in the order of the lines; nil if they are more than
  /// ``most`` bytes. O(bytes of the fields).
  public static func names(
    _ fields: FieldSection, in tagFields: TagFields = .standard
  ) -> [[UInt8]]? {
    names(fields) { fields.isNamed($0, in: tagFields.names) }
  }

  /// The tags of a stored head. O(bytes).
  public static func names(_ head: StoredHead) -> [[UInt8]] {
    // With more it would not have been stored.
    head.hasTags ? names(head.fields) { head.carriesTags($0) } ?? [] : []
  }

  private static func names(
    _ fields: FieldSection, where carriesTags: (Int) -> Bool
  ) -> [[UInt8]]? {
    var names: [[UInt8]] = []
    var seen: Set<[UInt8]> = []
    var count = -1
    func add(_ name: [UInt8]) {
      guard !name.isEmpty, count <= most, seen.insert(name).inserted else { return }
      count += name.count + 1
      names.append(name)
    }
    let bytes = fields.bytes.readableBytesUInt8Span
    var hasGroups = false
    for (index, field) in fields.fields.enumerated() where carriesTags(index) {
      if field.name == .cacheGroups {
        hasGroups = true
        continue
      }
      // LiteSpeed says of a tag with `public:` that it is not for one visitor alone, as here none is.
      let isLiteSpeed = bytes.extracting(field.nameRange.range).equalsIgnoringCase(
        "x-litespeed-tag")
      split(bytes, field.value.range) { name in
        add(isLiteSpeed ? withoutPublic(name) : name)
      }
    }
    if hasGroups {
      guard !CacheGroup.areTooLong(fields) else { return nil }
      for group in CacheGroup.names(fields) { add(group) }
    }
    return count > most ? nil : names
  }

  /// True if a response has more tags than may be kept of one, or groups that are not read. O(lines), where they
  /// are few.
  public static func areTooMany(
    _ fields: FieldSection, in tagFields: TagFields = .standard
  ) -> Bool {
    if CacheGroup.areTooLong(fields) { return true }
    var count = 0
    for (index, field) in fields.fields.enumerated()
    where fields.isNamed(index, in: tagFields.names) {
      count += Int(field.value.count) + 1
    }
    return count - 1 > most && names(fields, in: tagFields) == nil
  }

  private static func withoutPublic(_ name: [UInt8]) -> [UInt8] {
    name.starts(with: "public:".utf8) ? Array(name.dropFirst(7)) : name
  }

  private static func isSeparator(_ byte: UInt8) -> Bool {
    byte == ASCII.comma || byte == ASCII.space || byte == ASCII.tab
  }

  private static func split(
    _ bytes: Span<UInt8>, _ range: Range<Int>, _ add: ([UInt8]) -> Void
  ) {
    var start = range.lowerBound
    while start < range.upperBound {
      var end = start
      while end < range.upperBound, !isSeparator(bytes[end]) { end += 1 }
      if end > start { add(bytes.extracting(start..<end).copied()) }
      start = end + 1
    }
  }
}
