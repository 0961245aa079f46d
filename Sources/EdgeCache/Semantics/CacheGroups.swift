// Groups of stored responses that are invalidated together (RFC 9875).

/// A group of one URI origin: groups of the same name at different origins have nothing in common
/// (RFC 9875 §2.1).
public struct CacheGroup: Sendable, Hashable {
  /// Of scheme, port, host and name.
  let mark: UInt64

  /// The group of that name at the origin of `key`.
  public init(_ name: [UInt8], at key: CacheKey) {
    var bytes: [UInt8] = [key.scheme.isSecure ? 1 : 0]
    bytes.append(UInt8(key.scheme.port >> 8))
    bytes.append(UInt8(key.scheme.port & 0xFF))
    bytes += key.bytes[..<key.hostCount]
    // No host has this byte.
    bytes.append(0)
    bytes += name
    mark = NameMark.of(bytes, as: .group)
  }

  /// The groups that a response at `key` is in, from `Cache-Groups` (§2); none if that is not a list
  /// of strings. O(bytes of the field).
  public static func names(_ fields: FieldSection) -> [[UInt8]] {
    guard fields.contains(.cacheGroups) else { return [] }
    return StructuredFields.strings(fields, name: "cache-groups") ?? []
  }

  /// True if `Cache-Groups` is longer than what is read, so that its groups are not known.
  static func areTooLong(_ fields: FieldSection) -> Bool {
    guard fields.contains(.cacheGroups) else { return false }
    var count = 0
    for field in fields.fields where field.name == .cacheGroups {
      count += Int(field.value.count) + 2
    }
    return count - 2 > StructuredFields.longest
  }

  /// The groups that a response to an unsafe request invalidates (§3). O(bytes of the field).
  public static func invalidated(
    by response: FieldSection, method: Method, at key: CacheKey
  ) -> [CacheGroup] {
    guard !method.isSafe, response.contains(.cacheGroupInvalidation) else { return [] }
    let names = StructuredFields.strings(response, name: "cache-group-invalidation")
    return (names ?? []).map { CacheGroup($0, at: key) }
  }
}
