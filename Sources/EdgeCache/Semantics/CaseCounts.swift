// How often each case of an enum happened, in a flat table: counting costs an addition.
//
// Unsafe memory: a case is read as the number that stands for it in memory. Invariant: the enum has no
// payloads and at most 256 cases, so a value is one byte, and the numbers follow the order of the
// cases; each table checks that once for all cases when it is made (`init`).

/// A number for each case of an enum without payloads.
public struct CaseCounts<Case: CaseIterable & Sendable>: Sendable {
  private var counts: [UInt64]

  /// All zero. O(cases).
  public init() {
    var index = 0
    for each in Case.allCases {
      invariant(Self.index(each) == index, "cases that are not numbered in their order")
      index += 1
    }
    counts = Array(repeating: 0, count: index)
  }

  @inline(__always)
  private static func index(_ value: Case) -> Int {
    invariant(MemoryLayout<Case>.size <= 1, "cases that are no numbers")
    return MemoryLayout<Case>.size == 0 ? 0 : Int(unsafeBitCast(value, to: UInt8.self))
  }

  /// How often a case happened. O(1).
  @inline(__always)
  public subscript(_ value: Case) -> UInt64 {
    counts[Self.index(value)]
  }

  /// A case happened once more. O(1).
  @inline(__always)
  public mutating func count(_ value: Case) {
    counts[Self.index(value)] &+= 1
  }

  /// Adds other counts. O(cases).
  public mutating func add(_ other: CaseCounts) {
    for index in counts.indices { counts[index] &+= other.counts[index] }
  }
}
