// purge.log: every purge, before it is acknowledged, so that none is forgotten in a crash. One record
// behind the other, each checked by itself; what a crash left at the end is cut off.

/// One purge, or a removal that has no number, as it is logged.
struct DiskPurge: Equatable {
  enum Scope: Equatable {
    case url(KeyHash)
    case group(CacheGroup)
    case everything
    /// What was written of an identity before a position was made unusable by an unsafe request
    /// (RFC 9111 §4.4) or a newer response. It has no number; in its place is the position.
    case removed(KeyHash)
    /// The same of one variant of an identity.
    case replaced(KeyHash, variant: UInt64)
    /// Covers nothing: remembers the highest number that was given out, where the rest of the log is gone.
    case nothing

    fileprivate var kind: UInt32 {
      switch self {
      case .url: 0
      case .group: 1
      case .everything: 2
      case .removed: 3
      case .replaced: 4
      case .nothing: 5
      }
    }
  }

  static let header = 56

  /// The number of the purge; for a removal a ``RecordSummary/position(life:offset:)``.
  var sequence: UInt64
  var scope: Scope
  var time: Instant
  /// Bytes of the log that were on stable storage when this was written: what is missing among them was lost
  /// later.
  var stable = 0

  var bytes: [UInt8] {
    var text: [UInt8] = []
    var hash = KeyHash(low: 0, high: 0)
    switch scope {
    case .url(let key), .removed(let key): hash = key
    case .replaced(let key, let variant):
      hash = key
      var writer = DiskWriter(capacity: 8)
      writer.write(variant)
      text = writer.bytes
    case .group(let group): text = group.bytes
    case .everything, .nothing: break
    }
    var writer = DiskWriter(capacity: Self.header + 8 + text.count)
    writer.write("EPRG")
    writer.write(scope.kind)
    writer.write(sequence)
    writer.write(hash.low)
    writer.write(hash.high)
    writer.write(time.milliseconds)
    writer.write(UInt64(truncatingIfNeeded: stable))
    // Its length twice: as what is to be checked comes behind it.
    writer.write(UInt32(truncatingIfNeeded: text.count))
    writer.write(UInt32(truncatingIfNeeded: ~text.count))
    writer.write(text)
    writer.write(Checksum.of(writer.bytes.span))
    return writer.bytes
  }

  init(sequence: UInt64, scope: Scope, time: Instant, stable: Int = 0) {
    self.sequence = sequence
    self.scope = scope
    self.time = time
    self.stable = stable
  }

  /// True if a whole record behind `offset`, wherever it begins, says that what is at `offset` had been on
  /// stable storage. O(bytes).
  static func wasStable(_ offset: Int, in bytes: [UInt8]) -> Bool {
    let mark = Array("EPRG".utf8)
    var index = offset + 1
    while index + header <= bytes.count {
      if bytes[index] == mark[0], bytes[index..<(index + 4)].elementsEqual(mark),
        let (purge, _) = read(bytes, at: index), purge.stable > offset
      {
        return true
      }
      index += 1
    }
    return false
  }

  /// The record at `offset`, and where the next one begins; nil if there is no whole one.
  static func read(_ bytes: [UInt8], at offset: Int) -> (DiskPurge, next: Int)? {
    guard bytes.count - offset >= header + 8 else { return nil }
    var reader = DiskReader(bytes, offset..<bytes.count)
    guard reader.expect("EPRG") != nil, let kind = reader.read(UInt32.self),
      let sequence = reader.read(UInt64.self), let low = reader.read(UInt64.self),
      let high = reader.read(UInt64.self), let time = reader.read(Int64.self),
      let stable = reader.read(UInt64.self), stable <= 1 << 53,
      let count = reader.read(UInt32.self), reader.read(UInt32.self) == ~count,
      let text = reader.read(Int(count)), let checksum = reader.read(UInt64.self)
    else { return nil }
    let end = offset + header + Int(count)
    guard checksum == Checksum.of(bytes, offset..<end) else { return nil }
    let hash = KeyHash(low: low, high: high)
    let scope: Scope
    switch kind {
    case 0: scope = .url(hash)
    case 1:
      scope = .group(CacheGroup(stored: text))
    case 2: scope = .everything
    case 3: scope = .removed(hash)
    case 4:
      var reader = DiskReader(text)
      guard text.count == 8, let variant = reader.read(UInt64.self) else { return nil }
      scope = .replaced(hash, variant: variant)
    case 5: scope = .nothing
    default: return nil
    }
    return (
      DiskPurge(
        sequence: sequence, scope: scope, time: Instant(milliseconds: time), stable: Int(stable)),
      end + 8
    )
  }
}
