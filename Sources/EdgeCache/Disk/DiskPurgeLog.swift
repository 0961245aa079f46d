// purge.log: every purge, before it is acknowledged, so that none is forgotten in a crash. One record
// behind the other, each checked by itself; what is at its end after a crash is in DiskLogReading.swift.

/// One record of purge.log: a purge, a removal that has no number, or how far other lists were read.
struct DiskPurge: Equatable {
  /// A purge as it is logged.
  struct Logged: Equatable {
    var scopes: [ScopeMark]
    var mode = PurgeMode.hard
    /// Its name in the fleet, and what was ordered; nil for what concerns this PoP alone.
    var id: PurgeID?
    var message: [UInt8] = []
  }

  enum Scope: Equatable {
    case purge(Logged)
    /// What was written of an identity before a position was made unusable by an unsafe request
    /// (RFC 9111 §4.4) or a newer response. It has no number; in its place is the position.
    case removed(KeyHash)
    /// The same of one variant of an identity.
    case replaced(KeyHash, variant: UInt64)
    /// Covers nothing: remembers the highest number that was given out, where the rest of the log is gone.
    case nothing
    /// How far another list of purges was read.
    case cursor(of: String, PurgeCursor)
    /// The first record of a log: which list of purges it is, how often it was written anew, and with how many
    /// bytes this time.
    case beginning(list: UInt64, generation: UInt64, bytes: Int)
    /// What has a lower stamp is not believed until it was validated, for purges of it may be missing; and why.
    case fence(reason: String)

    fileprivate var kind: UInt32 {
      switch self {
      case .purge: 0
      case .removed: 3
      case .replaced: 4
      case .nothing: 5
      case .cursor: 6
      case .beginning: 7
      case .fence: 8
      }
    }
  }

  static let header = 56

  /// The number of the purge; for a removal a ``RecordSummary/position(life:offset:)``.
  var sequence: UInt64
  var scope: Scope
  var time: WallTime
  /// Bytes of the log that were on stable storage when this was written: what is missing among them was lost
  /// later.
  var stable = 0

  var bytes: [UInt8] {
    var text: [UInt8] = []
    var hash = KeyHash(low: 0, high: 0)
    switch scope {
    case .purge(let purge): text = purge.bytes
    case .removed(let key): hash = key
    case .replaced(let key, let variant):
      hash = key
      var writer = DiskWriter(capacity: 8)
      writer.write(variant)
      text = writer.bytes
    case .cursor(let list, let cursor):
      hash = KeyHash(low: cursor.epoch, high: cursor.sequence)
      text = Array(list.utf8)
    case .beginning(let list, let generation, let count):
      hash = KeyHash(low: list, high: generation)
      var writer = DiskWriter(capacity: 8)
      writer.write(UInt64(truncatingIfNeeded: count))
      text = writer.bytes
    case .fence(let reason): text = Array(reason.utf8)
    case .nothing: break
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

  init(sequence: UInt64, scope: Scope, time: WallTime, stable: Int = 0) {
    self.sequence = sequence
    self.scope = scope
    self.time = time
    self.stable = stable
  }

  /// A purge that was applied.
  init(_ purge: Purge, sequence: UInt64, time: WallTime) {
    self.init(
      sequence: sequence,
      scope: .purge(
        Logged(
          scopes: purge.scopes.map(\.mark), mode: purge.mode, id: purge.id,
          message: purge.message)),
      time: time)
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
    case 0:
      guard let purge = Logged(text) else { return nil }
      scope = .purge(purge)
    case 3: scope = .removed(hash)
    case 4:
      var reader = DiskReader(text)
      guard text.count == 8, let variant = reader.read(UInt64.self) else { return nil }
      scope = .replaced(hash, variant: variant)
    case 5: scope = .nothing
    case 6:
      scope = .cursor(
        of: String(decoding: text, as: UTF8.self), PurgeCursor(epoch: low, sequence: high))
    case 7:
      var reader = DiskReader(text)
      guard text.count == 8, let bytes = reader.read(UInt64.self), bytes <= 1 << 53 else {
        return nil
      }
      scope = .beginning(list: low, generation: high, bytes: Int(bytes))
    case 8: scope = .fence(reason: String(decoding: text, as: UTF8.self))
    default: return nil
    }
    return (
      DiskPurge(
        sequence: sequence, scope: scope, time: WallTime(milliseconds: time), stable: Int(stable)),
      end + 8
    )
  }
}

extension DiskPurge.Logged {
  /// Bytes of a scope.
  private static let scopeSize = 24

  fileprivate var bytes: [UInt8] {
    var writer = DiskWriter(capacity: 24 + scopes.count * Self.scopeSize + message.count)
    writer.write(UInt16(mode.rawValue))
    writer.write(UInt16(id == nil ? 0 : 1))
    writer.write(UInt32(truncatingIfNeeded: scopes.count))
    writer.write(id?.milliseconds ?? 0)
    writer.write(id?.number ?? 0)
    for scope in scopes {
      writer.write(scope.kind.rawValue)
      writer.write(scope.count)
      writer.write(scope.low)
      writer.write(scope.high)
    }
    writer.write(message)
    return writer.bytes
  }

  fileprivate init?(_ bytes: [UInt8]) {
    var reader = DiskReader(bytes)
    guard let modeNumber = reader.read(UInt16.self),
      let mode = PurgeMode(rawValue: UInt8(truncatingIfNeeded: modeNumber)),
      let isNamed = reader.read(UInt16.self), isNamed <= 1,
      let count = reader.read(UInt32.self), let milliseconds = reader.read(UInt64.self),
      let number = reader.read(UInt64.self), Int(count) <= bytes.count / Self.scopeSize
    else { return nil }
    var scopes: [ScopeMark] = []
    for _ in 0..<count {
      guard let kind = reader.read(UInt32.self).flatMap(ScopeMark.Kind.init(rawValue:)),
        let length = reader.read(UInt32.self), let low = reader.read(UInt64.self),
        let high = reader.read(UInt64.self)
      else { return nil }
      scopes.append(ScopeMark(kind: kind, low: low, high: high, count: length))
    }
    let rest = bytes.count - 24 - scopes.count * Self.scopeSize
    guard let message = reader.read(rest) else { return nil }
    self.init(
      scopes: scopes, mode: mode,
      id: isNamed == 1 ? PurgeID(milliseconds: milliseconds, number: number) : nil,
      message: message)
  }
}
