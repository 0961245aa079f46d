import EdgeMemory
import NIOCore
import Testing

@testable import EdgeCache

/// What the budget counts is what the allocator gives out.
@Suite struct MemoryCostTests {
  @Test func sizesAreTheAllocators() {
    for count in Array(0...5000) + [8192, 8193, 10_240, 14_336, 14_337, 65_536, 65_537, 1_500_000] {
      #expect(MemoryCost.allocation(count) == Allocator.size(of: count), "\(count) bytes")
    }
  }

  /// The cost of a response covers all of its allocations, and not much more.
  @Test(arguments: [0, 1, 100, 1000, 1024, 5000, 17_000, 70_000, 1_000_000])
  func costCoversAllocations(size: Int) {
    let secret = HashSecret(1, 2)
    let path = "http://www.example.com/assets/some/path/of/a/common/length.html"
    guard let key = CacheKey(url: path.utf8, secret: secret) else { return }
    let response = StoredResponse.sample(key, String(repeating: "x", count: size))
    var taken = Allocator.size(at: Unmanaged.passUnretained(response).toOpaque())
    #expect(taken + 128 <= StoredResponse.overhead, "\(taken) bytes for the object")
    taken += response.head.capacity + MemoryCost.array(of: key.bytes)
    for piece in response.content.pieces {
      taken += MemoryCost.bufferStorage
      taken += piece.withVeryUnsafeBytes { bytes in
        bytes.baseAddress.map { Allocator.size(at: UnsafeMutableRawPointer(mutating: $0)) } ?? 0
      }
    }
    #expect(response.cost >= taken)
    #expect(response.cost <= taken + 1024 + taken / 16)
  }
}
