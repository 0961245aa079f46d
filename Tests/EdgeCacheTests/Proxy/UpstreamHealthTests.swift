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

  @Test(
    "An upstream that does not answer is left out after three requests, where there is another one")
  func hung() {
    let group = UpstreamGroup(tiers: [[0], [1]])
    var health = UpstreamHealth(count: 2)
    let tells = (0..<4).map { _ in health.timedOut(0, in: group, now: start) }
    #expect(tells == [false, false, true, false])
    #expect(health.isHeldDown(0, now: start))
    // That it can be connected to says nothing.
    let connects = health.succeeded(0)
    #expect(!connects && health.isHeldDown(0, now: start))
    // Once the time is over one request is enough, and the next time is longer.
    let later = start.adding(seconds: 1)
    let again = health.timedOut(0, in: group, now: later)
    #expect(again && health.heldUntil(0, now: later) == later.adding(seconds: 2))
    let answers = [health.answered(0), health.answered(0)]
    #expect(answers == [true, false] && !health.isHeldDown(0, now: later))
    // An answer in between, and it begins anew.
    let counts = (0..<6).map { number in
      if number % 2 == 1 { _ = health.answered(0) }
      return health.timedOut(0, in: group, now: later)
    }
    #expect(counts == Array(repeating: false, count: 6))
  }

  @Test("Nobody is left out who is the last")
  func lastOfAGroup() {
    var health = UpstreamHealth(count: 2)
    let (alone, both) = (UpstreamGroup(tiers: [[0]]), UpstreamGroup(tiers: [[0, 1]]))
    for _ in 0..<9 {
      let isLeftOut = health.timedOut(0, in: alone, now: start)
      #expect(!isLeftOut)
    }
    health.failed(1, now: start)
    let whileOtherIsOut = health.timedOut(0, in: both, now: start)
    let after = health.timedOut(0, in: both, now: start.adding(seconds: 1))
    #expect(!whileOtherIsOut && after)
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
