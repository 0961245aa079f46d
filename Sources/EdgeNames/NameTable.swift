import EdgeSocket

// What is known of names, as a pure state machine: events in, what is to be done out; time and chance come in.
//
// An answer is used for its lifetime. Before that ends the name is looked up again, if it is still asked for, so
// that nobody waits. What happens when that fails follows RFC 8767:
//
//   a name server says         | what was known             | asked again after
//   ---------------------------+----------------------------+----------------------------------------
//   addresses                  | is replaced                | 80 to 95 % of their lifetime
//   no such name, or no address| is forgotten at once (§4:  | 3 s, doubled each time, up to 30 s
//                              | this is an answer too)     |
//   failure, refusal, nonsense,| is used on, for a day past | the same
//   nothing at all             | its lifetime               |
//
// "No such name" ends what was known because it is how an owner takes a host away: going on with an address that
// may belong to somebody else by then is worse than an error. That a name cannot be had at the moment is
// remembered until it is asked for again (RFC 9520), so a silent name server costs one question at a time.
//
// All who ask while a name is looked up wait for the same look-up. Nobody is forgotten: whoever waits is answered
// when the look-up ends, or before that out of what was known. Once nothing is looked up any more they are told
// so, and nobody begins to wait.

/// What is known of names, and who waits for one.
struct NameTable<Waiter> {
  /// What there is to say of a name.
  typealias Outcome = Result<[InternetAddress], LookupProblem>

  /// What is to be done after an event.
  enum Action {
    /// Look a name up, and say what came of it with this number.
    case lookUp(String, number: UInt64)
    /// Tell those who waited.
    case answer([Waiter], Outcome)
  }

  /// What who asks is told.
  struct Asked {
    /// What is known; nil for who has to wait, and is kept.
    var outcome: Outcome?
    /// The number of a look-up of the name that is to be begun.
    var begins: UInt64?
  }

  private struct Entry {
    var addresses: [InternetAddress] = []
    var expires = Int64.min
    /// How the last look-up failed, if it did.
    var problem: LookupProblem?
    var failures = 0
    /// True if it was told that name servers fail.
    var isTold = false
    /// When it is looked up again if it is in use; nil if it is not.
    var next: Int64?
    /// The look-up that runs.
    var lookup: UInt64?
    /// When the last look-up was begun.
    var asked: Int64?
    /// Until when those who ask wait for it although something is known.
    var patience: Int64?
    var waiters: [Waiter] = []
    var used = Int64.min

    /// True if an answer that is past its lifetime may be used at that moment.
    func isUsable(_ now: Int64, _ limits: NameLimits) -> Bool {
      !addresses.isEmpty && now < expires.adding(limits.stale)
    }
  }

  private let limits: NameLimits
  private var entries: [String: Entry] = [:]
  private var last: UInt64 = 0
  /// Nothing is looked up any more.
  private var isStopped = false
  private var counts = NameStatistics()
  private var notices: [NameNotice] = []

  /// A table that knows nothing.
  init(limits: NameLimits = NameLimits()) { self.limits = limits }

  /// What was counted. O(names).
  var statistics: NameStatistics {
    var statistics = counts
    statistics.kept = entries.count
    statistics.failing = entries.values.count { $0.problem != nil }
    return statistics
  }

  /// Names that could not be looked up the last time: why, and whether what was known is used. O(names).
  var failing: [(name: String, problem: LookupProblem, isKnown: Bool)] {
    entries.compactMap { name, entry in
      entry.problem.map { (name, $0, !entry.addresses.isEmpty) }
    }.sorted { $0.name < $1.name }
  }

  /// What there is to tell, each once.
  mutating func takeNotices() -> [NameNotice] {
    defer { notices = [] }
    return notices
  }

  /// When ``timePassed(_:)`` has something to do; nil if never. O(names).
  var nextDue: Int64? {
    var due: Int64?
    for entry in entries.values {
      let next = entry.lookup == nil ? entry.next : entry.patience
      if let next { due = min(due ?? next, next) }
    }
    return due
  }

  // MARK: Events

  /// Somebody needs the addresses of a name. O(1) on average.
  mutating func ask(_ name: String, now: Int64, waiter: @autoclosure () -> Waiter) -> Asked {
    if entries[name] == nil {
      guard makeRoom() else { return Asked(outcome: .failure(.tooManyNames)) }
      entries[name] = Entry()
    }
    return change(name) { table, entry in
      entry.used = max(entry.used, now)
      if !entry.addresses.isEmpty, now < entry.expires {
        return Asked(outcome: .success(entry.addresses))
      }
      let isUsable = entry.isUsable(now, table.limits)
      if table.isStopped {
        return Asked(outcome: isUsable ? .success(entry.addresses) : .failure(Self.stopped))
      }
      let mayWait = entry.lookup == nil ? entry.problem == nil : entry.patience != nil
      if isUsable, !mayWait {
        table.counts.staleUses += 1
        return Asked(outcome: .success(entry.addresses), begins: table.beginIfDue(&entry, now))
      }
      if let problem = entry.problem, !isUsable, entry.lookup == nil, let next = entry.next,
        now < next
      {
        return Asked(outcome: .failure(problem))
      }
      entry.waiters.append(waiter())
      return Asked(begins: entry.lookup == nil ? table.begin(&entry, now) : nil)
    }
  }

  /// Connections to what is known of a name fail: it may have moved. Returns the number of a look-up that is to be
  /// begun, unless the name was looked up a moment ago.
  mutating func doubt(_ name: String, now: Int64) -> UInt64? {
    guard !isStopped, let entry = entries[name], entry.lookup == nil, entry.problem == nil,
      let asked = entry.asked, now >= asked.adding(limits.retry.lowerBound)
    else { return nil }
    return change(name) { $0.begin(&$1, now) }
  }

  /// What came of a look-up; `chance` is 0..<1. There is more to come of it if it is not `isLast`.
  mutating func answered(
    _ name: String, number: UInt64, _ answer: NameAnswer, isLast: Bool = true, now: Int64,
    chance: Double
  ) -> [Action] {
    guard entries[name]?.lookup == number else { return [] }
    return change(name) { table, entry in
      if isLast {
        entry.lookup = nil
        entry.patience = nil
      }
      let waiters = entry.waiters
      entry.waiters = []
      let outcome: Outcome
      switch answer {
      case .addresses(let addresses, let lifetime):
        let (least, most) = (table.limits.lifetime.lowerBound, table.limits.lifetime.upperBound)
        let lifetime = min(max(lifetime, least), most)
        entry.addresses = addresses
        entry.expires = now.adding(lifetime)
        entry.next = now.adding(Int64(Double(lifetime) * (0.8 + 0.15 * chance)))
        (entry.problem, entry.failures) = (nil, 0)
        if entry.isTold { table.notices.append(.answers(name)) }
        entry.isTold = false
        outcome = .success(addresses)
      case .problem(let problem):
        table.counts.failures += 1
        entry.problem = problem
        entry.failures += 1
        entry.next = now.adding(table.pause(problem, entry.failures, chance))
        if case .noAddress = problem { entry.addresses = [] }
        if entry.isUsable(now, table.limits) {
          outcome = .success(entry.addresses)
          if !entry.isTold { table.notices.append(.fails(name, problem)) }
          entry.isTold = true
          if now >= entry.expires { table.counts.staleUses += UInt64(waiters.count) }
        } else {
          outcome = .failure(problem)
        }
      }
      return waiters.isEmpty ? [] : [.answer(waiters, outcome)]
    }
  }

  /// Some time has passed. O(names).
  mutating func timePassed(_ now: Int64) -> [Action] {
    var actions: [Action] = []
    for name in Array(entries.keys) {
      change(name) { table, entry in
        if let patience = entry.patience, patience <= now {
          entry.patience = nil
          if !entry.waiters.isEmpty, entry.isUsable(now, table.limits) {
            table.counts.staleUses += UInt64(entry.waiters.count)
            actions.append(.answer(entry.waiters, .success(entry.addresses)))
            entry.waiters = []
          }
        }
        guard entry.lookup == nil, let next = entry.next, next <= now else { return }
        if now <= entry.used.adding(table.limits.inUse) {
          actions.append(.lookUp(name, number: table.begin(&entry, now)))
        } else {
          entry.next = nil
        }
      }
      // What nobody asks for is forgotten when it is of no use any more.
      if let entry = entries[name], entry.lookup == nil, entry.next == nil,
        !entry.isUsable(now, limits)
      {
        entries[name] = nil
      }
    }
    return actions
  }

  /// Other name servers are asked from now on: what failed may be asked again at once.
  mutating func serversChanged(now: Int64) {
    for name in Array(entries.keys) where entries[name]?.problem != nil {
      change(name) { _, entry in
        entry.failures = 0
        if entry.next != nil { entry.next = now }
      }
    }
  }

  /// Nothing is looked up any more, whatever was begun. Whoever waits is told, and so is who comes later, unless
  /// something is known. O(names).
  mutating func stop(now: Int64) -> [Action] {
    isStopped = true
    var actions: [Action] = []
    for name in Array(entries.keys) {
      change(name) { table, entry in
        (entry.lookup, entry.patience, entry.next) = (nil, nil, nil)
        guard !entry.waiters.isEmpty else { return }
        let isUsable = entry.isUsable(now, table.limits)
        actions.append(
          .answer(entry.waiters, isUsable ? .success(entry.addresses) : .failure(Self.stopped)))
        entry.waiters = []
      }
    }
    return actions
  }

  /// What is said of names that cannot be looked up any more.
  static var stopped: LookupProblem { .server("the resolver has stopped") }

  // MARK: Steps

  private mutating func begin(_ entry: inout Entry, _ now: Int64) -> UInt64 {
    last += 1
    counts.lookups += 1
    entry.lookup = last
    entry.asked = now
    // Once it has failed nobody waits for it any more who can do without.
    entry.patience =
      entry.problem == nil && !entry.addresses.isEmpty ? now.adding(limits.patience) : nil
    return last
  }

  private mutating func beginIfDue(_ entry: inout Entry, _ now: Int64) -> UInt64? {
    guard entry.lookup == nil, entry.next.map({ $0 <= now }) ?? true else { return nil }
    return begin(&entry, now)
  }

  private func pause(_ problem: LookupProblem, _ failures: Int, _ chance: Double) -> Int64 {
    if case .local = problem { return limits.localRetry }
    let doubled = limits.retry.lowerBound << Int64(min(failures - 1, 16))
    let pause = min(doubled, limits.retry.upperBound)
    return pause.adding(Int64(Double(pause) * 0.25 * chance))
  }

  /// Makes room for another name; false if all are looked up at the moment. O(names) when the table is full.
  private mutating func makeRoom() -> Bool {
    guard entries.count >= limits.names else { return true }
    let idle = entries.filter { $0.value.lookup == nil }
    guard let oldest = idle.min(by: { $0.value.used < $1.value.used }) else { return false }
    entries[oldest.key] = nil
    return true
  }

  /// Changes an entry that is there, without a copy of what it has.
  private mutating func change<Value>(
    _ name: String, _ body: (inout Self, inout Entry) -> Value
  ) -> Value {
    guard let place = entries.index(forKey: name) else {
      preconditionFailure("a name that is not kept")
    }
    var entry = Entry()
    swap(&entry, &entries.values[place])
    defer { entries.values[place] = entry }
    return body(&self, &entry)
  }
}

extension Int64 {
  /// The sum, or the largest number if that is less.
  fileprivate func adding(_ other: Int64) -> Int64 {
    let (sum, overflows) = addingReportingOverflow(other)
    return overflows ? (other < 0 ? .min : .max) : sum
  }
}
