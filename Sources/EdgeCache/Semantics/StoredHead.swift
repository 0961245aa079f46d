import NIOCore

// The head of a stored response, in the form in which it is sent: a hit copies these bytes and adds
// what changes from one response to the next.

/// Status line and end-to-end fields of a response, with what later questions need already read.
///
/// One array holds all of it, for there are as many of these as stored responses: the bytes, and
/// behind them five for each field line, which say what its name is and how long name and value are.
/// Where they lie follows from that, since the lines stand one behind the other.
public struct StoredHead: Sendable {
  /// Bytes of a field line's entry: its name as a number, with what else is known of the line, and two lengths of
  /// two bytes each.
  private static let entry = 5
  /// What is known of a line besides its name, in the same byte: that it carries tags, and that it is not for
  /// clients.
  private static let (carriesTags, isWithheld): (UInt8, UInt8) = (0x80, 0x40)
  private static let nameBits: UInt8 = 0x3F

  /// Status line and field lines, each with its CR LF, without the empty line at the end, those last
  /// that clients are not sent; then the entries of the fields.
  ///
  /// Without `Content-Length`, `Age`, and fields of one connection: those are written when sent.
  /// Ranges such as ``etag`` are relative to its start.
  let storage: [UInt8]
  /// Bytes of status line and fields.
  public let count: Int
  /// Bytes of status line and those fields that clients are sent.
  let sentCount: Int
  /// Bytes of the status line with its CR LF.
  let statusLineCount: Int
  /// The status code.
  public let status: Int
  /// Where the entity tag lies.
  public let etag: ByteRange?
  /// `Last-Modified` in seconds since 1970, if it is a date.
  public let lastModified: Int64?
  /// `Date` in seconds since 1970.
  public let date: Int64?
  /// What comes behind the content, for those who ask for it.
  public internal(set) var trailers: TrailerSection?
  /// True if a field is about the bytes of the content as a whole message has them (RFC 9530 §2), or is a
  /// `Content-Range` that means nothing (RFC 9110 §14.4): a 206 that is made of it leaves that out.
  private(set) var hasFieldsOfWhole = false
  /// False for content that a server coded as it sent it: it says nothing of ranges, and no strong validator says
  /// that the bytes would be the same another time. Servers ignore `Range` there, and what a client asks for may well
  /// be ranges of the content as it is without the coding. Found out once, for each request with a range asks.
  private(set) var hasRanges = true

  /// True if there is an entity tag that is not weak (RFC 9110 §8.8.1).
  public var hasStrongETag: Bool {
    guard let etag else { return false }
    return !EntityTag.isWeak(storage.span, etag.range)
  }

  /// Bytes of memory that the head takes.
  var capacity: Int {
    MemoryCost.array(of: storage) + (trailers.map { MemoryCost.array(of: $0.bytes) } ?? 0)
  }

  /// The status line and the fields, taken apart as they were before they were stored. O(bytes): on
  /// the way of a hit, ``forEachField(_:)`` and ``write(to:)`` make no copy.
  public var fields: FieldSection {
    var fields: [Field] = []
    fields.reserveCapacity((storage.count - count) / Self.entry)
    forEachField { fields.append($0) }
    return FieldSection(bytes: ByteBuffer(bytes: storage[..<count]), fields: fields)
  }

  /// Calls `body` with each field line in order; its ranges are those of this head. O(fields).
  func forEachField(_ body: (Field) -> Void) {
    var offset = statusLineCount
    var place = count
    while place < storage.count {
      let nameCount = Int(storage[place + 1]) << 8 | Int(storage[place + 2])
      let valueCount = Int(storage[place + 3]) << 8 | Int(storage[place + 4])
      let value = offset + nameCount + 2
      body(
        Field(
          name: FieldName(rawValue: storage[place] & Self.nameBits) ?? .other,
          nameRange: ByteRange(offset: offset, count: nameCount),
          value: ByteRange(offset: value, count: valueCount)))
      offset = value + valueCount + 2
      place += Self.entry
    }
  }

  /// True if there is a line that carries tags. O(fields).
  var hasTags: Bool {
    stride(from: count, to: storage.count, by: Self.entry).contains {
      storage[$0] & Self.carriesTags != 0
    }
  }

  /// True if there is a line of `Cache-Groups`. O(fields).
  var hasGroups: Bool {
    stride(from: count, to: storage.count, by: Self.entry).contains {
      storage[$0] & Self.nameBits == FieldName.cacheGroups.rawValue
    }
  }

  /// True if the field line at `index` carries tags. O(1).
  func carriesTags(_ index: Int) -> Bool {
    storage[count + index * Self.entry] & Self.carriesTags != 0
  }

  /// Writes status line and fields; to another cache of ours those too that clients are not sent. O(bytes).
  func write(to buffer: inout HeadBuffer, whole: Bool) {
    buffer.writeBytes(storage, 0..<(whole ? count : sentCount))
  }

  /// Writes the field lines without the status line, as ``write(to:whole:)``. O(bytes).
  func writeFields(to buffer: inout HeadBuffer, whole: Bool) {
    buffer.writeBytes(storage, statusLineCount..<(whole ? count : sentCount))
  }

  /// True if a field line of this head goes to who is sent the whole of it, or not.
  func isSent(_ field: Field, whole: Bool) -> Bool {
    whole || Int(field.nameRange.offset) < sentCount
  }

  /// Writes field lines that stand beside each other, as ``write(to:whole:)``. O(bytes).
  func writeLines(_ range: Range<Int>, to buffer: inout HeadBuffer, whole: Bool) {
    let end = min(range.upperBound, whole ? count : sentCount)
    if range.lowerBound < end { buffer.writeBytes(storage, range.lowerBound..<end) }
  }

  /// Writes one field line as it is stored. O(bytes).
  func writeLine(_ field: Field, to buffer: inout HeadBuffer) {
    let start = Int(field.nameRange.offset)
    buffer.writeBytes(storage, start..<(field.value.range.upperBound + 2))
  }

  /// True if a field of this head has no place in a 206 that is made of it.
  func isOfWhole(_ field: Field) -> Bool {
    guard hasFieldsOfWhole else { return false }
    return field.name == .contentRange
      || field.name == .other
        && storage.span.extracting(field.nameRange.range).namesContentDigest
  }

  /// The head of `response`, received at `now`, without the fields that `withheld` names in lower
  /// case, which has its tags in `tags`. O(bytes).
  ///
  /// That of a 206 becomes the head of the response that it is a part of: without what is about the part alone
  /// (RFC 9110 §14.4, RFC 9530 §2), and with `Accept-Ranges` (RFC 9110 §14.3), which servers leave out where they
  /// have just shown it.
  public init(
    _ response: ResponseHead, withheld: [[UInt8]] = [], tags: TagFields = .standard, now: Instant
  ) {
    let isPart = response.status == 206
    self.init(
      status: isPart ? 200 : response.status, source: response.fields,
      reason: isPart ? .empty : response.reason, tags: tags,
      acceptsRanges: isPart && !response.fields.contains(.acceptRanges), now: now
    ) { index in
      if isPart, response.fields.describesPart(index) { return false }
      return response.fields.isStorable(index) && !response.fields.isNamed(index, in: withheld)
    }
  }

  private init(
    status: Int, source: FieldSection, reason: ByteRange, tags: TagFields, acceptsRanges: Bool,
    now: Instant,
    keeps: (Int) -> Bool
  ) {
    var writer = SectionWriter(capacity: source.bytes.readableBytes + 40)
    writer.writeStatusLine(status, reason: source, reason)
    var hasDate = false
    for (index, field) in source.fields.enumerated() where keeps(index) {
      if field.name == .date { hasDate = true }
      writer.append(field, from: source)
    }
    if acceptsRanges { writer.append(name: "Accept-Ranges", value: Array("bytes".utf8)) }
    // RFC 9110 §6.6.1: who receives a response without Date and stores it, records the time.
    if !hasDate { writer.append(name: "date", value: HTTPDate.bytes(now.wall.seconds)) }
    self.init(writer.section, status: status, tags: tags, now: now)
  }

  private init(_ section: FieldSection, status: Int, tags: TagFields, now: Instant) {
    let (fields, tagged, sent) = Self.ordered(section, tags)
    let dates = ResponseDates(fields, now: now)
    count = fields.bytes.readableBytes
    statusLineCount = fields.fields.first.map { Int($0.nameRange.offset) } ?? count
    var storage: [UInt8] = []
    storage.reserveCapacity(count + fields.fields.count * Self.entry)
    storage.append(contentsOf: fields.bytes.readableBytesView)
    for (index, field) in fields.fields.enumerated() {
      let (name, value) = (field.nameRange.count, field.value.count)
      invariant(name <= 0xFFFF && value <= 0xFFFF, "a field line is longer than a head may be")
      storage.append(
        field.name.rawValue | (tagged.contains(index) ? Self.carriesTags : 0)
          | (index >= sent ? Self.isWithheld : 0))
      storage.append(UInt8(truncatingIfNeeded: name >> 8))
      storage.append(UInt8(truncatingIfNeeded: name))
      storage.append(UInt8(truncatingIfNeeded: value >> 8))
      storage.append(UInt8(truncatingIfNeeded: value))
    }
    sentCount = sent < fields.fields.count ? Int(fields.fields[sent].nameRange.offset) : count
    self.storage = storage
    self.status = status
    etag = fields.first(.etag)
    lastModified = dates.lastModified
    date = dates.date
    hasFieldsOfWhole = fields.fields.indices.contains { fields.describesPart($0) }
    hasRanges = findRanges()
  }

  private func findRanges() -> Bool {
    if hasStrongETag { return true }
    var isCoded = false
    var saysRanges = false
    forEachField { field in
      if field.name == .acceptRanges { saysRanges = true }
      if field.name == .other,
        storage.span.extracting(field.nameRange.range).equalsIgnoringCase("content-encoding")
      {
        isCoded = true
      }
    }
    return saysRanges || !isCoded
  }

  /// The lines of a head, those last that clients are not sent; which of them carry tags; and how many are sent.
  private static func ordered(
    _ section: FieldSection, _ tags: TagFields
  ) -> (fields: FieldSection, tagged: Set<Int>, sent: Int) {
    let tagged = section.fields.indices.filter { section.isNamed($0, in: tags.names) }
    let count = section.fields.count
    if tagged.isEmpty { return (section, [], count) }
    let isTagged = Set(tagged)
    if tags.areForwarded { return (section, isTagged, count) }
    var writer = SectionWriter(capacity: section.bytes.readableBytes)
    writer.copyBytes(of: section, upTo: Int(section.fields[0].nameRange.offset))
    for (index, field) in section.fields.enumerated() where !isTagged.contains(index) {
      writer.append(field, from: section)
    }
    for index in tagged { writer.append(section.fields[index], from: section) }
    let sent = count - tagged.count
    return (writer.section, Set(sent..<count), sent)
  }

  /// A head from what another process kept of it; nil if its parts contradict each other. O(fields).
  init?(
    storage: [UInt8], count: Int, statusLineCount: Int, status: Int, etag: ByteRange?,
    lastModified: Int64?, date: Int64?
  ) {
    guard count <= storage.count, statusLineCount <= count, (100...999).contains(status),
      (storage.count - count) % Self.entry == 0, etag.map({ $0.range.upperBound <= count }) ?? true
    else { return nil }
    self.storage = storage
    self.count = count
    self.statusLineCount = statusLineCount
    self.status = status
    self.etag = etag
    self.lastModified = lastModified
    self.date = date
    let entries = stride(from: count, to: storage.count, by: Self.entry)
    let sent = entries.prefix { storage[$0] & Self.isWithheld == 0 }.count
    guard entries.dropFirst(sent).allSatisfy({ storage[$0] & Self.isWithheld != 0 }) else {
      return nil
    }
    var (end, sentEnd) = (statusLineCount, statusLineCount)
    var names: [Range<Int>] = []
    var hasRange = false
    for (index, place) in entries.enumerated() {
      let nameCount = Int(storage[place + 1]) << 8 | Int(storage[place + 2])
      let valueCount = Int(storage[place + 3]) << 8 | Int(storage[place + 4])
      if storage[place] & Self.nameBits == FieldName.other.rawValue {
        names.append(end..<(end + nameCount))
      }
      if storage[place] & Self.nameBits == FieldName.contentRange.rawValue { hasRange = true }
      end += nameCount + 2 + valueCount + 2
      if index + 1 == sent { sentEnd = end }
    }
    sentCount = sentEnd
    if end != count { return nil }
    hasFieldsOfWhole =
      hasRange || names.contains { storage.span.extracting($0).namesContentDigest }
    hasRanges = findRanges()
  }

  /// This head with the fields of a 304, 206 or response to HEAD put in the place of its own
  /// (RFC 9111 §3.2, §3.4, §4.3.4, §4.3.5).
  ///
  /// What says how the stored bytes are to be read stays as it is (§3.2): `Content-Range` and `Content-Length`
  /// describe that message, and so does `Content-Encoding`, for what is stored stays coded as it is. A
  /// `Content-Type` follows only where it is of the same type and subtype, or where there was none: programs
  /// send the type of their error pages with a 304. The entity tag stays too: an origin that weakens the tags of
  /// what it compresses sends the strong one with a 304. O(bytes).
  public func freshened(
    by response: ResponseHead, withheld: [[UInt8]] = [], tags: TagFields = .standard, now: Instant
  ) -> StoredHead {
    let update = response.fields
    let fields = fields
    let updateBytes = update.bytes.readableBytesUInt8Span
    let storedBytes = fields.bytes.readableBytesUInt8Span
    let vary = VaryUpdate(fields, update)
    let changesType = !fields.contains(.contentType) || fields.hasMediaType(of: update)
    func changes(_ index: Int) -> Bool {
      guard update.isStorable(index), !update.isNamed(index, in: withheld) else { return false }
      switch update.fields[index].name {
      case .etag: return etag == nil
      case .vary: return vary.replaces
      case .contentRange: return false
      case .contentType: return changesType
      case .other where response.status == 206 && update.isContentDigest(index): return false
      default:
        let name = updateBytes.extracting(update.fields[index].nameRange.range)
        return !name.equalsIgnoringCase("content-encoding")
      }
    }
    var writer = SectionWriter(capacity: count + update.bytes.readableBytes)
    // The status line of a stored head comes before its first field.
    writer.copyBytes(of: fields, upTo: Int(fields.fields.first?.nameRange.offset ?? 0))
    for (place, field) in fields.fields.enumerated() {
      let name = storedBytes.extracting(field.nameRange.range)
      var isReplaced = field.name == .date || fields.isNamed(place, in: withheld)
      for index in update.fields.indices
      where !isReplaced && changes(index)
        && updateBytes.extracting(update.fields[index].nameRange.range).equalsIgnoringCase(name)
      {
        isReplaced = true
      }
      if !isReplaced { writer.append(field, from: fields) }
    }
    for (index, field) in update.fields.enumerated() where changes(index) {
      writer.append(field, from: update)
    }
    if !vary.added.isEmpty { writer.append(name: "vary", value: vary.added) }
    // RFC 9110 §6.6.1, as for any response: the stored Date would make it as old as before.
    if !update.contains(.date) {
      writer.append(name: "date", value: HTTPDate.bytes(now.wall.seconds))
    }
    var head = StoredHead(writer.section, status: status, tags: tags, now: now)
    head.trailers = trailers
    return head
  }

  /// What the `Vary` of an update does to a stored one: the content was made by all that is named in either, so
  /// nothing is lost of it (RFC 9111 §4.1).
  private struct VaryUpdate {
    /// True if it takes the stored one's place: it has all of its names.
    var replaces = true
    /// The names that come on top if it does not.
    var added: [UInt8] = []

    init(_ stored: FieldSection, _ update: FieldSection) {
      guard stored.contains(.vary), update.contains(.vary) else { return }
      let old = VariantSelector.names(stored)
      let new = VariantSelector.names(update)
      replaces = old.allSatisfy(new.contains)
      if replaces { return }
      added = Array(new.filter { !old.contains($0) }.joined(separator: Array(", ".utf8)))
    }
  }

  /// The response head that this stored head stands for, to be judged again after freshening.
  var asResponse: ResponseHead {
    ResponseHead(
      fields: fields, status: status, reason: .empty, minorVersion: 1, framing: .none,
      contentLength: nil, keepsAlive: true)
  }
}

extension FieldSection {
  /// True if the field line at `index` goes on to the next recipient and into the store as it is
  /// (RFC 9110 §7.6.1, RFC 9111 §3.1). `Content-Length` and `Age` are written anew where they apply.
  public func isEndToEnd(_ index: Int) -> Bool {
    let name = fields[index].name
    if name.isHopByHop || name == .contentLength || name == .age { return false }
    return !connection.contains(.others) || !isNominatedByConnection(index)
  }

  /// True if the field line at `index` has one of these names, given in lower case.
  func isNamed(_ index: Int, in names: [[UInt8]]) -> Bool {
    if names.isEmpty { return false }
    let name = bytes.readableBytesUInt8Span.extracting(fields[index].nameRange.range)
    for other in names where name.equalsIgnoringCase(other.span) { return true }
    return false
  }

  /// True if the field line at `index` is kept with a stored response (RFC 9111 §3.1): what a proxy
  /// asked of one client is nobody else's.
  public func isStorable(_ index: Int) -> Bool {
    let name = fields[index].name
    return isEndToEnd(index) && name != .proxyAuthenticate && name != .proxyAuthenticationInfo
  }
}

extension FieldSection {
  /// True if the field line at `index` is about the bytes of one message's content (RFC 9530 §2, and before that
  /// RFC 1864), which those of a part of it are not.
  func isContentDigest(_ index: Int) -> Bool {
    fields[index].name == .other
      && bytes.readableBytesUInt8Span.extracting(fields[index].nameRange.range).namesContentDigest
  }

  /// True if the field line at `index` of a 206 is about the part alone.
  func describesPart(_ index: Int) -> Bool {
    fields[index].name == .contentRange || isContentDigest(index)
  }
}

extension Span<UInt8> {
  /// True for the name of a field that is about the bytes of one message's content.
  fileprivate var namesContentDigest: Bool {
    count == 14 && equalsIgnoringCase("content-digest")
      || count == 11 && equalsIgnoringCase("content-md5")
  }
}
