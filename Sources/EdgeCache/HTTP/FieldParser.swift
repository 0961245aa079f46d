// Field lines (RFC 9112 §5), the same for requests, responses and trailers.
//
// Strict where ambiguity could be used against us: CR LF only, no folding, no control characters,
// names are tokens. The single leniency, whitespace between name and colon, is for responses only,
// where RFC 9112 §5.1 makes a proxy remove it.

/// Outcome of scanning a field section.
enum FieldScan {
  /// The empty line that ends the section was read; the next byte is at this index.
  case complete(Int)
  /// The bytes end before the section does.
  case needMore
}

enum FieldParser {
  /// Parses field lines from `start` up to and with the empty line that ends them.
  ///
  /// Complexity: O(bytes).
  static func parse(
    _ bytes: Span<UInt8>,
    from start: Int,
    into fields: inout [Field],
    limits: HeadLimits,
    allowsSpaceBeforeColon: Bool
  ) throws(MalformedMessage) -> FieldScan {
    var index = start
    let end = bytes.count
    while true {
      guard index < end else { return .needMore }
      let first = bytes[index]
      if first == ASCII.carriageReturn {
        guard index &+ 1 < end else { return .needMore }
        guard bytes[index &+ 1] == ASCII.lineFeed else { throw .bareLineEnd }
        return .complete(index &+ 2)
      }
      if first == ASCII.lineFeed { throw .bareLineEnd }
      if first.isOptionalWhitespace { throw .lineFolding }

      let nameStart = index
      var hash = FieldNameTable.seed
      while index < end, bytes[index].isToken {
        hash = FieldNameTable.mix(hash, bytes[index])
        index &+= 1
      }
      let nameEnd = index
      if allowsSpaceBeforeColon {
        while index < end, bytes[index].isOptionalWhitespace { index &+= 1 }
      }
      guard index < end else {
        if index &- nameStart > limits.fieldLine { throw .fieldTooLong }
        return .needMore
      }
      guard bytes[index] == ASCII.colon, nameEnd > nameStart else {
        let isLineEnd = bytes[index] == ASCII.carriageReturn || bytes[index] == ASCII.lineFeed
        throw isLineEnd ? .fieldLine : .fieldName
      }
      index &+= 1

      while index < end, bytes[index].isOptionalWhitespace { index &+= 1 }
      let valueStart = index
      while index < end, ByteClass.table[Int(bytes[index])] & ByteClass.fieldValue != 0 {
        index &+= 1
      }
      if index &- nameStart > limits.fieldLine { throw .fieldTooLong }
      guard index &+ 1 < end else {
        if index < end, bytes[index] != ASCII.carriageReturn {
          throw bytes[index] == ASCII.lineFeed ? .bareLineEnd : .fieldValue
        }
        return .needMore
      }
      guard bytes[index] == ASCII.carriageReturn else {
        throw bytes[index] == ASCII.lineFeed ? .bareLineEnd : .fieldValue
      }
      guard bytes[index &+ 1] == ASCII.lineFeed else { throw .bareLineEnd }
      var valueEnd = index
      while valueEnd > valueStart, bytes[valueEnd &- 1].isOptionalWhitespace { valueEnd &-= 1 }

      if fields.count == limits.fields { throw .tooManyFields }
      fields.append(
        Field(
          name: FieldNameTable.name(bytes, nameStart..<nameEnd, hash: hash),
          nameRange: ByteRange(offset: nameStart, count: nameEnd &- nameStart),
          value: ByteRange(offset: valueStart, count: valueEnd &- valueStart)))
      index &+= 2
    }
  }
}

/// Keeps a parser from reading the same incomplete head again for every byte that trickles in.
///
/// The first attempt parses at once. After that the end of the head is looked for from where the
/// last search stopped, and parsing starts again only when it is there or a limit is passed.
struct HeadProgress: Sendable {
  private var scanned = 0

  /// True if parsing the bytes may come to a result. O(new bytes).
  mutating func isWorthParsing(_ bytes: Span<UInt8>, limits: HeadLimits) -> Bool {
    if scanned == 0 { return true }
    if bytes.count > limits.head { return true }
    var index = max(1, scanned &- 2)
    var lines = false
    while index < bytes.count {
      if bytes[index] == ASCII.lineFeed {
        lines = true
        let before = bytes[index &- 1]
        if before == ASCII.lineFeed { return true }
        if before == ASCII.carriageReturn, index >= 2, bytes[index &- 2] == ASCII.lineFeed {
          return true
        }
        if before != ASCII.carriageReturn { return true }
      }
      index &+= 1
    }
    // A line that goes on past its limit must be refused before the head is complete.
    let tooLong = !lines && bytes.count &- scanned > 0 && bytes.count > limits.startLine
    scanned = bytes.count
    return tooLong
  }

  /// Remembers that a parse of `count` bytes needed more.
  mutating func needsMore(_ count: Int) {
    scanned = max(1, count)
  }

  /// Forgets the head that was just parsed.
  mutating func reset() {
    scanned = 0
  }
}
