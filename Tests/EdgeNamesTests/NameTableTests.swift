import EdgeSocket
import Glibc
import Testing

@testable import EdgeNames

/// Nanoseconds.
func seconds(_ count: Double) -> Int64 { Int64(count * 1e9) }

/// IPv4 addresses of the documentation, by their last number.
func addresses(_ numbers: UInt8...) -> [InternetAddress] {
  numbers.compactMap { InternetAddress(bytes: [192, 0, 2, $0]) }
}

@Suite("What is known of names")
struct NameTableTests {
  /// A table with one name and a clock, told in words.
  private struct Scene {
    var table: NameTable<Int>
    var number: UInt64 = 0
    private var nextWaiter = 0

    init(_ change: (inout NameLimits) -> Void = { _ in }) {
      var limits = NameLimits()
      change(&limits)
      table = NameTable(limits: limits)
    }

    /// What who asks is told: addresses or a problem, `waits`, and `looks up` if that begins.
    mutating func ask(_ time: Double, _ name: String = "a.example") -> String {
      nextWaiter += 1
      let asked = table.ask(name, now: seconds(time), waiter: nextWaiter)
      if let begins = asked.begins { number = begins }
      return [asked.outcome.map(told) ?? "waits", asked.begins.map { _ in "looks up" }]
        .compactMap { $0 }.joined(separator: ", ")
    }

    /// What those who waited are told when the look-up that was begun last ends.
    mutating func answer(
      _ time: Double, _ answer: NameAnswer, isLast: Bool = true, _ name: String = "a.example",
      chance: Double = 0
    ) -> String {
      told(
        table.answered(
          name, number: number, answer, isLast: isLast, now: seconds(time), chance: chance))
    }

    /// What the operator is told.
    mutating func notices() -> [NameNotice] { table.takeNotices() }

    mutating func pass(_ time: Double) -> String { told(table.timePassed(seconds(time))) }

    mutating func stop(_ time: Double) -> String { told(table.stop(now: seconds(time))) }

    private func told(_ outcome: NameTable<Int>.Outcome) -> String {
      switch outcome {
      case .success(let addresses): addresses.map { "\($0.bytes[3])" }.joined(separator: " ")
      case .failure(let problem): problem.described("a.example")
      }
    }

    private mutating func told(_ actions: [NameTable<Int>.Action]) -> String {
      var words: [String] = []
      for action in actions {
        switch action {
        case .lookUp(_, let number):
          self.number = number
          words.append("looks up")
        case .answer(let waiters, let outcome):
          words.append("\(waiters.sorted()): \(told(outcome))")
        }
      }
      return words.joined(separator: ", ")
    }
  }

  private func found(_ numbers: UInt8..., lifetime: Double = 60) -> NameAnswer {
    .addresses(
      numbers.compactMap { InternetAddress(bytes: [192, 0, 2, $0]) }, lifetime: seconds(lifetime))
  }

  private static let unknown = "a.example has no address"
  private static let silent = "no name server has answered in time for a.example"

  @Test(
    "That name servers fail is told once, where what they said before is used, and that they answer again"
  )
  func notices() {
    var scene = Scene()
    _ = scene.ask(0)
    _ = scene.answer(0, .problem(.timeout))
    #expect({ scene.notices() }() == [], "there is nothing from before; whoever asks is told")
    #expect(scene.table.failing.map(\.isKnown) == [false])
    _ = scene.pass(10)
    _ = scene.ask(10)
    _ = scene.answer(10, .addresses(addresses(1), lifetime: seconds(60)))
    #expect({ scene.notices() }() == [])
    #expect(scene.table.failing.isEmpty)
    for time in [100.0, 200, 300] {
      _ = scene.ask(time)
      _ = scene.answer(time, .problem(.timeout))
      let told = scene.notices()
      #expect(told == (time == 100 ? [.fails("a.example", .timeout)] : []))
    }
    #expect(scene.table.failing.map(\.isKnown) == [true])
    _ = scene.ask(400)
    _ = scene.answer(400, .addresses(addresses(2), lifetime: seconds(60)))
    #expect({ scene.notices() }() == [.answers("a.example")])
    #expect(scene.table.failing.isEmpty)
  }

  @Test("One look-up serves all who wait, and then all who ask until its lifetime ends")
  func oneLookup() {
    var scene = Scene()
    #expect(scene.ask(0) == "waits, looks up")
    #expect(scene.ask(0.1) == "waits")
    #expect(scene.ask(0.2) == "waits")
    #expect(scene.answer(0.3, found(1, 2)) == "[1, 2, 3]: 1 2")
    #expect(scene.ask(0.4) == "1 2")
    #expect(scene.ask(60.2) == "1 2")
    #expect(scene.ask(60.3) == "waits, looks up")
    #expect(scene.table.statistics.lookups == 2)
  }

  @Test("Names do not wait for each other")
  func names() {
    var scene = Scene()
    #expect(scene.ask(0, "silent.example") == "waits, looks up")
    #expect(scene.ask(0, "b.example") == "waits, looks up")
    #expect(scene.answer(0, found(7), "b.example") == "[2]: 7")
    #expect(scene.ask(1, "b.example") == "7")
    #expect(scene.table.statistics.kept == 2)
  }

  @Test(
    "A lifetime is from a second to an hour, whatever an answer says",
    arguments: [
      (0, 1), (0.5, 1), (1, 1), (6, 6), (3599, 3599), (3600, 3600), (86_400, 3600),
      (2_147_483_647, 3600),
    ])
  func lifetime(said: Double, kept: Double) {
    var scene = Scene()
    _ = scene.ask(0)
    _ = scene.answer(0, found(1, lifetime: said))
    #expect(scene.ask(kept - 0.001) == "1")
    #expect(scene.ask(kept) == "waits, looks up")
  }

  @Test(
    "A name that is in use is looked up before its answer ends, at a moment of chance",
    arguments: [(0.0, 48.0), (0.5, 52.5), (0.9999, 56.9)])
  func ahead(chance: Double, due: Double) throws {
    var scene = Scene()
    _ = scene.ask(0)
    _ = scene.answer(0, found(1), chance: chance)
    #expect(abs(try #require(scene.table.nextDue) - seconds(due)) < seconds(0.1))
    #expect(scene.pass(due - 0.2) == "")
    #expect(scene.pass(due + 0.2) == "looks up")
    // Meanwhile what is known is used, by nobody else's leave.
    #expect(scene.ask(59) == "1")
    #expect(scene.answer(59, found(2)) == "")
    #expect(scene.ask(60) == "2")
  }

  @Test("A name that nobody asks for is not looked up, and is forgotten a day after its end")
  func unused() {
    var scene = Scene()
    _ = scene.ask(0)
    _ = scene.answer(0, found(1, lifetime: 3600))
    #expect(scene.pass(3000) == "")
    #expect(scene.table.nextDue == nil)
    #expect(scene.ask(3500) == "1")
    #expect(scene.ask(3601) == "waits, looks up")
    _ = scene.answer(3601, .problem(.timeout))
    #expect(scene.pass(3600 + 86_401) == "")
    #expect(scene.table.statistics.kept == 0)
  }

  @Test(
    "Name servers that fail leave what is known in use, for a day past its lifetime (RFC 8767 §4)",
    arguments: [
      LookupProblem.timeout, .server("SERVFAIL"), .server("refused"), .local(EMFILE),
    ])
  func stale(problem: LookupProblem) {
    var scene = Scene()
    _ = scene.ask(0)
    _ = scene.answer(0, found(1))
    #expect(scene.ask(61) == "waits, looks up")
    #expect(scene.answer(61.1, .problem(problem)) == "[2]: 1")
    #expect(scene.ask(61.2) == "1")
    #expect(scene.table.statistics.staleUses == 2)
    let end = 60.0 + 86_400
    // It was not asked for in between: who asks now does not wait, but has it looked up.
    #expect(scene.ask(end - 1) == "1, looks up")
    #expect(scene.answer(end - 0.9, .problem(problem)) == "")
    #expect(scene.ask(end) == problem.described("a.example"))
  }

  @Test("Who asks for what is past its lifetime waits half a second for something better")
  func patience() {
    var scene = Scene()
    _ = scene.ask(0)
    _ = scene.answer(0, found(1))
    #expect(scene.ask(70) == "waits, looks up")
    #expect(scene.ask(70.2) == "waits")
    #expect(scene.pass(70.4) == "")
    #expect(scene.pass(70.5) == "[2, 3]: 1")
    #expect(scene.ask(70.6) == "1")
    #expect(scene.answer(70.7, found(2)) == "")
    #expect(scene.ask(70.8) == "2")
  }

  @Test("That there is no such name, or no address, ends the use of what was known (RFC 8767 §4)")
  func noName() {
    var scene = Scene()
    _ = scene.ask(0)
    _ = scene.answer(0, found(1))
    #expect(scene.pass(48) == "looks up")
    #expect(scene.answer(48, .problem(.noAddress)) == "")
    #expect(scene.ask(49) == Self.unknown)
    #expect(scene.ask(51) == "waits, looks up")
    // A failure after that has nothing to go back to.
    #expect(scene.answer(51, .problem(.timeout)) == "[3]: \(Self.silent)")
  }

  @Test(
    "What failed is asked again after 3 s, twice as long each time, up to 30 s",
    arguments: [LookupProblem.noAddress, .timeout, .server("SERVFAIL")], [0.0, 0.9999])
  func retry(problem: LookupProblem, chance: Double) {
    var scene = Scene()
    _ = scene.ask(0)
    var time = 0.0
    for pause in [3.0, 6, 12, 24, 30, 30, 30] {
      _ = scene.answer(time, .problem(problem), chance: chance)
      let due = time + pause * (1 + chance / 4)
      #expect(scene.ask(due - 0.1) == problem.described("a.example"))
      #expect(scene.pass(due - 0.1) == "")
      #expect(scene.pass(due + 0.1) == "looks up")
      time = due + 0.1
    }
    #expect(scene.table.statistics.failing == 1)
    _ = scene.answer(time, found(4))
    #expect(scene.ask(time) == "4")
    #expect(scene.table.statistics.failing == 0)
    // It begins anew.
    #expect(scene.pass(time + 50) == "looks up")
    _ = scene.answer(time + 50, .problem(problem))
    #expect(scene.table.nextDue == seconds(time + 53))
  }

  @Test("What this machine lacked is tried again after a second, each time")
  func local() {
    var scene = Scene()
    _ = scene.ask(0)
    for time in 0..<5 {
      _ = scene.answer(Double(time), .problem(.local(EMFILE)), chance: 0.5)
      #expect(scene.pass(Double(time) + 0.9) == "")
      #expect(scene.pass(Double(time) + 1) == "looks up")
    }
  }

  @Test("A part of an answer is used at once, and its rest when it comes")
  func parts() {
    var scene = Scene()
    _ = scene.ask(0)
    #expect(scene.answer(0.1, found(1), isLast: false) == "[1]: 1")
    #expect(scene.ask(0.2) == "1")
    #expect(scene.answer(0.3, found(9, 1)) == "")
    #expect(scene.ask(0.4) == "9 1")
    #expect(scene.table.statistics.lookups == 1)
  }

  @Test("An answer to another look-up changes nothing")
  func strays() {
    var scene = Scene()
    _ = scene.ask(0)
    let answer = found(6)
    #expect(
      scene.table.answered("a.example", number: 99, answer, now: 1, chance: 0).isEmpty)
    #expect(scene.table.answered("b.example", number: 1, answer, now: 1, chance: 0).isEmpty)
    #expect(scene.answer(2, found(1)) == "[1]: 1")
    #expect(scene.answer(3, found(2)) == "")
    #expect(scene.ask(4) == "1")
  }

  @Test("A full table forgets the name that was asked for longest ago, but none that is looked up")
  func full() {
    var scene = Scene { $0.names = 3 }
    for (time, name) in ["a", "b", "c"].enumerated() {
      _ = scene.ask(Double(time), name)
      _ = scene.answer(Double(time), found(1), name)
    }
    _ = scene.ask(3, "a")
    #expect(scene.ask(4, "d") == "waits, looks up")
    #expect(scene.ask(4, "a") == "1")
    #expect(scene.ask(5, "c") == "1")
    // Instead of b the table has d now; a is the next.
    #expect(scene.ask(6, "b") == "waits, looks up")
    #expect(scene.ask(6, "c") == "1")
    #expect(scene.ask(7, "a") == "waits, looks up")
    #expect(scene.ask(7, "e") == "a.example was not looked up: too many names at a time")
    #expect(scene.table.statistics.kept == 3)
  }

  @Test("A name whose addresses do not answer is looked up, unless it was a moment ago")
  func doubt() {
    var scene = Scene()
    _ = scene.ask(0)
    #expect(scene.table.doubt("a.example", now: seconds(10)) == nil, "it runs")
    _ = scene.answer(0, found(1, lifetime: 3600))
    #expect(scene.table.doubt("a.example", now: seconds(2.9)) == nil)
    #expect(scene.table.doubt("b.example", now: seconds(3)) == nil)
    let number = scene.table.doubt("a.example", now: seconds(3))
    #expect(number == 2)
    #expect(scene.ask(3) == "1")
    scene.number = 2
    #expect(scene.answer(4, found(2)) == "")
    #expect(scene.ask(4) == "2")
  }

  @Test("Once nothing is looked up any more nobody waits: neither who did, nor who comes later")
  func stop() {
    var scene = Scene()
    let stopped = "the name servers fail for a.example: the resolver has stopped"
    _ = scene.ask(0, "known")
    _ = scene.answer(0, .addresses(addresses(1), lifetime: seconds(10)), "known")
    #expect(scene.ask(1, "a.example") == "waits, looks up")
    #expect(scene.ask(1, "a.example") == "waits")
    #expect(scene.stop(2) == "[2, 3]: \(stopped)")
    // What was asked for in between is not begun by anybody.
    #expect(scene.ask(3, "a.example") == stopped)
    #expect(scene.ask(3, "b.example") == stopped)
    #expect(scene.ask(9, "known") == "1")
    #expect(scene.ask(11, "known") == "1")
    #expect(scene.table.doubt("known", now: seconds(500)) == nil)
    #expect(scene.answer(12, .addresses(addresses(2), lifetime: seconds(10))) == "")
    #expect(scene.pass(20) == "")
    #expect(scene.table.nextDue == nil)
  }

  @Test("Other name servers are asked at once about what failed")
  func otherServers() {
    var scene = Scene()
    _ = scene.ask(0)
    for time in [0.0, 10, 20, 40] {
      _ = scene.answer(time, .problem(.timeout))
      if time < 40 { #expect(scene.pass(time + 15).hasPrefix("looks up")) }
    }
    scene.table.serversChanged(now: seconds(41))
    #expect(scene.table.nextDue == seconds(41))
    #expect(scene.pass(41) == "looks up")
    _ = scene.answer(41, .problem(.timeout))
    #expect(scene.table.nextDue == seconds(44))
  }
}
