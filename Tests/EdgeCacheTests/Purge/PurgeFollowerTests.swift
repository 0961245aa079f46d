import Testing

@testable import EdgeCache

/// Whom a PoP asks, and when it believes what is on its disk: step by step.
@Suite struct PurgeFollowerTests {
  private var now = Instant(milliseconds: 1_000_000)

  private func follower(
    _ cursors: [PurgeCursor?] = [
      PurgeCursor(epoch: 1, sequence: 5), PurgeCursor(epoch: 2, sequence: 6),
    ],
    isFresh: Bool = false
  ) -> PurgeFollower {
    PurgeFollower(
      peers: cursors.enumerated().map { ("p\($0)", $1) }, isFresh: isFresh, now: now)
  }

  private func page(
    _ epoch: UInt64, _ sequence: UInt64, partial: Bool = false, gap: Bool = false,
    forgotten: Bool = false
  ) -> JournalPage {
    JournalPage(
      entries: [], cursor: PurgeCursor(epoch: epoch, sequence: sequence), isPartial: partial,
      hasGap: gap, hasForgotten: forgotten)
  }

  @Test("All are asked at once, and believed when the last one has told all")
  func start() {
    var follower = follower()
    #expect(
      follower.tick(now) == [
        .ask("p0", after: PurgeCursor(epoch: 1, sequence: 5)),
        .ask("p1", after: PurgeCursor(epoch: 2, sequence: 6)),
      ])
    #expect(follower.tick(now) == [])
    #expect(follower.answered("p0", page(1, 7), now: now) == [] && follower.state == .catchingUp)
    #expect(
      follower.answered("p1", page(2, 8, partial: true), now: now)
        == [.ask("p1", after: PurgeCursor(epoch: 2, sequence: 8))])
    #expect(follower.answered("p1", page(2, 9), now: now).first == .openFence)
    #expect(follower.state == .synced)
  }

  @Test("Who does not answer is asked again, and waited for no longer than maxUnsynced")
  func silence() {
    var follower = follower()
    _ = follower.tick(now)
    _ = follower.answered("p0", page(1, 7), now: now)
    #expect(follower.failed("p1", now: now) == [] && follower.unreachable == ["p1"])
    #expect(follower.tick(now.adding(milliseconds: 249)) == [])
    #expect(follower.tick(now.adding(milliseconds: 250)).count == 1)
    let late = now.adding(milliseconds: 30_000)
    #expect(follower.tick(late).first == .openFence && follower.state == .unsynced)
    #expect(!follower.answered("p1", page(2, 9), now: late).contains(.openFence))
    #expect(follower.state == .synced)
  }

  @Test("Nobody answers: everything is purged softly")
  func alone() {
    var follower = follower()
    _ = follower.tick(now)
    let late = now.adding(milliseconds: 30_000)
    #expect(follower.tick(late).prefix(2) == [.purgeEverythingSoftly, .openFence])
    var fresh = self.follower(isFresh: true)
    _ = fresh.tick(now)
    #expect(fresh.tick(late).first == .openFence, "there is nothing to purge")
  }

  @Test("A list that begins anew is made up for by another; one that has forgotten is not")
  func gaps() {
    var covered = follower()
    _ = covered.tick(now)
    _ = covered.answered("p0", page(9, 1, gap: true), now: now)
    #expect(covered.answered("p1", page(2, 6), now: now).first == .openFence)
    var blind = follower()
    _ = blind.tick(now)
    _ = blind.answered("p0", page(9, 1, gap: true), now: now)
    #expect(
      blind.answered("p1", page(8, 1, gap: true), now: now).prefix(2)
        == [.purgeEverythingSoftly, .openFence])
    var forgotten = follower()
    _ = forgotten.tick(now)
    _ = forgotten.answered("p0", page(1, 90, gap: true, forgotten: true), now: now)
    #expect(forgotten.answered("p1", page(2, 6), now: now).first == .purgeEverythingSoftly)
  }

  @Test("Later one is asked each second, in turn; one that has forgotten makes everything stale")
  func later() {
    var follower = follower()
    _ = follower.tick(now)
    _ = follower.answered("p0", page(1, 7), now: now)
    let actions = follower.answered("p1", page(2, 9), now: now)
    #expect(actions.last == .ask("p0", after: PurgeCursor(epoch: 1, sequence: 7)))
    #expect(follower.answered("p0", page(1, 7), now: now) == [])
    #expect(follower.tick(now.adding(milliseconds: 999)) == [])
    #expect(
      follower.tick(now.adding(milliseconds: 1000))
        == [.ask("p1", after: PurgeCursor(epoch: 2, sequence: 9))])
    #expect(
      follower.answered("p1", page(2, 90, gap: true, forgotten: true), now: now)
        == [.purgeEverythingSoftly])
    #expect(
      follower.failed("p9", now: now) == [] && follower.answered("p9", page(1, 1), now: now) == [])
  }
}
