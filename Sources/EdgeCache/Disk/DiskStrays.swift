// What is known of records that are not in the directory: those that are being written, which are not there yet, and
// those that lie on disk and are not believed any more. Whatever makes a response unusable has to reach them too:
// the former must not get into the directory, and the latter not come back with the next start.

/// Responses that are being written, from the moment at which no queue knows of them any more.
struct WritesUnderWay: Sendable {
  private struct Entry: Sendable {
    let number: UInt64
    let key: CacheKey
    let selector: VariantSelector
  }

  private var entries: [Entry] = []
  /// Number of them, by identity.
  private var counts: [KeyHash: Int] = [:]
  /// Those that have become unusable meanwhile.
  private var dropped: Set<UInt64> = []
  private var next: UInt64 = 0

  /// Adds responses, and returns their numbers. O(responses).
  mutating func add(_ writes: [DiskWrite]) -> Range<UInt64> {
    let first = next
    for write in writes {
      entries.append(
        Entry(number: next, key: write.response.key, selector: write.response.selector))
      counts[write.response.key.hash, default: 0] += 1
      next += 1
    }
    return first..<next
  }

  /// Marks those of an identity as unusable for which `isMeant` is true; true if there is one. O(1) if there is none
  /// of that identity.
  mutating func drop(_ hash: KeyHash, where isMeant: (CacheKey, VariantSelector) -> Bool) -> Bool {
    guard counts[hash] != nil else { return false }
    var found = false
    for entry in entries where entry.key.hash == hash && isMeant(entry.key, entry.selector) {
      dropped.insert(entry.number)
      found = true
    }
    return found
  }

  func isDropped(_ number: UInt64) -> Bool { dropped.contains(number) }

  /// Forgets responses, written or not. O(responses).
  mutating func finish(_ numbers: Range<UInt64>) {
    for entry in entries where numbers.contains(entry.number) {
      let hash = entry.key.hash
      if let count = counts[hash] { counts[hash] = count > 1 ? count - 1 : nil }
    }
    entries.removeAll { numbers.contains($0.number) }
    if !dropped.isEmpty { dropped = dropped.filter { !numbers.contains($0) } }
  }
}

/// Identities of which records lie on disk that are not in the directory, and that the next start may find: after
/// errors of reading, in a segment that could not be written anew, behind a list that is damaged.
struct DiskStrays: Sendable {
  private enum Identities: Sendable {
    case some(Set<UInt64>)
    /// Nobody knows, or there are too many.
    case any
  }

  private var segments: [Int: Identities] = [:]
  private var count = 0
  /// Number of segments that may have records of any identity.
  private var unknown = 0

  /// Identities that are remembered, and segments for which they are.
  private static let most = 1 << 17
  private static let mostSegments = 64

  /// Bytes of memory that this takes, about.
  var memory: Int { count * 16 }

  /// True if there may be a record of that identity. O(segments with strays).
  func mayHave(_ hash: KeyHash) -> Bool {
    if segments.isEmpty { return false }
    if unknown > 0 { return true }
    let identity = DiskDirectory.identity(hash)
    return segments.values.contains {
      if case .some(let identities) = $0 { identities.contains(identity) } else { true }
    }
  }

  mutating func add(_ identity: UInt64, in segment: Int) {
    // Out of the table while it is changed, or all of it would be copied.
    switch segments.removeValue(forKey: segment) ?? .some([]) {
    case .any: segments[segment] = .any
    case .some(var identities):
      if count >= Self.most || segments.count >= Self.mostSegments {
        count -= identities.count
        unknown += 1
        segments[segment] = .any
        return
      }
      if identities.insert(identity).inserted { count += 1 }
      segments[segment] = .some(identities)
    }
  }

  /// A segment may have records of any identity.
  mutating func addAny(in segment: Int) {
    renew(segment)
    segments[segment] = .any
    unknown += 1
  }

  /// Nothing is left in a segment of what was there.
  mutating func renew(_ segment: Int) {
    switch segments.removeValue(forKey: segment) {
    case .some(.some(let identities)): count -= identities.count
    case .some(.any): unknown -= 1
    case nil: break
    }
  }
}

extension DiskStore {
  /// What lies there is not what was written: nothing of that identity is believed any more, for what
  /// is older must not come up in its place.
  func damaged(_ place: DiskPlace, _ hash: KeyHash) {
    state.withLock { state in
      state.statistics.damaged += 1
      Self.disbelieve(place, hash, &state)
    }
  }

  func failedToRead(_ place: DiskPlace, _ hash: KeyHash) {
    state.withLock { state in
      state.statistics.readErrors += 1
      Self.disbelieve(place, hash, &state)
    }
  }

  private static func disbelieve(_ place: DiskPlace, _ hash: KeyHash, _ state: inout State) {
    // The next start may find it to be right.
    let identity = DiskDirectory.identity(hash)
    state.strays.add(identity, in: place.segment)
    for other in state.directory.places(hash) { state.strays.add(identity, in: other.segment) }
    state.directory.remove(hash)
    state.segments[place.segment].errors += 1
    if state.segments[place.segment].errors == mostErrors,
      state.segments[place.segment].phase == .sealed
    {
      state.segments[place.segment].phase = .abandoned
      // With whatever is older than what was in it.
      for taken in state.directory.removeIdentities(in: place.segment) {
        state.strays.add(taken.identity, in: taken.segment)
      }
    }
  }
}
