import Testing

@testable import EdgePoP

@Suite struct TimeRoundTests {
  private static let second = TimeRound.length

  /// When each part of a round is due that is cut for so many things, after its beginning.
  private func dues(_ count: Int) -> [Int64] {
    var round = TimeRound(now: 0)
    round.cut(for: count, now: 7 * Self.second)
    var dues: [Int64] = [0]
    while !round.isLast { dues.append(round.next(now: 7 * Self.second) - 7 * Self.second) }
    dues.append(round.next(now: 7 * Self.second) - 7 * Self.second)
    #expect(round.isFirst)
    return dues
  }

  @Test(
    "Few things are looked at in one part, and many in parts that are evenly spread over the second"
  )
  func parts() {
    #expect(dues(0) == [0, Self.second])
    #expect(dues(TimeRound.partSize * 2 - 1) == [0, Self.second])
    #expect(dues(TimeRound.partSize * 4) == (0...4).map { Self.second / 4 * $0 })
    #expect(dues(1 << 20).count == TimeRound.most + 1)
    #expect(dues(1 << 20).last == Self.second)
  }

  @Test("A loop that is late goes on at once, and the next round begins when this one has ended")
  func late() {
    var round = TimeRound(now: 0)
    round.cut(for: TimeRound.partSize * 4, now: 0)
    #expect(round.next(now: 2 * Self.second) == 2 * Self.second)
    #expect(round.next(now: 2 * Self.second) == 2 * Self.second)
    #expect(round.next(now: 2 * Self.second) == 2 * Self.second)
    #expect(round.isLast)
    #expect(round.next(now: 2 * Self.second) == 2 * Self.second)
    #expect(round.isFirst && round.parts == 4)
    round.cut(for: 1, now: 2 * Self.second)
    #expect(round.isFirst && round.isLast)
    #expect(round.next(now: 2 * Self.second) == 3 * Self.second)
  }
}
