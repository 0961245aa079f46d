// SipHash-1-3 with 128 bits of output: fast, and keyed, so that requests cannot be made to collide.

enum SipHash {
  private struct State {
    var v0: UInt64
    var v1: UInt64
    var v2: UInt64
    var v3: UInt64

    @inline(__always)
    mutating func round() {
      v0 = v0 &+ v1
      v1 = rotate(v1, 13) ^ v0
      v0 = rotate(v0, 32)
      v2 = v2 &+ v3
      v3 = rotate(v3, 16) ^ v2
      v0 = v0 &+ v3
      v3 = rotate(v3, 21) ^ v0
      v2 = v2 &+ v1
      v1 = rotate(v1, 17) ^ v2
      v2 = rotate(v2, 32)
    }

    @inline(__always)
    mutating func absorb(_ word: UInt64) {
      v3 ^= word
      round()
      v0 ^= word
    }

    @inline(__always)
    private func rotate(_ value: UInt64, _ bits: UInt64) -> UInt64 {
      (value << bits) | (value >> (64 &- bits))
    }
  }

  /// The hash of `prefix` followed by `bytes`. O(bytes).
  static func hash(_ bytes: Span<UInt8>, prefix: UInt64, secret: HashSecret) -> KeyHash {
    var state = State(
      v0: secret.k0 ^ 0x736f_6d65_7073_6575,
      v1: secret.k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
      v2: secret.k0 ^ 0x6c79_6765_6e65_7261,
      v3: secret.k1 ^ 0x7465_6462_7974_6573)
    state.absorb(prefix)
    var index = 0
    while index &+ 8 <= bytes.count {
      state.absorb(HeadScanner.word(bytes, at: index))
      index &+= 8
    }
    var last = UInt64(truncatingIfNeeded: bytes.count &+ 8) << 56
    var shift: UInt64 = 0
    while index < bytes.count {
      last |= UInt64(bytes[index]) << shift
      shift &+= 8
      index &+= 1
    }
    state.absorb(last)
    state.v2 ^= 0xee
    for _ in 0..<3 { state.round() }
    let low = state.v0 ^ state.v1 ^ state.v2 ^ state.v3
    state.v1 ^= 0xdd
    for _ in 0..<3 { state.round() }
    let high = state.v0 ^ state.v1 ^ state.v2 ^ state.v3
    return KeyHash(low: low, high: high)
  }
}
