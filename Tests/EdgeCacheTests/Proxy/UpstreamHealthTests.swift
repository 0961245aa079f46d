import Testing

@testable import EdgeCache

/// Which upstream comes next, and for how long a bad one is left out.
@Suite struct UpstreamHealthTests {
  private let start = Instant(seconds: 100)

  @Test func holdDownDoublesFromOneSecondToThirty() {
    var health = UpstreamHealth(count: 1)
    var now = start
    for seconds: Int64 in [1, 2, 4, 8, 16, 30, 30, 30] {
      // The rest of a burst is the same failure.
      let isNews = [health.failed(0, now: now), health.failed(0, now: now)]
      #expect(isNews == [true, false])
      let end = now.adding(seconds: seconds)
      #expect(health.isHeldDown(0, now: Instant(milliseconds: end.milliseconds - 1)))
      #expect(!health.isHeldDown(0, now: end))
      now = end
    }
    health.succeeded(0)
    health.failed(0, now: now)
    #expect(health.isHeldDown(0, now: now))
    #expect(!health.isHeldDown(0, now: now.adding(seconds: 1)))
  }

  @Test func upstreamsOfATierTakeTurns() {
    var health = UpstreamHealth(count: 3)
    let group = UpstreamGroup(tiers: [[0, 1], [2]])
    var counts = [0, 0, 0]
    for _ in 0..<10 { counts[health.next(group, tried: [], now: start) ?? 2] += 1 }
    #expect(counts == [5, 5, 0])
  }

  @Test func theNextTierComesAfterTheWholeFirst() {
    var health = UpstreamHealth(count: 3)
    let group = UpstreamGroup(tiers: [[0, 1], [2]])
    health.failed(0, now: start)
    let sound = (0..<4).map { _ in health.next(group, tried: [], now: start) }
    #expect(sound == [1, 1, 1, 1])
    let afterOne = health.next(group, tried: [1], now: start)
    #expect(afterOne == 2)
    health.failed(1, now: start)
    let last = (0..<4).map { _ in health.next(group, tried: [], now: start) }
    #expect(last == [2, 2, 2, 2])
  }

  @Test func whenAllAreLeftOutTheSoonestIsTried() {
    var health = UpstreamHealth(count: 2)
    let group = UpstreamGroup(tiers: [[0], [1]])
    health.failed(0, now: start)
    let later = start.adding(seconds: 1)
    health.failed(0, now: later)
    health.failed(1, now: later)
    let choices = [[], [1], [0, 1]].map { health.next(group, tried: $0, now: later) }
    #expect(choices == [1, 0, nil])
    let recovered = health.next(group, tried: [], now: later.adding(seconds: 2))
    #expect(recovered == 0)
  }

  @Test func aGroupOfNothingHasNoNext() {
    var health = UpstreamHealth(count: 1)
    let next = health.next(UpstreamGroup(tiers: [[]]), tried: [], now: start)
    #expect(next == nil)
  }
}
