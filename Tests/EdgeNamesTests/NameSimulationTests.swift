import EdgeSocket
import Seeds
import Testing

@testable import EdgeNames

// Hours of many names from a seed, with name servers that answer, are slow or silent, fail, and change their
// minds. Beside the table is a plain list of what was answered when, and after each event it must be true that:
// nobody waits for longer than a look-up takes, no answer is used past its lifetime and a day, none after its owner
// has taken it back, a name is looked up once at a time and not too often, and while name servers are well nobody
// waits for a name that is in use.

@Suite("Histories of names")
struct NameSimulationTests {
  private struct Pending {
    let name: String
    let number: UInt64
    let ends: Int64
    let answer: NameAnswer
  }

  /// What a plain list knows of a name.
  private struct Known {
    var addresses: [InternetAddress] = []
    var usableUntil = Int64.min
    var lastBegun: Int64?
    var isLookedUp = false
    var lastAsked = Int64.min
  }

  @Test("hold what the table promises", arguments: 0..<60)
  func history(seed: UInt64) {
    var chance = SeededRandom(seed: seed)
    var limits = NameLimits()
    limits.names = Int.random(in: 3...12, using: &chance)
    var table = NameTable<Int>(limits: limits)
    let names = (0..<Int.random(in: 1...12, using: &chance)).map { "n\($0).example" }
    var (now, nextWaiter): (Int64, Int) = (0, 0)
    var pending: [Pending] = []
    var known: [String: Known] = [:]
    var waiting: [Int: (name: String, since: Int64)] = [:]
    // How name servers are at present; each hour or so they become another way.
    var mood = 0

    func check(_ isSo: Bool, _ what: String) {
      if !isSo { Issue.record("seed \(seed), \(now / 1_000_000) ms: \(what)") }
    }
    func begin(_ name: String, _ number: UInt64) {
      let before = known[name, default: Known()]
      check(!before.isLookedUp, "\(name) is looked up twice at a time")
      known[name, default: Known()].isLookedUp = true
      known[name, default: Known()].lastBegun = now
      let lifetime = seconds(Double(Int.random(in: 0...7200, using: &chance)))
      let answer: NameAnswer =
        switch (mood, Int.random(in: 0..<10, using: &chance)) {
        case (0, _), (1, 0..<5):
          .addresses(
            (0..<UInt8.random(in: 1...3, using: &chance)).compactMap {
              InternetAddress(bytes: [10, UInt8.random(in: 0...255, using: &chance), 0, $0])
            }, lifetime: lifetime)
        case (1, 5): .problem(.noAddress)
        case (1, 6...7), (2, 0..<5): .problem(.server("SERVFAIL"))
        default: .problem(.timeout)
        }
      let takes: Double =
        answer == .problem(.timeout)
        ? 5 : Double.random(in: 0.001...(mood == 0 ? 0.05 : 4.9), using: &chance)
      pending.append(
        Pending(name: name, number: number, ends: now + seconds(takes), answer: answer))
    }
    func uses(_ name: String, _ outcome: NameTable<Int>.Outcome) {
      guard case .success(let addresses) = outcome else { return }
      let entry = known[name, default: Known()]
      check(addresses == entry.addresses, "\(name): other addresses than the last ones")
      check(now < entry.usableUntil, "\(name): used past its time")
    }
    func carryOut(_ actions: [NameTable<Int>.Action]) {
      for action in actions {
        switch action {
        case .lookUp(let name, let number): begin(name, number)
        case .answer(let waiters, let outcome):
          for waiter in waiters {
            guard let wait = waiting.removeValue(forKey: waiter) else {
              check(false, "somebody is answered twice")
              continue
            }
            uses(wait.name, outcome)
          }
        }
      }
    }

    for _ in 0..<3000 {
      // The next moment: an answer, something that is due, or somebody who asks.
      let asks = now + seconds(Double.random(in: 0...40, using: &chance))
      let ends = pending.map(\.ends).min() ?? .max
      let due = table.nextDue ?? .max
      now = max(now, min(asks, ends, due))
      if Int.random(in: 0..<150, using: &chance) == 0 {
        mood = Int.random(in: 0..<3, using: &chance)
      }
      if due <= now {
        carryOut(table.timePassed(now))
        check((table.nextDue ?? .max) > now, "something is due that was just done")
      }
      for (index, ended) in pending.enumerated().reversed() where ended.ends <= now {
        pending.remove(at: index)
        var entry = known[ended.name, default: Known()]
        entry.isLookedUp = false
        switch ended.answer {
        case .addresses(let addresses, let lifetime):
          let kept = min(max(lifetime, limits.lifetime.lowerBound), limits.lifetime.upperBound)
          (entry.addresses, entry.usableUntil) = (addresses, now + kept + limits.stale)
        case .problem(.noAddress): (entry.addresses, entry.usableUntil) = ([], .min)
        case .problem: break
        }
        known[ended.name] = entry
        carryOut(
          table.answered(
            ended.name, number: ended.number, ended.answer, now: now,
            chance: Double.random(in: 0..<1, using: &chance)))
      }
      if asks <= now, let name = names.randomElement(using: &chance) {
        nextWaiter += 1
        let asked = table.ask(name, now: now, waiter: nextWaiter)
        known[name, default: Known()].lastAsked = now
        if let number = asked.begins { begin(name, number) }
        if let outcome = asked.outcome {
          uses(name, outcome)
        } else {
          waiting[nextWaiter] = (name, now)
        }
      }
      for wait in waiting.values {
        check(now - wait.since <= seconds(5), "\(wait.name): somebody waits for too long")
      }
      check(table.statistics.kept <= limits.names, "too many names")
    }
  }

  @Test("Nobody waits for a name in use, while name servers are well", arguments: 0..<20)
  func neverWaits(seed: UInt64) {
    var chance = SeededRandom(seed: seed)
    var table = NameTable<Int>()
    let lifetime = seconds(Double(Int.random(in: 2...300, using: &chance)))
    let takes = seconds(0.2)
    var now: Int64 = 0
    var running: (number: UInt64, ends: Int64)?
    var begun: [Int64] = []
    var isKnown = false
    func begin(_ number: UInt64) {
      running = (number, now + takes)
      begun.append(now)
    }
    for _ in 0..<2000 {
      let asks = now + seconds(Double.random(in: 0...1, using: &chance))
      now = min(asks, running?.ends ?? .max, table.nextDue ?? .max)
      if let run = running, run.ends == now {
        running = nil
        isKnown = true
        _ = table.answered(
          "a", number: run.number, .addresses(addresses(1), lifetime: lifetime), now: now,
          chance: Double.random(in: 0..<1, using: &chance))
      }
      for case .lookUp(_, let number) in table.timePassed(now) { begin(number) }
      guard asks == now else { continue }
      let asked = table.ask("a", now: now, waiter: 0)
      if let number = asked.begins { begin(number) }
      if asked.outcome == nil, isKnown { Issue.record("seed \(seed): somebody waits") }
    }
    #expect(table.statistics.staleUses == 0)
    // And it is asked for no oftener than its lifetime wants.
    for (one, next) in zip(begun, begun.dropFirst()) {
      #expect(next - one >= Int64(Double(max(lifetime, seconds(5))) * 0.8))
    }
  }
}
