import NIOCore

// A field section (RFC 9110 §6.3) as its received bytes plus a table of where each field lies.
//
// Nothing is copied or folded: order, repetition and letter case of what arrived are all still
// there when it is forwarded or stored.

/// One field line: its known name and where name and value lie.
public struct Field: Sendable {
  /// The known name, or `other`.
  public var name: FieldName
  /// Where the name lies, in the letter case that arrived.
  public var nameRange: ByteRange
  /// Where the value lies, without whitespace around it.
  public var value: ByteRange
}

/// The fields of a head or trailer section together with the bytes that they point into.
public struct FieldSection: Sendable {
  /// The bytes of the whole section; ranges are relative to its first readable byte.
  public internal(set) var bytes: ByteBuffer
  /// The field lines in the order in which they arrived.
  public private(set) var fields: [Field]
  /// A bit for each known name that is there: most questions are about a field that is not.
  private var present: UInt64
  /// What `Connection` says, if it is there.
  private(set) var connection: ConnectionField = []

  /// A section over `bytes`.
  public init(bytes: ByteBuffer = ByteBuffer(), fields: [Field] = []) {
    self.bytes = bytes
    self.fields = fields
    present = 0
    for field in fields { present |= field.name.bit }
    if contains(.connection) { readConnection() }
  }

  private mutating func readConnection() {
    for field in fields where field.name == .connection { note(connection: field) }
  }

  private mutating func note(connection field: Field) {
    let said = ConnectionField.of(bytes.readableBytesUInt8Span, field.value.range)
    connection.formUnion(said)
  }

  /// True if a field of that name is there. O(1).
  @inline(__always)
  public func contains(_ name: FieldName) -> Bool {
    present & name.bit != 0
  }

  /// This section with memory of its own for the bytes.
  borrowing func detached() -> FieldSection {
    var memory = ByteBufferAllocator().buffer(capacity: bytes.readableBytes)
    memory.writeImmutableBuffer(bytes)
    return FieldSection(bytes: memory, fields: fields, present: present, connection: connection)
  }

  private init(bytes: ByteBuffer, fields: [Field], present: UInt64, connection: ConnectionField) {
    (self.bytes, self.fields, self.present) = (bytes, fields, present)
    self.connection = connection
  }

  /// Gives away the table, to be filled anew for another section.
  mutating func takeTable() -> [Field] {
    let table = fields
    fields = []
    present = 0
    connection = []
    return table
  }

  /// Appends a field line whose bytes are in ``bytes`` already. Amortised O(1).
  mutating func append(_ field: Field) {
    fields.append(field)
    present |= field.name.bit
    if field.name == .connection { note(connection: field) }
  }

  /// The number of field lines of that name. O(fields).
  public func count(of name: FieldName) -> Int {
    guard contains(name) else { return 0 }
    var count = 0
    for field in fields where field.name == name { count += 1 }
    return count
  }

  /// Where the value of the first field line of that name lies. O(fields).
  public func first(_ name: FieldName) -> ByteRange? {
    guard contains(name) else { return nil }
    for field in fields where field.name == name { return field.value }
    return nil
  }

  /// Where the value lies if there is exactly one field line of that name. O(fields).
  public func only(_ name: FieldName) -> ByteRange? {
    guard contains(name) else { return nil }
    var found: ByteRange?
    for field in fields where field.name == name {
      if found != nil { return nil }
      found = field.value
    }
    return found
  }

  /// Where the value lies if there is exactly one field line of that name, which need not be one that the cache
  /// knows; `name` in lower case. O(bytes of the names).
  func only(named name: StaticString) -> ByteRange? {
    let span = bytes.readableBytesUInt8Span
    var found: ByteRange?
    for field in fields where span.extracting(field.nameRange.range).equalsIgnoringCase(name) {
      if found != nil { return nil }
      found = field.value
    }
    return found
  }

  /// Takes all field lines of that name out; their bytes stay. O(fields).
  mutating func removeAll(_ name: FieldName) {
    fields.removeAll { $0.name == name }
    present &= ~name.bit
  }

  /// Takes all lines with these names out, given in lower case. O(bytes).
  mutating func removeAll(named names: [[UInt8]]) {
    let kept = fields.indices.filter { !isNamed($0, in: names) }.map { fields[$0] }
    if kept.count == fields.count { return }
    fields = kept
    present = kept.reduce(0) { $0 | $1.name.bit }
  }

  /// Takes the field lines at some indices, in ascending order, out; their bytes stay. O(fields).
  mutating func remove(at indices: [Int]) {
    for index in indices.reversed() { fields.remove(at: index) }
    present = fields.reduce(0) { $0 | $1.name.bit }
  }

  /// A copy of the bytes in a range.
  public func copy(_ range: ByteRange) -> [UInt8] {
    bytes.readableBytesUInt8Span.extracting(range.range).copied()
  }

  /// The text of a range, for logs and messages.
  public func text(_ range: ByteRange) -> String {
    String(decoding: copy(range), as: UTF8.self)
  }

  /// The text of the first field of that name, for logs and tests.
  public func text(_ name: FieldName) -> String? {
    first(name).map(text)
  }

  /// Calls `body` with each element of the list that all field lines of `name` make together
  /// (RFC 9110 §5.3); stops when it returns false. O(bytes of those fields).
  public func forEachElement(
    of name: FieldName, _ body: (Span<UInt8>, Range<Int>) -> Bool
  ) {
    guard contains(name) else { return }
    let span = bytes.readableBytesUInt8Span
    for field in fields where field.name == name {
      var goOn = true
      span.forEachListElement(field.value.range, ofTokens: name.isTokenList) { element in
        goOn = body(span, element)
        return goOn
      }
      if !goOn { return }
    }
  }

  /// The list that all field lines of `name` make together, as one value; nil if it is empty. O(bytes of those fields).
  func list(_ name: FieldName) -> [UInt8]? {
    var list: [UInt8] = []
    forEachElement(of: name) { span, range in
      if !list.isEmpty { list += [ASCII.comma, ASCII.space] }
      list += span.extracting(range).copied()
      return true
    }
    return list.isEmpty ? nil : list
  }

  /// True if the list of `name` has that element, letters without regard to case.
  public func hasElement(_ name: FieldName, _ text: StaticString) -> Bool {
    var found = false
    forEachElement(of: name) { span, range in
      found = span.extracting(range).equalsIgnoringCase(text)
      return !found
    }
    return found
  }

  /// True if the field line at `index` is named in `Connection` (RFC 9110 §7.6.1).
  public func isNominatedByConnection(_ index: Int) -> Bool {
    let span = bytes.readableBytesUInt8Span
    let name = span.extracting(fields[index].nameRange.range)
    var found = false
    forEachElement(of: .connection) { span, range in
      found = span.extracting(range).equalsIgnoringCase(name)
      return !found
    }
    return found
  }

  /// Appends a field whose bytes are not in this section yet. Amortised O(length).
  public mutating func append(name: StaticString, value: some Sequence<UInt8>) {
    let nameOffset = bytes.readableBytes
    bytes.writeStaticString(name)
    bytes.writeStaticString(": ")
    let valueOffset = bytes.readableBytes
    bytes.writeBytes(value)
    let valueCount = bytes.readableBytes - valueOffset
    bytes.writeStaticString("\r\n")
    let nameRange = ByteRange(offset: nameOffset, count: name.utf8CodeUnitCount)
    let known = FieldNameTable.name(
      bytes.readableBytesUInt8Span.extracting(nameRange.range))
    append(
      Field(
        name: known, nameRange: nameRange,
        value: ByteRange(offset: valueOffset, count: valueCount)))
  }
}
