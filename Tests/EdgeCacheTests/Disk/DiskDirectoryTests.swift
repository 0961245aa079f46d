import Seeds
import Testing

@testable import EdgeCache

/// A directory so plain that it cannot be wrong.
private struct NaiveDirectory {
  struct Entry: Equatable {
    let identity: UInt64
    let variant: UInt64
    let place: DiskPlace
  }

  var entries: [Entry] = []

  func places(_ identity: UInt64) -> [DiskPlace] {
    entries.filter { $0.identity == identity }.map(\.place).reversed()
  }

  mutating func remove(where isGone: (Entry) -> Bool) -> Int {
    let before = entries.count
    entries.removeAll(where: isGone)
    return before - entries.count
  }
}

@Suite("Disk directory")
struct DiskDirectoryTests {
  /// Few tables and few homes, so that identities stand in each other's way.
  private static func hash(_ identity: UInt64) -> KeyHash {
    KeyHash(low: (identity % 7) << 40 | identity << 16, high: (identity % 2) << 40)
  }

  @Test("Says what a plain list says", arguments: 0..<20 as Range<UInt64>)
  func model(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var directory = DiskDirectory()
    var naive = NaiveDirectory()
    var offset = 64
    for step in 0..<1500 {
      let identity = UInt64.random(in: 0..<60, using: &random)
      let variant = UInt64.random(in: 0..<4, using: &random)
      let hash = Self.hash(identity)
      switch Int.random(in: 0..<100, using: &random) {
      case 0..<70:
        if naive.places(identity).count >= 60 { continue }
        let place = DiskPlace(
          segment: Int.random(in: 0..<6, using: &random), offset: offset, size: 128)
        offset += 64
        directory.insert(hash, variant: variant, place)
        naive.entries.append(.init(identity: identity, variant: variant, place: place))
      case 70..<80:
        let removed = directory.remove(hash)
        let expected = naive.remove { $0.identity == identity }
        #expect(removed == expected)
      case 80..<90:
        let removed = directory.remove(hash, variant: variant)
        let expected = naive.remove { $0.identity == identity && $0.variant == variant }
        #expect(removed == expected)
      case 90..<96:
        guard let place = naive.places(identity).last else { continue }
        let removed = directory.remove(hash) { $0 == place }
        let expected = naive.remove { $0.place == place }
        #expect(removed == expected)
      case 96..<98:
        let segment = Int.random(in: 0..<6, using: &random)
        let removed = directory.removeAll(in: segment)
        let expected = naive.remove { $0.place.segment == segment }
        #expect(removed.count == expected)
      case 98:
        let segment = Int.random(in: 0..<6, using: &random)
        let before = naive.entries.count
        let taken = directory.removeIdentities(in: segment)
        defer { #expect(taken.count == before - naive.entries.count) }
        let gone = Set(naive.entries.filter { $0.place.segment == segment }.map(\.identity))
        _ = naive.remove { gone.contains($0.identity) }
      default:
        directory.removeAll()
        naive.entries = []
      }
      #expect(directory.count == naive.entries.count)
      if step % 10 == 0 {
        for identity in 0..<60 as Range<UInt64> {
          let expected = naive.places(identity)
          let isSame = directory.places(Self.hash(identity)) == expected
          #expect(isSame, "seed \(seed), step \(step), identity \(identity)")
          #expect(directory.contains(Self.hash(identity)) == !expected.isEmpty)
          #expect(
            directory.onlyPlace(Self.hash(identity)) == (expected.count == 1 ? expected[0] : nil))
        }
      }
    }
  }

  @Test("Takes at most 24 bytes for each of many")
  func memory() {
    var random = SeededRandom(seed: 1)
    var directory = DiskDirectory()
    for index in 0..<100_000 {
      let hash = KeyHash(low: random.next(), high: random.next())
      directory.insert(
        hash, variant: 0, DiskPlace(segment: index % 1000, offset: 64 * (index / 1000), size: 64))
    }
    #expect(directory.count == 100_000)
    #expect(directory.memory <= 24 * 100_000)
  }

  @Test("Places keep all their bits")
  func places() {
    var directory = DiskDirectory()
    let hash = KeyHash(low: 1 << 20, high: 5)
    for place in [
      DiskPlace(segment: DiskPlace.mostSegments - 1, offset: DiskPlace.mostBytes - 64, size: 64),
      DiskPlace(segment: 0, offset: 64, size: DiskPlace.mostBytes),
      DiskPlace(segment: 77, offset: 123_456 * 64, size: 4096),
    ] {
      directory.insert(hash, variant: 1, place)
      #expect(directory.places(hash).first == place)
    }
  }
}

@Suite("Disk admission")
struct DiskAdmissionTests {
  private static func hash(_ number: UInt64) -> KeyHash {
    var random = SeededRandom(seed: number)
    return KeyHash(low: random.next(), high: random.next())
  }

  @Test("Everything while there is room, then what is asked for four times; all; second hits")
  func policies() {
    func times(_ policy: DiskAdmissionPolicy, free: Bool) -> Int {
      var admission = DiskAdmission(policy, records: 1000)
      return (1...8).first { _ in
        admission.admits(Self.hash(1), hasFreeSegments: free, records: 1000)
      } ?? 0
    }
    #expect(times(.auto, free: true) == 1 && times(.auto, free: false) == 4)
    #expect(times(.all, free: false) == 1)
    #expect(times(.secondHit, free: true) == 2 && times(.secondHit, free: false) == 2)
  }

  @Test("What is not asked for any more is forgotten")
  func forgets() {
    var sketch = FrequencySketch(records: 1000)
    var count = 0
    for _ in 0..<8 { _ = sketch.add(Self.hash(1)) }
    count = sketch.add(Self.hash(1))
    #expect(count >= 8)
    // Others, for as long as all counters are halved three times.
    for number in 0..<12_000 as Range<UInt64> { _ = sketch.add(Self.hash(number &+ 10)) }
    count = sketch.add(Self.hash(1))
    #expect(count <= 3)

    var recent = RecentIdentities(capacity: 1024)
    var isKnown = recent.remember(Self.hash(1))
    #expect(!isKnown)
    isKnown = recent.remember(Self.hash(1))
    #expect(isKnown)
    for number in 0..<3000 as Range<UInt64> { _ = recent.remember(Self.hash(number &+ 10)) }
    isKnown = recent.remember(Self.hash(1))
    #expect(!isKnown)
  }

  @Test("One in twenty at most is taken for another")
  func falsePositives() {
    var recent = RecentIdentities(capacity: 10_000)
    for number in 0..<9000 as Range<UInt64> { _ = recent.remember(Self.hash(number)) }
    var wrong = 0
    for number in 0..<900 as Range<UInt64> where recent.remember(Self.hash(1_000_000 + number)) {
      wrong += 1
    }
    #expect(wrong < 45)
    var sketch = FrequencySketch(records: 10_000)
    for number in 0..<9000 as Range<UInt64> { _ = sketch.add(Self.hash(number)) }
    let counts = (0..<900 as Range<UInt64>).map { sketch.add(Self.hash(1_000_000 + $0)) }
    #expect(counts.count { $0 >= 4 } < 9)
  }
}
