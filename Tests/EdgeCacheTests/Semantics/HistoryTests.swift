import Testing

@testable import EdgeCache

/// The behaviour of a cache as histories, one suite function for each table.
@Suite struct HistoryTests {
  @Test(arguments: Histories.cacheControl) func cacheControl(_ history: History) throws {
    try Player.check(history)
  }

  @Test(
    arguments: Histories.lifetimes + Histories.statuses + Histories.ages + Histories.hashedURLs)
  func freshness(_ history: History) throws {
    try Player.check(history)
  }

  @Test(
    arguments: Histories.storage + Histories.authorization + Histories.cookies
      + Histories.dictionaries + Histories.connectionBound)
  func storage(_ history: History) throws {
    try Player.check(history)
  }

  @Test(arguments: Histories.vary) func vary(_ history: History) throws {
    try Player.check(history)
  }

  @Test(arguments: Histories.requestDirectives + Histories.immutable)
  func requestDirectives(_ history: History) throws {
    try Player.check(history)
  }

  @Test(
    arguments: Histories.conditions + Histories.ranges + Histories.rangesOfCodings + Histories.heads
  )
  func conditions(_ history: History) throws {
    try Player.check(history)
  }

  @Test(arguments: Histories.validation + Histories.failures)
  func validation(_ history: History) throws {
    try Player.check(history)
  }

  @Test(arguments: Histories.invalidation) func invalidation(_ history: History) throws {
    try Player.check(history)
  }

  @Test(arguments: Histories.forwarding + Histories.cacheStatus)
  func forwarding(_ history: History) throws {
    try Player.check(history)
  }

  @Test(
    arguments: Histories.targeted + Histories.qualified + Histories.siteChoices
      + Histories.staleness)
  func control(_ history: History) throws {
    try Player.check(history)
  }

  @Test(arguments: Histories.parts + Histories.multipart + Histories.changedRanges)
  func parts(_ history: History) throws {
    try Player.check(history)
  }

  @Test(
    arguments: Histories.selecting + Histories.headFreshening + Histories.groups
      + Histories.queries + Histories.loops)
  func extensions(_ history: History) throws {
    try Player.check(history)
  }

  /// Names are what failures are found by.
  @Test func namesAreUnique() {
    var seen: Set<String> = []
    for history in Histories.all {
      #expect(seen.insert(history.testDescription).inserted, "\(history.testDescription)")
    }
  }
}

extension Histories {
  static let all: [History] =
    cacheControl + lifetimes + statuses + ages + hashedURLs + storage + authorization + cookies
    + dictionaries + vary + requestDirectives + immutable + conditions + ranges + heads + validation
    + failures
    + invalidation + forwarding + cacheStatus + targeted + qualified + siteChoices + staleness
    + connectionBound + rangesOfCodings + changedRanges + parts + multipart + selecting
    + headFreshening + groups + queries + loops
}
