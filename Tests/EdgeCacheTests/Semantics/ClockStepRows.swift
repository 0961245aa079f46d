import Seeds
import Testing

@testable import EdgeCache

// The wall clock is set while responses are stored: durations do not follow it, and what comes from then on is
// compared with it as it is.

/// The same history with the clock set by `step` after the first exchange.
private func rows(_ step: Int64) -> [CachingRow] {
  let way = step < 0 ? "back" : "forth"
  func row(_ name: String, _ section: String, _ first: CachingStep, _ rest: CachingStep...)
    -> CachingRow
  {
    var steps = [first] + rest
    steps[1] = steps[1].afterClockStep(step)
    return CachingRow("\(name), set \(way) \(abs(step)) s", section, steps)
  }
  func lives(_ name: String, _ section: String, _ reply: String) -> CachingRow {
    row(
      name, section, ask("", reply, "fwd=uri-miss stored ttl=60"),
      hit("+30", "hit ttl=30 age:30"), hit("+29", "hit ttl=1 age:59"),
      ask("+1", "200↵Cache-Control: no-store", "fwd=stale"))
  }
  return [
    lives("max-age", "§4.2.3", "200↵Cache-Control: max-age=60"),
    lives("s-maxage", "§4.2.3", "200↵Cache-Control: s-maxage=60"),
    lives("Expires", "§4.2.3", "200↵Expires: {60}"),
    lives("a guess from Last-Modified", "§4.2.2", "200↵Last-Modified: {-600}"),
    row(
      "Age that it came with", "§4.2.3",
      ask("", "200↵Cache-Control: max-age=60↵Age: 20", "stored ttl=40"),
      hit("+39", "hit ttl=1 age:59"), ask("+1", "200↵Cache-Control: no-store", "fwd=stale")),
    row(
      "stale-while-revalidate", "5861 §3",
      ask("", "200↵Cache-Control: max-age=10, stale-while-revalidate=20", "stored ttl=10"),
      hit("+15", "hit ttl=-5 detail=stale-while-revalidate"),
      hit("+15", "hit ttl=-20 detail=stale-while-revalidate"),
      ask("+1", "200↵Cache-Control: no-store", "fwd=stale")),
    row(
      "stale-if-error", "5861 §4",
      ask("", "200↵Cache-Control: max-age=10, stale-if-error=20", "stored ttl=10"),
      ask("+15", "fail:connect-failed", "200 ttl=-5"),
      ask("+15", "fail:connect-failed", "200 ttl=-20"),
      ask("+1", "fail:connect-failed", "502")),
    row(
      "what a request accepts", "§5.2.1",
      ask("", "200↵Cache-Control: max-age=60", "stored ttl=60"),
      hit("+30 GET /↵Cache-Control: max-age=30", "hit age:30"),
      ask("+1 GET /↵Cache-Control: max-age=30", "200↵Cache-Control: max-age=60", "fwd=request")),
    row(
      "a validation", "§4.3.4",
      ask("", "200↵Cache-Control: max-age=60↵ETag: \"a\"", "stored"),
      ask("+60", "304↵Cache-Control: max-age=60↵ETag: \"a\"↵-date", "200 ttl=60"),
      hit("+59", "hit ttl=1"), ask("+1", "200↵Cache-Control: no-store", "fwd=stale")),
    row(
      "negative answers", "§4.2.2",
      ask("", "404↵Cache-Control: max-age=60", "404 stored ttl=60"),
      hit("+59", "404 hit ttl=1"), ask("+1", "404↵Cache-Control: no-store", "fwd=stale")),
  ]
}

let clockStepRows: [CachingRow] =
  [-3600, 3600, -86_400, 86_400, -1, 1, -1_000_000_000, 1_000_000_000].flatMap(rows) + [
    CachingRow(
      "a clock that is an hour ahead makes what comes an hour old", "§4.2.3",
      ask("", "200↵Cache-Control: max-age=3660", "stored ttl=60").afterClockStep(3600),
      hit("+59", "hit ttl=1 age:3659"), ask("+1", "200↵Cache-Control: no-store", "fwd=stale")),
    CachingRow(
      "a clock that is an hour behind makes nothing younger than it is", "§4.2.3",
      ask("", "200↵Cache-Control: max-age=60↵Age: 20", "stored ttl=40").afterClockStep(-3600),
      hit("+39", "hit ttl=1 age:59"), ask("+1", "200↵Cache-Control: no-store", "fwd=stale")),
    CachingRow(
      "a time that lies behind Date by Expires, whatever the clock shows", "§4.2.1",
      ask("", "200↵Expires: {60}", "stored ttl=60").afterClockStep(-3600),
      hit("+59", "hit ttl=1").afterClockStep(7200),
      ask("+1", "200↵Cache-Control: no-store", "fwd=stale")),
    CachingRow(
      "Date is written by the clock as it is", "9110 §6.6.1",
      ask(
        "", "200↵Cache-Control: max-age=60↵-date",
        "stored date:Wed,_15_Nov_2023_00:13:20_GMT"
      ).afterClockStep(7200)),
  ]

@Suite("The wall clock is set")
struct ClockStepTests {
  @Test("Rows of histories", arguments: clockStepRows)
  func rows(row: CachingRow) { row.run() }

  private static let steps: [Int64] = [-3_600_000, 3_600_000, -86_400_000, 86_400_000]

  private func stepped(_ now: Instant, _ seconds: Int64, _ step: Int64) -> Instant {
    var later = now.adding(seconds: seconds)
    later.wallOffset += step
    return later
  }

  @Test("The time to a response is what passed", arguments: steps)
  func delay(step: Int64) {
    let head = CoreExchange.parseResponse("HTTP/1.1 200 OK↵Cache-Control: max-age=60↵Age: 7")
    let sent = Instant(seconds: 1_700_000_000)
    let freshness = Freshness(
      head, directives: ResponseDirectives(head.fields, policy: SitePolicy()),
      policy: SitePolicy(), requestTime: sent, responseTime: stepped(sent, 5, step),
      hashedURL: .none)
    #expect(freshness.initialAge == 12)
  }

  @Test("A mark as hit-for-miss lasts as long as it was to", arguments: steps)
  func hitForMiss(step: Int64) {
    let key = CacheKey(url: "http://a.example/".utf8, secret: HashSecret(1, 2))!
    let now = Instant(seconds: 1_700_000_000)
    var marks = HitForMiss(limit: 8, seconds: 120...120)
    marks.mark(key, now: now)
    #expect(marks.contains(key, now: stepped(now, 119, step)))
    #expect(!marks.contains(key, now: stepped(now, 120, step)))
  }

  @Test("An upstream is left out as long as it was to be", arguments: steps)
  func holdDown(step: Int64) {
    let now = Instant(seconds: 1_700_000_000)
    var health = UpstreamHealth(count: 1)
    health.failed(0, now: now)
    #expect(health.isHeldDown(0, now: stepped(now, 0, step)))
    #expect(!health.isHeldDown(0, now: stepped(now, 1, step)))
  }

  @Test("Idle connections are kept as long as they were to be", arguments: steps)
  func pool(step: Int64) {
    final class Connection {}
    let now = Instant(seconds: 1_700_000_000)
    var places = PlaceLedger(limit: 2)
    var pool = ConnectionPool<Connection, Connection>(queueLimit: 0)
    let lease = pool.lease(Connection(), now: now, &places)
    guard case .connect = lease else { return #expect(Bool(false)) }
    _ = pool.release(Connection(), now: now, &places)
    #expect(pool.expire(idleSince: stepped(now, -1, step)).isEmpty && pool.idleCount == 1)
    #expect(pool.expire(idleSince: stepped(now, 1, step)).count == 1)
  }

  @Test("Purges are remembered as long as they were to be", arguments: steps)
  func journal(step: Int64) {
    let week = JournalLimits().age
    let now = Instant(seconds: 1_700_000_000)
    var journal = PurgeJournal()
    journal.append(
      JournalEntry(
        sequence: 1, id: PurgeID(milliseconds: 1, number: 1), time: now, message: []))
    journal.expire(stepped(now, week / 1000, step))
    #expect(journal.count == 1)
    journal.expire(stepped(now, week / 1000 + 1, step))
    #expect(journal.count == 0)
  }

  @Test("Names of purges ascend, whatever the clock shows")
  func names() {
    var names = PurgeNames()
    var last = PurgeID(milliseconds: 0, number: 0)
    for time: Int64 in [1000, 1000, 500, -7, 2000, 1999, 2000, 2001] {
      let next = names.next(WallTime(milliseconds: time), number: UInt64(time & 7))
      #expect(last < next)
      last = next
    }
    #expect(last.milliseconds == 2003)
  }

  /// Random histories of one URL each: no answer from memory is older than it may be, by a clock that goes right,
  /// and none that may be used is asked for again.
  @Test("Random steps of the clock", arguments: 1...50 as ClosedRange<UInt64>)
  func simulation(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let world = CoreWorld()
    struct Made {
      /// Milliseconds.
      var at: Int64
      var age: Int64
      var lifetime: Int64
      var window: Int64
    }
    var made: [Made?] = Array(repeating: nil, count: 4)
    for _ in 0..<400 {
      world.now = world.now.adding(milliseconds: Int64(random.below(20_000)))
      if random.below(4) == 0 {
        world.now.wallOffset =
          [0, 3_600_000, -3_600_000, Int64(random.below(2_000_000)) - 1_000_000][random.below(4)]
      }
      let page = random.below(made.count)
      let exchange = world.begin("GET /\(page) HTTP/1.1↵Host: a.example")
      let now = world.now.milliseconds
      if !exchange.awaitsUpstream {
        guard let entry = made[page] else {
          Issue.record("seed \(seed): an answer from nowhere")
          return
        }
        let age = entry.age + (now - entry.at) / 1000
        #expect(age <= entry.lifetime + entry.window, "seed \(seed): \(age) s, \(entry)")
        #expect(exchange.received.text == "\(entry.at)")
        for validation in world.background where validation.awaitsUpstream {
          validation.upstreamFails(.connect)
        }
        world.background = []
        continue
      }
      if let entry = made[page] {
        let age = entry.age + (now - entry.at) / 1000
        #expect(age >= entry.lifetime, "seed \(seed): asked again after \(age) s, \(entry)")
      }
      let entry = Made(
        at: now, age: Int64(random.below(20)), lifetime: Int64(30 + random.below(100)),
        window: Int64(random.below(30)))
      // Without a Date, so that no clock but its own says how old it is.
      exchange.answer(
        "HTTP/1.1 200 OK↵Age: \(entry.age)↵Cache-Control: max-age=\(entry.lifetime), "
          + "stale-while-revalidate=\(entry.window)↵Content-Length: 13", "\(entry.at)")
      made[page] = entry
    }
  }
}
