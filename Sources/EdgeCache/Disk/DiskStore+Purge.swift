import NIOCore

// Purges and removals: out of the directory at once, into purge.log before they are acknowledged.

extension DiskStore {
  /// Makes a purge last that has this number, and takes out what it covers. Throws if it cannot be made
  /// to last yet; then after a restart nothing that is older is believed, and it is tried again.
  public func purge(_ purge: Purge, sequence: UInt64, now: Instant) throws(DiskError) {
    forget(purge)
    try log([(purge, sequence)], syncs: true, now: now)
  }

  /// Makes purges outlast this process, and if it `syncs` a crash of the machine, with those that were logged
  /// before; and behind them, how far other lists were read. Throws if that is not possible, as
  /// ``purge(_:sequence:now:)``.
  public func log(
    _ purges: [(purge: Purge, sequence: UInt64)],
    cursors: [(list: String, cursor: PurgeCursor)] = [], syncs: Bool, now: Instant
  ) throws(DiskError) {
    var records = purges.map { DiskPurge($0.purge, sequence: $0.sequence, time: now.wall) }
    records += cursors.map {
      DiskPurge(sequence: 0, scope: .cursor(of: $0.list, $0.cursor), time: now.wall)
    }
    try append(records, syncs: syncs, now: now.wall)
  }

  /// Takes out what a purge covers that has its number already, and returns how much that was, as far as it is
  /// known. Does not wait for the disk. What is purged by host, prefix or name is found out when it is read.
  @discardableResult
  public func forget(_ purge: Purge) -> Int {
    state.withLock { state in
      let count = Self.count(purge.scopes, state)
      guard purge.mode == .hard else { return count }
      for scope in purge.scopes {
        switch scope {
        case .url(let key): state.directory.remove(key.hash)
        case .everything: state.directory.removeAll()
        case .prefix, .host, .tag, .group: break
        }
      }
      return count
    }
  }

  /// Number of stored responses that scopes cover, as far as that is known without reading. O(scopes).
  public func count(_ scopes: [PurgeScope]) -> Int {
    state.withLock { Self.count(scopes, $0) }
  }

  /// What tells the stored responses of an identity apart (``StoredResponse/variantMark``). O(places).
  public func variantMarks(_ hash: KeyHash) -> [UInt16] {
    state.withLock { $0.serves ? $0.directory.variantMarks(hash) : [] }
  }

  /// Number of stored responses.
  public var count: Int { state.withLock { $0.serves ? $0.directory.count : 0 } }

  private static func count(_ scopes: [PurgeScope], _ state: State) -> Int {
    if scopes.contains(.everything) { return state.directory.count }
    return scopes.reduce(0) { count, scope in
      guard case .url(let key) = scope else { return count }
      return count + state.directory.places(key.hash).count
    }
  }

  /// A removal that is to be logged.
  public struct Removal: Sendable {
    fileprivate let scope: DiskPurge.Scope
    fileprivate let position: UInt64
  }

  /// Takes out what became unusable without a purge, by an unsafe request (RFC 9111 §4.4). Does not wait for
  /// the disk; what it returns is for ``log(_:now:)``. Nil if there was nothing, nor anything that the next start
  /// might find.
  public func remove(_ hash: KeyHash) -> Removal? {
    remove(.removed(hash), hash) { _, _ in
      true
    } from: {
      $0.remove(hash)
    }
  }

  /// Takes out one variant of an identity, because something newer came. As ``remove(_:)``.
  public func remove(_ key: CacheKey, _ selector: VariantSelector) -> Removal? {
    let variant = ResponseCodec.variant(key, selector)
    return remove(.replaced(key.hash, variant: variant), key.hash) {
      ResponseCodec.variant($0, $1) == variant
    } from: {
      $0.remove(key.hash, variant: variant)
    }
  }

  private func remove(
    _ scope: DiskPurge.Scope, _ hash: KeyHash,
    where isMeant: (CacheKey, VariantSelector) -> Bool, from take: (inout DiskDirectory) -> Int
  ) -> Removal? {
    state.withLock { state in
      let isThere = take(&state.directory) > 0
      // What has no place in its segment yet is never written; what has one is before the position.
      let isUnderWay = state.underWay.drop(hash, where: isMeant)
      guard isThere || isUnderWay || state.strays.mayHave(hash) else { return nil }
      return Removal(scope: scope, position: state.position)
    }
  }

  /// Makes removals outlast this process, if not a crash of the machine. Where that is not possible yet, after a
  /// restart nothing that is older is believed.
  public func log(_ removals: [Removal], now: Instant) {
    let records = removals.map {
      DiskPurge(sequence: $0.position, scope: $0.scope, time: now.wall)
    }
    try? append(records, syncs: false, now: now.wall)
  }
}
