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
  /// Nothing past `limits.head` is looked at, so that neither the work nor the verdict depends on
  /// how much was read at once. Complexity: O(bytes of the head).
  static func parse(
    _ bytes: Span<UInt8>,
    from start: Int,
    into fields: inout [Field],
    limits: HeadLimits,
    allowsSpaceBeforeColon: Bool
  ) throws(MalformedMessage) -> FieldScan {
    let scan = try scan(
      bytes.extracting(first: limits.head), from: start, into: &fields, limits: limits,
      allowsSpaceBeforeColon: allowsSpaceBeforeColon)
    if case .needMore = scan, bytes.count > limits.head { throw .headTooLarge }
    return scan
  }

  private static func scan(
    _ bytes: Span<UInt8>,
    from start: Int,
    into fields: inout [Field],
    limits: HeadLimits,
    allowsSpaceBeforeColon: Bool
  ) throws(MalformedMessage) -> FieldScan {
    var index = start
    let end = bytes.count
    let names = FieldNameTable.shared
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
      index = HeadScanner.endOfToken(bytes, from: index)
      let nameEnd = index
      if allowsSpaceBeforeColon {
        while index < end, bytes[index].isOptionalWhitespace { index &+= 1 }
      }
      if index &- nameStart > limits.fieldLine { throw .fieldTooLong }
      guard index < end else { return .needMore }
      guard bytes[index] == ASCII.colon, nameEnd > nameStart else {
        let isLineEnd = bytes[index] == ASCII.carriageReturn || bytes[index] == ASCII.lineFeed
        throw isLineEnd ? .fieldLine : .fieldName
      }
      index &+= 1

      while index < end, bytes[index].isOptionalWhitespace { index &+= 1 }
      let valueStart = index
      index = HeadScanner.endOfFieldValue(bytes, from: index)
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
          name: names.name(bytes, nameStart..<nameEnd),
          nameRange: ByteRange(offset: nameStart, count: nameEnd &- nameStart),
          value: ByteRange(offset: valueStart, count: valueEnd &- valueStart)))
      index &+= 2
    }
  }
}

/// Keeps a parser from reading the same incomplete head again for every byte that trickles in.
///
/// The first attempt parses at once. After that only the new bytes are scanned, and parsing starts
/// again when an empty line, a bare LF or the reaching of a limit makes sure of a result: a head is
/// parsed a handful of times, however it arrives, and no verdict waits for more than it needs.
struct HeadProgress: Sendable {
  /// True once a parse needed more.
  private var isPartial = false
  /// Bytes that were looked at.
  private var scanned = 0
  /// Where the line begins that is not complete yet.
  private var lineStart = 0
  /// Complete lines, empty ones before the start line left out.
  private var lines: Int

  /// For a section with a start line, or for trailers, which have none.
  init(hasStartLine: Bool = true) {
    lines = hasStartLine ? 0 : 1
  }

  /// True if parsing the bytes may come to a result. O(new bytes).
  mutating func isWorthParsing(_ bytes: Span<UInt8>, limits: HeadLimits) -> Bool {
    if !isPartial || bytes.count > limits.head { return true }
    var isWorth = false
    while scanned < bytes.count {
      if bytes[scanned] == ASCII.lineFeed, endLine(bytes, limits) { isWorth = true }
      scanned &+= 1
    }
    return isWorth || bytes.count &- lineStart > lineLimit(limits)
  }

  /// Remembers that a parse needed more.
  mutating func needsMore() {
    isPartial = true
  }

  private func lineLimit(_ limits: HeadLimits) -> Int {
    lines == 0 ? limits.startLine : limits.fieldLine
  }

  /// Counts the line whose LF is at `scanned`; true if it ends the head or breaks a rule.
  private mutating func endLine(_ bytes: Span<UInt8>, _ limits: HeadLimits) -> Bool {
    // With CR LF at its end; without a CR there is a bare LF, of whatever line.
    let count = scanned &- lineStart
    let isBare = count == 0 || bytes[scanned &- 1] != ASCII.carriageReturn
    let isEmpty = count == 1
    let isTooLong = count > lineLimit(limits)
    lineStart = scanned &+ 1
    if lines > 0 || !isEmpty { lines &+= 1 }
    return isBare || isEmpty || isTooLong || lines > limits.fields &+ 1
  }
}
