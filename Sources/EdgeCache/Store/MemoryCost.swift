// What memory really costs, so that the budget can count it: an allocator hands out sizes of its own.
//
// Counted is what jemalloc hands out, four sizes for each doubling (docs/memory.md says why it is
// jemalloc). glibc's allocator rounds to sixteen bytes and keeps eight in front of each; for the
// sizes here that comes to less or to nearly the same.

/// Bytes that allocations take.
enum MemoryCost {
  /// Bytes that an allocation of `count` bytes takes. O(1).
  static func allocation(_ count: Int) -> Int {
    if count <= 0 { return 0 }
    if count <= 8 { return 8 }
    if count <= 128 { return (count + 15) & ~15 }
    // Steps of a quarter of the power of two below.
    let step = 1 << (Int.bitWidth - 1 - (count - 1).leadingZeroBitCount - 2)
    return (count + step - 1) & ~(step - 1)
  }

  /// Bytes in front of the elements of an array.
  private static let arrayHeader = 32
  /// Bytes of the object that a `ByteBuffer` refers to, besides its bytes.
  static let bufferStorage = allocation(72)

  /// Bytes that the storage of an array takes; none where it is empty.
  static func array<Element>(of elements: [Element]) -> Int {
    elements.capacity == 0
      ? 0 : allocation(arrayHeader + elements.capacity * MemoryLayout<Element>.stride)
  }
}
