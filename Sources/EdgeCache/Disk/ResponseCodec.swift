import NIOCore

// A stored response as bytes: the key, and the head with all that was worked out when it arrived. The
// content lies behind them as it is.

/// Turns stored responses into what lies on disk, and back.
enum ResponseCodec {
  /// The cache key.
  static func key(_ key: CacheKey) -> [UInt8] {
    var writer = DiskWriter(capacity: key.bytes.count + 8)
    writer.write(UInt32(truncatingIfNeeded: key.hostCount))
    writer.write(UInt8(key.scheme.isSecure ? 1 : 0))
    writer.write(UInt8(0))
    writer.write(key.scheme.port)
    writer.write(key.bytes)
    return writer.bytes
  }

  /// The cache key in `range`; nil if there is none. The hash is that of the record.
  static func readKey(_ bytes: [UInt8], _ range: Range<Int>, hash: KeyHash) -> CacheKey? {
    var reader = DiskReader(bytes, range)
    guard range.count >= 8, let hostCount = reader.read(UInt32.self),
      let secure = reader.read(UInt8.self), secure <= 1, reader.read(UInt8.self) == 0,
      let port = reader.read(UInt16.self), let rest = reader.read(range.count - 8),
      Int(hostCount) <= rest.count
    else { return nil }
    return CacheKey(
      stored: rest, hostCount: Int(hostCount),
      scheme: KeyScheme(isSecure: secure == 1, port: port), hash: hash)
  }

  /// All but key and content, for a wall clock that is ahead of the time line by so many milliseconds.
  static func head(_ response: StoredResponse, wallOffset: Int64 = 0) -> [UInt8] {
    var writer = DiskWriter(capacity: response.head.storage.count + 160)
    let freshness = response.freshness
    var flags: UInt16 = 0
    if freshness.alwaysValidate { flags |= 2 }
    if freshness.neverStale { flags |= 4 }
    if freshness.immutable { flags |= 8 }
    if freshness.staleIfError != nil { flags |= 16 }
    // One part has its place among the numbers; several are a list at the end, and nothing there.
    let parts = response.parts
    let only = parts.flatMap { $0.ranges.count == 1 ? $0.ranges[0] : nil }
    if parts != nil { flags |= 32 }
    if response.head.etag != nil { flags |= 64 }
    if response.head.lastModified != nil { flags |= 128 }
    if response.head.date != nil { flags |= 256 }
    if response.pieced != nil { flags |= 512 }
    if response.isPlain { flags |= 1024 }
    if response.head.trailers != nil { flags |= 2048 }
    flags |= UInt16(freshness.staleCause.rawValue) << 12
    writer.write(flags)
    writer.write(freshness.source.rawValue)
    writer.write(freshness.field.rawValue)
    writer.write(UInt32(truncatingIfNeeded: response.head.status))
    writer.write(freshness.responseTime.milliseconds &+ wallOffset)
    writer.write(freshness.initialAge)
    writer.write(freshness.lifetime)
    writer.write(freshness.staleIfError ?? 0)
    writer.write(freshness.staleWhileRevalidate)
    writer.write(Int64(only?.lowerBound ?? 0))
    writer.write(Int64(only?.upperBound ?? 0))
    writer.write(Int64(parts?.completeLength ?? 0))
    writer.write(response.head.etag?.offset ?? 0)
    writer.write(response.head.etag?.count ?? 0)
    writer.write(response.head.lastModified ?? 0)
    writer.write(response.head.date ?? 0)
    writer.write(response.pieced?.name.low ?? 0)
    writer.write(response.pieced?.name.high ?? 0)
    writer.write(Int64(response.pieced?.count ?? 0))
    writer.write(UInt32(PiecedContent.pieceSize))
    writer.write(UInt32(truncatingIfNeeded: response.head.count))
    writer.write(UInt32(truncatingIfNeeded: response.head.statusLineCount))
    writer.writeCounted(response.head.storage)
    write(response.selector, to: &writer)
    if let trailers = response.head.trailers { writer.writeCounted(trailers.bytes) }
    if let parts, parts.ranges.count > 1 {
      writer.write(UInt32(truncatingIfNeeded: parts.ranges.count))
      for range in parts.ranges {
        writer.write(Int64(range.lowerBound))
        writer.write(Int64(range.upperBound))
      }
    }
    return writer.bytes
  }

  /// Tells the responses of one identity apart: by spelling, scheme, port and what selects them.
  static func variant(_ key: CacheKey, _ selector: VariantSelector) -> UInt64 {
    var writer = DiskWriter(capacity: 64)
    writer.write(UInt8(key.scheme.isSecure ? 1 : 0))
    writer.write(key.scheme.port)
    write(selector, to: &writer)
    if key.isRespelled { writer.write(key.bytes) }
    return Checksum.of(writer.bytes.span)
  }

  private static func write(_ selector: VariantSelector, to writer: inout DiskWriter) {
    writer.write(UInt32(truncatingIfNeeded: selector.names.count))
    for name in selector.names { writer.writeCounted(name) }
    for value in selector.values { writer.writeCounted(value) }
  }

  /// The stored response of a key, the bytes that ``head(_:wallOffset:)`` made, and the content.
  static func read(
    _ bytes: [UInt8], _ range: Range<Int>, key: CacheKey, content: Content, wallOffset: Int64 = 0
  ) -> StoredResponse? {
    var reader = DiskReader(bytes, range)
    guard let flags = reader.read(UInt16.self),
      let source = reader.read(UInt8.self).flatMap(LifetimeSource.init(rawValue:)),
      let field = reader.read(UInt8.self).flatMap(ControlField.init(rawValue:)),
      let status = reader.read(UInt32.self),
      let received = reader.read(Int64.self), let initialAge = reader.read(Int64.self),
      let lifetime = reader.read(Int64.self), let staleIfError = reader.read(Int64.self),
      let whileRevalidate = reader.read(Int64.self), let lower = reader.read(Int64.self),
      let upper = reader.read(Int64.self), let length = reader.read(Int64.self),
      let etagOffset = reader.read(UInt32.self), let etagCount = reader.read(UInt32.self),
      let lastModified = reader.read(Int64.self), let date = reader.read(Int64.self),
      let nameLow = reader.read(UInt64.self), let nameHigh = reader.read(UInt64.self),
      let whole = reader.read(Int64.self), let pieceSize = reader.read(UInt32.self),
      let count = reader.read(UInt32.self), let lineCount = reader.read(UInt32.self),
      case .some(.some(let storage)) = reader.readCounted(),
      let selector = readSelector(&reader), length >= 0, length <= 1 << 53
    else { return nil }
    func flag(_ bit: UInt16) -> Bool { flags & bit != 0 }
    var trailers: TrailerSection?
    if flag(2048) {
      guard case .some(.some(let bytes)) = reader.readCounted() else { return nil }
      trailers = TrailerSection(bytes)
    }
    var parts: StoredParts?
    if flag(32), lower == 0, upper == 0 {
      parts = readParts(&reader, of: Int(length))
    } else if flag(32) {
      guard lower >= 0, lower < upper, upper <= length else { return nil }
      parts = StoredParts([Int(lower)..<Int(upper)], of: Int(length))
    }
    guard reader.isAtEnd, !flag(32) || parts?.count == content.count,
      let cause = StaleCause(rawValue: UInt8(truncatingIfNeeded: flags >> 12)),
      var head = StoredHead(
        storage: storage, count: Int(count), statusLineCount: Int(lineCount), status: Int(status),
        etag: flag(64) ? ByteRange(offset: Int(etagOffset), count: Int(etagCount)) : nil,
        lastModified: flag(128) ? lastModified : nil, date: flag(256) ? date : nil)
    else { return nil }
    head.trailers = trailers
    var pieced: PiecedContent?
    if flag(512) {
      guard whole >= 0, whole <= 1 << 53, content.count == 0, pieceSize == PiecedContent.pieceSize
      else { return nil }
      pieced = PiecedContent(name: KeyHash(low: nameLow, high: nameHigh), count: Int(whole))
    }
    var freshness = Freshness(
      responseTime: Instant(milliseconds: received &- wallOffset), initialAge: initialAge,
      lifetime: lifetime, source: source, field: field, alwaysValidate: flag(2),
      neverStale: flag(4),
      immutable: flag(8), staleCause: cause, staleIfError: flag(16) ? staleIfError : nil,
      staleWhileRevalidate: whileRevalidate)
    if source == .hashedURL, !isStillHashed(key, head, isEmpty: pieced == nil && content.count == 0)
    {
      freshness.alwaysValidate = true
      freshness.immutable = false
    }
    if flag(1024) {
      return StoredResponse(
        plain: head, key: key, selector: selector, freshness: freshness, content: content,
        parts: parts, pieced: pieced)
    }
    return StoredResponse(
      key: key, selector: selector, head: head, freshness: freshness, content: content,
      parts: parts, pieced: pieced)
  }

  private static func readParts(_ reader: inout DiskReader, of length: Int) -> StoredParts? {
    guard let count = reader.read(UInt32.self), count <= StoredParts.most else { return nil }
    var ranges: [Range<Int>] = []
    for _ in 0..<count {
      guard let lower = reader.read(Int64.self), let upper = reader.read(Int64.self), lower >= 0,
        lower < upper, upper <= length
      else { return nil }
      ranges.append(Int(lower)..<Int(upper))
    }
    return StoredParts(ranges, of: length)
  }

  /// False for a guess that an earlier version of the rule about names made and this one does not.
  private static func isStillHashed(_ key: CacheKey, _ head: StoredHead, isEmpty: Bool) -> Bool {
    HashedURL(key, head.fields, isEmpty: isEmpty) == .fits
  }

  private static func readSelector(_ reader: inout DiskReader) -> VariantSelector? {
    guard let count = reader.read(UInt32.self), count <= 1024 else { return nil }
    var names: [[UInt8]] = []
    var values: [[UInt8]?] = []
    for _ in 0..<count {
      guard case .some(.some(let name)) = reader.readCounted() else { return nil }
      names.append(name)
    }
    for _ in 0..<count {
      guard let value = reader.readCounted() else { return nil }
      values.append(value)
    }
    return VariantSelector(names: names, values: values)
  }
}

extension StoredResponse {
  /// What tells it from other responses of its identity, as directories of disks have it.
  var variantMark: UInt16 { UInt16(truncatingIfNeeded: ResponseCodec.variant(key, selector)) }
}
