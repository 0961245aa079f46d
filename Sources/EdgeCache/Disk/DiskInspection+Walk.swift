import NIOCore

// Going through all records, the one that was written last first: so what a newer one hides is known when it
// is come to.

extension DiskInspection {
  /// A record without its content.
  struct Head {
    let header: RecordHeader
    let key: CacheKey
    let response: StoredResponse
  }

  /// What is wrong with the beginning of a record.
  enum HeadFlaw: Error {
    /// No header, or one of another life.
    case header
    /// Key or head are not what was written.
    case head
    case failed(DiskError)
  }

  /// Reads the beginning of a record.
  func readHead(
    _ window: inout DiskWindow, _ segment: Int, at offset: Int
  ) throws(HeadFlaw) -> Head {
    guard let bytes = window.bytes(at: offset, count: RecordHeader.size),
      let header = RecordHeader(bytes, life: segments[segment].life),
      offset + header.total <= segmentSize
    else { throw window.failure.map { .failed($0) } ?? .header }
    guard let head = window.bytes(at: offset, count: header.tableOffset),
      header.headChecksum == Checksum.of(head, RecordHeader.size..<header.tableOffset),
      let (key, response) = header.read(head)
    else { throw window.failure.map { .failed($0) } ?? .head }
    let standing = isFenced(header.stamp) ? PurgeStanding.distrusted : .untouched
    return Head(header: header, key: key, response: response.after(standing) ?? response)
  }

  // MARK: Listing

  /// Calls `body` with each record whose head can be read, the one written last first, until it returns
  /// false. Returns the number of those that could not be read. O(records); content is not read.
  @discardableResult
  public func forEachRecord(pieces: Bool, _ body: (DiskRecord) -> Bool) -> Int {
    let owners = pieces ? self.owners() : []
    return walk { found in
      var state = found.state
      if let name = found.head.key.pieceName {
        if !pieces { return true }
        if state == .alive, !owners.contains(name) { state = .orphaned }
      }
      return body(
        DiskRecord(found.head, state: state, segment: found.segment, offset: found.offset))
    }
  }

  /// A record that was come to before, by its place; nil if it cannot be read.
  public func record(segment: Int, offset: Int, state: DiskRecord.State) -> DiskRecord? {
    guard segments.indices.contains(segment) else { return nil }
    var window = DiskWindow(volume, .segment(segment), step: Self.headStep)
    return (try? readHead(&window, segment, at: offset)).map {
      DiskRecord($0, state: state, segment: segment, offset: offset)
    }
  }

  /// The names of the content that is kept in pieces and whose head is alive.
  private func owners() -> Set<KeyHash> {
    var names: Set<KeyHash> = []
    walk { found in
      if found.state == .alive, let name = found.head.response.pieced?.name { names.insert(name) }
      return true
    }
    return names
  }

  /// How much of what there is. O(records); content is not read.
  public func tally() -> DiskTally {
    var tally = DiskTally()
    var owners: Set<KeyHash> = []
    var pieces: [KeyHash: (count: Int, bytes: Int)] = [:]
    tally.unreadable = walk { found in
      tally.records += 1
      let bytes = found.head.header.contentCount
      switch found.state {
      case .alive:
        if let name = found.head.key.pieceName {
          let before = pieces[name] ?? (0, 0)
          pieces[name] = (before.count + 1, before.bytes + bytes)
        } else {
          tally.alive += 1
          tally.contentBytes += bytes
        }
        if let name = found.head.response.pieced?.name { owners.insert(name) }
      case .purged: tally.purged += 1
      case .removed: tally.removed += 1
      case .hidden: tally.hidden += 1
      case .behindDamage: tally.behindDamage += 1
      case .orphaned: break
      }
      return true
    }
    for (name, found) in pieces {
      if owners.contains(name) {
        tally.pieces += found.count
        tally.contentBytes += found.bytes
      } else {
        tally.orphaned += found.count
      }
    }
    return tally
  }

  // MARK: Walking

  private struct Found {
    let head: Head
    let state: DiskRecord.State
    let segment: Int
    let offset: Int
  }

  /// What has been come to so far.
  private struct Passed {
    struct Variant: Hashable {
      let hash: KeyHash
      let variant: UInt64
    }

    /// The variants of identities with several records.
    var variants: Set<Variant> = []
    /// Identities of which a record is damaged.
    var damaged: Set<KeyHash> = []
  }

  /// Larger records are not read whole for their heads.
  private static let small = 64 << 10
  /// Bytes in which a head is found, usually.
  private static let headStep = 4096

  /// Calls `body` with each record, and returns the number of those that cannot be read.
  @discardableResult
  private func walk(_ body: (Found) -> Bool) -> Int {
    var passed = Passed()
    var unreadable = 0
    for segment in inOrder.reversed() {
      var near = DiskWindow(volume, .segment(segment))
      var far = DiskWindow(volume, .segment(segment), step: Self.headStep)
      for record in records(of: segment).reversed() {
        let place = DiskPlace(segment: segment, offset: record.offset, size: record.size)
        let read =
          record.size <= Self.small
          ? try? readHead(&near, segment, at: record.offset)
          : try? readHead(&far, segment, at: record.offset)
        guard let head = read, head.header.hash == record.hash, head.header.total == record.size
        else {
          unreadable += 1
          if directory.contains(record.hash, place) { passed.damaged.insert(record.hash) }
          continue
        }
        let state = judge(head, record, place, &passed)
        let found = Found(head: head, state: state, segment: segment, offset: record.offset)
        if !body(found) { return unreadable }
      }
    }
    return unreadable
  }

  /// Whether a PoP that starts on this store would serve a record.
  private func judge(
    _ head: Head, _ record: RecordSummary, _ place: DiskPlace, _ passed: inout Passed
  ) -> DiskRecord.State {
    if removals.cover(record, life: segments[place.segment].life) { return .removed }
    if purges.isPurged(record.hash, since: record.stamp) {
      return .purged(purges.newest(covering: record.hash))
    }
    // So many newer ones that the directory has forgotten it.
    guard directory.contains(record.hash, place) else { return .hidden }
    if passed.damaged.contains(record.hash) { return .behindDamage }
    let places = directory.places(record.hash)
    if places.count > 1 {
      let variant = Passed.Variant(hash: record.hash, variant: record.variant)
      guard passed.variants.insert(variant).inserted else { return .hidden }
    }
    let coverage = purges.coverage(of: head.key, head.response.names)
    if coverage.hard > record.stamp { return .purged(coverage.hard) }
    // What suits every request is used only after all others were looked at.
    if head.response.selector.isAny, places.count > 1, let own = places.firstIndex(of: place),
      places[(own + 1)...].contains(where: { !isReadable($0, record.hash) })
    {
      return .behindDamage
    }
    return .alive
  }

  private func isReadable(_ place: DiskPlace, _ hash: KeyHash) -> Bool {
    var window = DiskWindow(volume, .segment(place.segment), step: Self.headStep)
    guard let head = try? readHead(&window, place.segment, at: place.offset) else { return false }
    return head.header.hash == hash && head.header.total == place.size
  }
}

/// How much of what there is in a store.
public struct DiskTally: Sendable, Equatable {
  /// Records whose heads can be read.
  public internal(set) var records = 0
  /// Responses that a PoP would serve, and bytes of content that go with them.
  public internal(set) var alive = 0
  public internal(set) var contentBytes = 0
  /// Pieces of large content, of which the head counts as the response; and those without a head.
  public internal(set) var pieces = 0
  public internal(set) var orphaned = 0
  /// Records that are not served any more.
  public internal(set) var purged = 0
  public internal(set) var removed = 0
  public internal(set) var hidden = 0
  public internal(set) var behindDamage = 0
  /// Records whose heads cannot be read.
  public internal(set) var unreadable = 0

  /// Nothing at all.
  public init() {}
}

/// A file that is read in large steps, forwards or backwards.
struct DiskWindow {
  private let volume: any DiskVolume
  private let file: DiskFile
  private let step: Int
  private var start = 0
  private var read: [UInt8] = []
  /// Why the last bytes could not be read; nil if they are beyond the end.
  private(set) var failure: DiskError?

  /// A file that is read in steps of at least so many bytes.
  init(_ volume: any DiskVolume, _ file: DiskFile, step: Int = 1 << 20) {
    self.volume = volume
    self.file = file
    self.step = step
  }

  /// Bytes of the file; nil if there are not as many, or they cannot be read.
  mutating func bytes(at offset: Int, count: Int) -> [UInt8]? {
    failure = nil
    if offset < start || offset + count > start + read.count {
      let size = max(step, count)
      let isBackwards = offset < start && !read.isEmpty
      let from = isBackwards ? max(0, offset + count - size) : offset
      do throws(DiskError) {
        (start, read) = (from, try volume.bytes(file, at: from, count: size))
      } catch {
        failure = error
        return nil
      }
    }
    guard offset - start + count <= read.count else { return nil }
    return Array(read[(offset - start)..<(offset - start + count)])
  }
}
