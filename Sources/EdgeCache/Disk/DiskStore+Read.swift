import NIOCore

// Reading: places from the directory, the head of each until one is right for the request, then the
// content. What lies in the page cache is read at once; all else by somebody who may wait. Large content is
// not read but handed on as a part of its file, once it was found to be what was written.

extension DiskStore {
  /// Content up to this is read at once, if it lies in the page cache; more takes its time even there.
  private static let mostAtOnce = 256 << 10

  /// Content up to this is read into memory, and more is sent from its file. What is validated must be in
  /// memory, or its head could not be updated.
  private static func mostToCopy(_ purpose: ReadPurpose) -> Int {
    switch purpose {
    case .sending: 24 << 10
    case .keeping: 256 << 10
    case .validating: .max
    }
  }

  /// Milliseconds for which what was in the page cache, and was sent, is taken to be there still.
  private static let staysResident: Int64 = 1000
  /// Bytes in which a head is found, usually.
  private static let headWindow = 4096

  /// What was read for a request.
  public struct Read: Sendable {
    public let response: StoredResponse
    /// The newest purge when its request left.
    public let stamp: UInt64
    let place: DiskPlace
  }

  /// How looking something up ended.
  public enum Look: Sendable {
    case found(Read)
    case nothing
    /// It would have to wait for the disk.
    case waits
  }

  /// True if something may be stored for an identity; does not wait for the disk. O(1).
  public func mayHave(_ hash: KeyHash) -> Bool {
    state.withLock { $0.serves && $0.directory.contains(hash) }
  }

  /// True if what was read has not been removed meanwhile; does not wait for the disk. O(places).
  public func has(_ read: Read) -> Bool {
    state.withLock { $0.serves && $0.directory.contains(read.response.key.hash, read.place) }
  }

  /// True if something is stored for an identity that may be behind the fence; does not wait for the disk.
  /// O(places).
  public func mayFence(_ hash: KeyHash) -> Bool {
    guard fence > 0 else { return false }
    return state.withLock { state in
      state.directory.places(hash).contains { state.segments[$0.segment].oldestStamp < fence }
    }
  }

  /// The stored response of a key that a request's fields select (RFC 9111 §4.1); waits for the disk. O(variants),
  /// and a read for each.
  public func read(_ key: CacheKey, request: FieldSection, now: Instant) -> Read? {
    if case .found(let read) = look(key, request: request, now: now, waits: true) {
      read
    } else {
      nil
    }
  }

  /// The stored response of a key that a request's fields select. O(variants), and a read for each.
  public func look(
    _ key: CacheKey, request: FieldSection, purpose: ReadPurpose = .sending, now: Instant,
    waits: Bool
  ) -> Look {
    let most = Self.mostToCopy(purpose)
    if let head = leaseHead(key, request, most, now) { return head }
    let places = lease(key.hash)
    defer { release(places) }
    var fallback: (Leased, Record)?
    var seen: [VariantSelector] = []
    for leased in places {
      let outcome = readHead(
        leased, key: key, whole: places.count == 1 ? most : 0, waits: waits)
      // What cannot be read hides what is older, which it may have replaced.
      guard case .right(var record) = outcome else {
        if case .waits = outcome { return .waits }
        return .nothing
      }
      guard record.key == key else { continue }
      // A newer one of the same variant hides it.
      if seen.contains(record.response.selector) { continue }
      seen.append(record.response.selector)
      let standing = standing(of: key, record.response.names, stamp: record.header.stamp)
      guard let response = record.response.after(standing) else {
        state.withLock { state in
          state.statistics.purged += 1
          state.directory.remove(key.hash) { $0 == leased.place }
        }
        continue
      }
      record.response = response
      if record.response.selector.isAny {
        if fallback == nil { fallback = (leased, record) }
      } else if record.response.selector.matches(request) {
        return withContent(leased, record, most: most, now: now, waits: waits)
      }
    }
    if let (leased, record) = fallback {
      return withContent(leased, record, most: most, now: now, waits: waits)
    }
    state.withLock { $0.statistics.misses += 1 }
    return .nothing
  }

  /// The usual case, in one step: one record, whose head is known and right for the request, and whose content
  /// is sent from its file. Nil if it is another.
  private func leaseHead(
    _ key: CacheKey, _ request: FieldSection, _ most: Int, _ now: Instant
  ) -> Look? {
    let found = state.withLock { state -> (DiskHeads.Head, Leased)? in
      guard state.serves, let place = state.directory.onlyPlace(key.hash) else { return nil }
      // Not a copy of the segment, which would count references.
      let (phase, life) = (state.segments[place.segment].phase, state.segments[place.segment].life)
      guard phase == .open || phase == .sealed, let head = state.heads.find(place, life: life),
        head.header.contentCount > most,
        head.response.key == key, head.response.freshness.isFresh(now),
        case .untouched = standing(
          of: key, head.response.names, stamp: head.header.stamp),
        head.response.selector.isAny || head.response.selector.matches(request)
      else { return nil }
      state.segments[place.segment].readers += 1
      state.statistics.hits += 1
      state.admission.note(head.header.hash)
      state.statistics.bytesRead += UInt64(head.header.total)
      return (head, Leased(place: place, life: life))
    }
    guard let (head, lease) = found else { return nil }
    return self.found(head, lease, now)
  }

  /// What is stored of a key, as purges leave it, without its content: the newest of each variant. For people who
  /// ask: it counts as no use. Waits for the disk. O(variants), and a read for each.
  public func variants(of key: CacheKey) -> [StoredResponse] {
    let places = lease(key.hash)
    defer { release(places) }
    var found: [StoredResponse] = []
    var seen: [VariantSelector] = []
    for leased in places {
      guard case .right(let record) = readHead(leased, key: key, whole: 0, waits: true) else {
        return found
      }
      guard record.key == key, !seen.contains(record.response.selector) else { continue }
      seen.append(record.response.selector)
      let standing = standing(of: key, record.response.names, stamp: record.header.stamp)
      if let response = record.response.after(standing) { found.append(response) }
    }
    return found
  }

  struct Leased: Sendable {
    let place: DiskPlace
    let life: UInt64
    /// By how much the wall clock was ahead when it was written.
    var wallOffset: Int64 = 0
    /// Its head, if that was read lately.
    var head: DiskHeads.Head?
  }

  private struct Record {
    let header: RecordHeader
    let key: CacheKey
    /// Without its content, as purges leave it.
    var response: StoredResponse
    /// All of the record, if it was read.
    let bytes: ByteBuffer?
  }

  private enum HeadOutcome {
    case right(Record)
    case wrong
    case waits
  }

  /// The places of an identity, whose segments are not recycled until ``release(_:)``.
  private func lease(_ hash: KeyHash) -> [Leased] {
    state.withLock { state in
      guard state.serves else { return [] }
      return state.directory.places(hash).compactMap { place in
        switch state.segments[place.segment].phase {
        case .open, .sealed: break
        // On its way out.
        case .free, .abandoned: return nil
        }
        state.segments[place.segment].readers += 1
        let life = state.segments[place.segment].life
        let position = RecordSummary.position(life: life, offset: place.offset)
        return Leased(
          place: place, life: life, wallOffset: state.clock.offset(at: position),
          head: state.heads.find(place, life: life))
      }
    }
  }

  /// True while somebody reads from it, or sends what lies there.
  public var isRead: Bool { state.withLock { $0.segments.contains { $0.readers > 0 } } }

  /// Ends leases.
  func release(_ places: [Leased]) {
    if places.isEmpty { return }
    state.withLock { state in
      for leased in places { state.segments[leased.place.segment].readers -= 1 }
    }
  }

  /// Reads what is before the content, and content of up to `whole` bytes.
  private func readHead(
    _ leased: Leased, key: CacheKey, whole: Int, waits: Bool
  ) -> HeadOutcome {
    let place = leased.place
    if let head = leased.head {
      return .right(
        Record(header: head.header, key: head.response.key, response: head.response, bytes: nil))
    }
    let file = DiskFile.segment(place.segment)
    let isSmall = place.size <= min(whole, Self.mostAtOnce) + Self.headWindow
    do {
      let window = whole > 0 && isSmall ? place.size : min(place.size, Self.headWindow)
      guard var bytes = try volume.read(file, at: place.offset, count: window, waits: waits) else {
        return .waits
      }
      guard bytes.readableBytes >= RecordHeader.size,
        let header = RecordHeader(
          Array(bytes.readableBytesView.prefix(RecordHeader.size)), life: leased.life),
        header.total == place.size, header.hash == key.hash
      else {
        damaged(place, key.hash)
        return .wrong
      }
      if header.tableOffset > bytes.readableBytes {
        guard
          let more = try volume.read(
            file, at: place.offset, count: header.tableOffset, waits: waits)
        else { return .waits }
        bytes = more
      }
      guard bytes.readableBytes >= header.tableOffset,
        header.headChecksum == bytes.checksum(RecordHeader.size..<header.tableOffset),
        case let head = Array(bytes.readableBytesView.prefix(header.tableOffset)),
        let (stored, response) = header.read(head, wallOffset: leased.wallOffset)
      else {
        damaged(place, key.hash)
        return .wrong
      }
      return .right(
        Record(
          header: header, key: stored, response: response,
          bytes: bytes.readableBytes == place.size ? bytes : nil))
    } catch {
      failedToRead(place, key.hash)
      return .wrong
    }
  }

  private func withContent(
    _ leased: Leased, _ record: Record, most: Int, now: Instant, waits: Bool
  ) -> Look {
    let header = record.header
    let place = leased.place
    // What must be validated, or joined with more, comes into memory with the outcome.
    if header.contentCount > most, record.response.parts == nil,
      record.response.freshness.isFresh(now)
    {
      if let head = leased.head { return lease(head, leased, now) }
      if let region = volume.region(
        .segment(place.segment), at: place.offset + header.contentOffset,
        count: header.contentCount)
      {
        return withRegion(region, leased, record, now: now, waits: waits)
      }
    }
    if header.contentCount > Self.mostAtOnce, !waits { return .waits }
    do {
      let range = header.tableOffset..<(header.contentOffset + header.contentCount)
      var bytes: ByteBuffer
      if let whole = record.bytes {
        guard let part = whole.getSlice(at: range.lowerBound, length: range.count) else {
          damaged(place, header.hash)
          return .nothing
        }
        bytes = part
      } else {
        guard
          let read = try volume.read(
            .segment(place.segment), at: place.offset + range.lowerBound, count: range.count,
            waits: waits)
        else { return .waits }
        bytes = read
      }
      guard bytes.readableBytes == range.count, header.isRight(bytes) else {
        damaged(place, header.hash)
        return .nothing
      }
      bytes.moveReaderIndex(forwardBy: 8 * header.blocks)
      return found(record, leased, Content(bytes))
    } catch {
      failedToRead(place, header.hash)
      return .nothing
    }
  }

  /// Content that is sent from its file. It was read once before, in blocks, to see that it is right.
  private func withRegion(
    _ region: any DiskRegion, _ leased: Leased, _ record: Record, now: Instant, waits: Bool
  ) -> Look {
    let place = leased.place
    let isVerified = state.withLock {
      $0.segments[place.segment].verified.contains(place.offset)
    }
    if !isVerified {
      if !waits { return .waits }
      do {
        guard try isRight(record.header, at: place) else {
          damaged(place, record.header.hash)
          return .nothing
        }
      } catch {
        failedToRead(place, record.header.hash)
        return .nothing
      }
    }
    let head = DiskHeads.Head(
      life: leased.life, header: record.header, response: record.response, region: region)
    state.withLock { state in
      if !isVerified { state.segments[place.segment].verified.insert(place.offset) }
      state.heads.add(head, place)
    }
    return lease(head, leased, now)
  }

  /// Content of a record whose head is known, and that was found to be right.
  private func lease(_ head: DiskHeads.Head, _ leased: Leased, _ now: Instant) -> Look {
    state.withLock { state in
      state.segments[leased.place.segment].readers += 1
      state.statistics.hits += 1
      state.admission.note(head.header.hash)
      state.statistics.bytesRead += UInt64(head.header.total)
    }
    return found(head, Leased(place: leased.place, life: leased.life), now)
  }

  /// Content of a record that is leased for it.
  private func found(_ head: DiskHeads.Head, _ lease: Leased, _ now: Instant) -> Look {
    // What is sent is used, so it does not leave the page cache at once.
    let isResident = head.resident.map { now.milliseconds(since: $0) < Self.staysResident } ?? false
    let file = ContentFile(head.region, isResident: isResident, store: self, leased: lease)
    return .found(
      Read(
        response: head.response.with(Content(file)), stamp: head.header.stamp, place: lease.place))
  }

  /// Content was seen in the page cache.
  func wasSeen(_ leased: Leased, _ now: Instant) {
    state.withLock { $0.heads.wasSeen(leased.place, life: leased.life, now) }
  }

  private func found(_ record: Record, _ leased: Leased, _ content: Content) -> Look {
    state.withLock { state in
      state.statistics.hits += 1
      state.admission.note(record.header.hash)
      state.statistics.bytesRead += UInt64(record.header.total)
    }
    return .found(
      Read(
        response: record.response.with(content), stamp: record.header.stamp, place: leased.place))
  }

  /// Reads content block by block, and says if it is what was written.
  private func isRight(_ header: RecordHeader, at place: DiskPlace) throws(DiskError) -> Bool {
    let file = DiskFile.segment(place.segment)
    if header.blocks == 0 {
      let bytes = try volume.read(
        file, at: place.offset + header.contentOffset, count: header.contentCount, waits: true)
      return bytes?.readableBytes == header.contentCount && bytes.map { header.isRight($0) } == true
    }
    let table = try volume.bytes(
      file, at: place.offset + header.tableOffset, count: 8 * header.blocks)
    guard table.count == 8 * header.blocks, header.contentChecksum == Checksum.of(table.span) else {
      return false
    }
    var reader = DiskReader(table)
    for block in 0..<header.blocks {
      let start = block * DiskFormat.block
      let count = min(DiskFormat.block, header.contentCount - start)
      guard
        let bytes = try volume.read(
          file, at: place.offset + header.contentOffset + start, count: count, waits: true),
        bytes.readableBytes == count, reader.read(UInt64.self) == bytes.checksum(0..<count)
      else { return false }
    }
    return true
  }
}

extension RecordHeader {
  /// Key and response of the record that begins with these bytes, without its content; nil if they are none. It was
  /// written when the wall clock was ahead of the time line by so many milliseconds.
  func read(_ bytes: [UInt8], wallOffset: Int64 = 0) -> (CacheKey, StoredResponse)? {
    guard
      let key = ResponseCodec.readKey(
        bytes, Self.size..<(Self.size + keyCount), hash: hash),
      let response = ResponseCodec.read(
        bytes, (Self.size + keyCount)..<tableOffset, key: key,
        content: .placeholder(count: contentCount), wallOffset: wallOffset)
    else { return nil }
    return (key, response)
  }

  /// True if these are the checksums of the blocks and the content behind them.
  func isRight(_ bytes: ByteBuffer) -> Bool {
    if blocks == 0 { return contentChecksum == bytes.checksum(0..<bytes.readableBytes) }
    let table = 8 * blocks
    guard contentChecksum == bytes.checksum(0..<table) else { return false }
    var reader = DiskReader(Array(bytes.readableBytesView.prefix(table)))
    for block in 0..<blocks {
      let start = table + block * DiskFormat.block
      let end = min(start + DiskFormat.block, bytes.readableBytes)
      if reader.read(UInt64.self) != bytes.checksum(start..<end) { return false }
    }
    return true
  }
}
