// Which parts of a content are stored, where not all of it is (RFC 9111 §3.3, §3.4).

/// Runs of bytes of one content, kept beside each other; a class, for next to no response has any.
public final class StoredParts: Sendable, Equatable {
  /// The runs in order: none is empty, and none touches the next.
  public let ranges: [Range<Int>]
  /// The length of the whole content.
  public let completeLength: Int
  /// How many bytes are stored before each run.
  private let offsets: [Int]
  /// Number of bytes that are stored.
  public let count: Int

  /// Runs that are kept of one content; when there are more, all but the newest go.
  static let most = 1024

  /// Runs of a content of that length, in order and apart; nil if they are not.
  init?(_ ranges: [Range<Int>], of completeLength: Int) {
    var offsets: [Int] = []
    offsets.reserveCapacity(ranges.count)
    var (end, count) = (-1, 0)
    for range in ranges {
      guard range.lowerBound > end, !range.isEmpty, range.upperBound <= completeLength else {
        return nil
      }
      offsets.append(count)
      count += range.count
      end = range.upperBound
    }
    guard !ranges.isEmpty else { return nil }
    (self.ranges, self.completeLength) = (ranges, completeLength)
    (self.offsets, self.count) = (offsets, count)
  }

  /// One run.
  convenience init?(_ part: ContentPart) {
    self.init([part.range], of: part.completeLength)
  }

  /// None yet of a content of that length: what a head alone says of it.
  init(noneOf completeLength: Int) {
    (ranges, offsets, count) = ([], [], 0)
    self.completeLength = completeLength
  }

  /// True if nothing is missing.
  public var isComplete: Bool { count == completeLength }

  /// The runs as in a request, as many as anybody reads, and the length of the whole: `0-99,200-299/1000`.
  public var text: String {
    let shown = ranges.prefix(Self.mostShown).map { "\($0.lowerBound)-\($0.upperBound - 1)" }
    let more = ranges.count > Self.mostShown ? ",..." : ""
    return shown.joined(separator: ",") + more + "/\(completeLength)"
  }

  private static let mostShown = 16

  /// Bytes of memory that this takes.
  var cost: Int { 64 + MemoryCost.array(of: ranges) + MemoryCost.array(of: offsets) }

  /// Where bytes of the content lie in what is stored, if all of them are there. O(log runs).
  func place(of range: Range<Int>) -> Range<Int>? {
    let run = firstRun(endingAfter: range.lowerBound)
    guard run < ranges.count, ranges[run].lowerBound <= range.lowerBound,
      range.upperBound <= ranges[run].upperBound
    else { return nil }
    let start = offsets[run] + range.lowerBound - ranges[run].lowerBound
    return start..<(start + range.count)
  }

  /// The first run that ends behind a place. O(log runs).
  private func firstRun(endingAfter position: Int) -> Int {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound <= position { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The one run of bytes that is missing, and how many stored bytes are before it; nil if there are several, or
  /// none.
  public var onlyMissing: (range: Range<Int>, before: Int)? {
    switch ranges.count {
    case 1:
      let range = ranges[0]
      if range.lowerBound == 0 {
        return range.upperBound < completeLength
          ? (range.upperBound..<completeLength, count) : nil
      }
      return range.upperBound == completeLength ? (0..<range.lowerBound, 0) : nil
    case 2 where ranges[0].lowerBound == 0 && ranges[1].upperBound == completeLength:
      return (ranges[0].upperBound..<ranges[1].lowerBound, ranges[0].count)
    default: return nil
    }
  }

  /// These runs and one more; what touches it becomes one with it. With it come, in the order of the content, what
  /// to take: places in what is stored, and nil for the new run. O(runs).
  func adding(_ part: ContentPart) -> (parts: StoredParts, pieces: [Range<Int>?])? {
    guard part.completeLength == completeLength else { return nil }
    let new = part.range
    var joined = new
    var before: [Range<Int>] = []
    var after: [Range<Int>] = []
    var pieces: [Range<Int>?] = []
    var rest: [Range<Int>?] = []
    for (run, offset) in zip(ranges, offsets) {
      if run.upperBound < new.lowerBound {
        before.append(run)
        pieces.append(offset..<(offset + run.count))
        continue
      }
      if run.lowerBound > new.upperBound {
        after.append(run)
        rest.append(offset..<(offset + run.count))
        continue
      }
      joined = min(joined.lowerBound, run.lowerBound)..<max(joined.upperBound, run.upperBound)
      // Where both have the same bytes, those that came last are taken (RFC 9110 §15.3.7.3).
      if run.lowerBound < new.lowerBound {
        pieces.append(offset..<(offset + new.lowerBound - run.lowerBound))
      }
      if run.upperBound > new.upperBound {
        rest.append((offset + new.upperBound - run.lowerBound)..<(offset + run.count))
      }
    }
    pieces.append(nil)
    guard let parts = StoredParts(before + [joined] + after, of: completeLength) else { return nil }
    return (parts, pieces + rest)
  }

  public static func == (one: StoredParts, other: StoredParts) -> Bool {
    one.ranges == other.ranges && one.completeLength == other.completeLength
  }
}
