import EdgeSocket

// One look-up of a name as a pure state machine. A name may stand for several, for there may be domains that are
// to be put behind it (resolv.conf, `search`); of each the addresses of both families are asked for at once.
// Neither family waits for the other for long, and one of them that fails does not hurt the other: what has come
// is told after 50 ms, and what comes later once more.

/// The course of one look-up.
struct NameLookup {
  /// What is to be done after an event.
  enum Action: Equatable {
    /// Ask for the addresses of both families of this name.
    case ask(String)
    /// These addresses have come; more may. In the order in which name servers gave them.
    case found(ipv4: [InternetAddress], ipv6: [InternetAddress], seconds: Int, isLast: Bool)
    /// It is over, without an address.
    case failed(LookupProblem)
  }

  private let candidates: [String]
  private let limits: NameLimits
  private var index = 0
  private var answers: [AddressFamily: FamilyAnswer] = [:]
  /// When what has come is told although there may be more.
  private var tellsAt: Int64?
  private let deadline: Int64
  private(set) var isOver = false

  /// A look-up of names, one after the other until one has addresses; `candidates` are not empty.
  init(_ candidates: [String], limits: NameLimits, now: Int64) {
    precondition(!candidates.isEmpty, "a look-up of nothing")
    self.candidates = candidates
    self.limits = limits
    deadline = now + limits.lookup
  }

  /// The name that is asked about now.
  var candidate: String { candidates[index] }

  /// When ``timePassed(_:)`` has something to do.
  var nextDue: Int64 { min(tellsAt ?? deadline, deadline) }

  /// What comes first.
  var first: Action { .ask(candidates[0]) }

  /// An answer about the addresses of one family of a name. One that comes too late changes nothing.
  mutating func answered(
    _ name: String, _ family: AddressFamily, _ answer: FamilyAnswer, now: Int64
  ) -> Action? {
    guard !isOver, name == candidate, answers[family] == nil else { return nil }
    answers[family] = answer
    if answers.count == AddressFamily.allCases.count { return conclude() }
    if case .addresses = answer { tellsAt = now + limits.otherFamily }
    return nil
  }

  /// Some time has passed.
  mutating func timePassed(_ now: Int64) -> Action? {
    guard !isOver else { return nil }
    if now >= deadline {
      isOver = true
      return found(isLast: true) ?? .failed(problem ?? .timeout)
    }
    if let tellsAt, now >= tellsAt {
      self.tellsAt = nil
      return found(isLast: false)
    }
    return nil
  }

  private mutating func conclude() -> Action? {
    if let found = found(isLast: true) {
      isOver = true
      return found
    }
    // The next name may be another host: it is asked about only if it is sure that this one has no address.
    if problem == nil, index + 1 < candidates.count {
      index += 1
      answers = [:]
      tellsAt = nil
      return .ask(candidate)
    }
    isOver = true
    return .failed(problem ?? .noAddress)
  }

  private func found(isLast: Bool) -> Action? {
    var addresses: [AddressFamily: [InternetAddress]] = [:]
    var least: Int?
    for (family, answer) in answers {
      guard case .addresses(let some, let seconds) = answer, !some.isEmpty else { continue }
      addresses[family] = Array(some.prefix(limits.addresses))
      least = min(least ?? seconds, seconds)
    }
    guard var least else { return nil }
    // Or a name server that was away for a moment would take a family away for as long as the other holds.
    if problem != nil || answers.count < AddressFamily.allCases.count {
      least = min(least, Int(limits.half / NameLimits.second))
    }
    return .found(
      ipv4: addresses[.ipv4] ?? [], ipv6: addresses[.ipv6] ?? [], seconds: least, isLast: isLast)
  }

  /// What kept a family from being known; that of IPv4 if both were.
  private var problem: LookupProblem? {
    for family in AddressFamily.allCases {
      if case .problem(let problem) = answers[family] { return problem }
    }
    return nil
  }
}

/// The domains that are put behind names (resolv.conf(5)).
struct SearchList: Sendable, Equatable {
  /// The domains, in their order.
  var domains: [String] = []
  /// A name with so many dots is tried as it is before any domain is put behind it.
  var dots = 1

  /// What a name may stand for, in the order in which it is tried, each with the dot that says that it is whole.
  func candidates(_ name: String) -> [String] {
    if name.hasSuffix(".") { return [name] }
    let whole = "\(name)."
    let longer = domains.filter { !$0.isEmpty && $0 != "." }.map { "\(name).\($0.withDot)" }
    return name.utf8.count { $0 == UInt8(ascii: ".") } >= dots
      ? [whole] + longer : longer + [whole]
  }
}

extension String {
  fileprivate var withDot: String { hasSuffix(".") ? self : "\(self)." }
}
