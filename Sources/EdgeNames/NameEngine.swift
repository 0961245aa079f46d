import EdgeSocket
import Glibc

/// What a resolver does on its own thread: look-ups that run, and the channel that they ask.
final class NameEngine {
  private struct Running {
    let name: String
    let channel: DNSChannel
    var lookup: NameLookup
    var timer: TimerID?
  }

  /// What tells that a file is not the one that was read.
  private struct FileMark: Equatable {
    var inode: UInt64 = 0
    var size: Int64 = -1
    var seconds = 0
    var nanoseconds = 0
  }

  private let settings: DNSSettings
  private let limits: NameLimits
  private let shared: NameResolver.Shared
  private let reactor: Reactor
  private var channel: DNSChannel?
  /// Channels of earlier settings, which still wait for answers.
  private var retired: [DNSChannel] = []
  private var mark = FileMark()
  private var running: [UInt64: Running] = [:]
  private var timer: TimerID?
  private var randomness = SystemRandomNumberGenerator()
  private var isStopped = false

  init(
    _ settings: DNSSettings, limits: NameLimits, shared: NameResolver.Shared, reactor: Reactor
  ) {
    (self.settings, self.limits) = (settings, limits)
    (self.shared, self.reactor) = (shared, reactor)
  }

  private var now: Int64 { Monotonic.coarse() }

  /// Begins a look-up that the table has asked for.
  func begin(_ name: String, _ number: UInt64) {
    // Whoever waits for it was told.
    if isStopped { return }
    do throws(DNSChannelProblem) {
      let channel = try currentChannel()
      let known = try channel.hosts(name)
      if !known.isEmpty {
        // The file is read again when the shortest lifetime is over.
        finish(name, number, .addresses(known, lifetime: 0))
      } else {
        let lookup = NameLookup(channel.search.candidates(name), limits: limits, now: now)
        running[number] = Running(name: name, channel: channel, lookup: lookup)
        perform(lookup.first, number)
        watch(number)
      }
    } catch {
      finish(name, number, .problem(error.problem))
    }
    schedule()
  }

  /// Ends everything.
  func stop() {
    isStopped = true
    if let timer { reactor.cancel(timer) }
    for timer in running.values.compactMap(\.timer) { reactor.cancel(timer) }
    running = [:]
    carryOut(shared.table.withLock { $0.stop(now: now) })
    for channel in retired + [channel].compactMap({ $0 }) { channel.destroy() }
    (channel, retired) = (nil, [])
    reactor.stop()
  }

  // MARK: Look-ups

  private func perform(_ action: NameLookup.Action, _ number: UInt64) {
    guard let run = running[number] else { return }
    switch action {
    case .ask(let candidate):
      for family in AddressFamily.allCases {
        run.channel.query(candidate, family) { [weak self] answer in
          self?.answered(number, candidate, family, answer)
        }
      }
    case .found(let ipv4, let ipv6, let seconds, let isLast):
      let addresses = AddressOrder.joined(ipv4: ipv4, ipv6: ipv6)
      let lifetime = Int64(seconds) * NameLimits.second
      if isLast { end(number) }
      finish(run.name, number, .addresses(addresses, lifetime: lifetime), isLast: isLast)
    case .failed(let problem):
      end(number)
      finish(run.name, number, .problem(problem))
    }
  }

  private func answered(
    _ number: UInt64, _ candidate: String, _ family: AddressFamily, _ answer: FamilyAnswer
  ) {
    defer { retire() }
    let action = running[number]?.lookup.answered(candidate, family, answer, now: now)
    if let action { perform(action, number) }
    watch(number)
    schedule()
  }

  private func timePassed(_ number: UInt64) {
    running[number]?.timer = nil
    if let action = running[number]?.lookup.timePassed(now) { perform(action, number) }
    watch(number)
    schedule()
  }

  /// Sets the timer of a look-up.
  private func watch(_ number: UInt64) {
    guard let run = running[number] else { return }
    if let timer = run.timer { reactor.cancel(timer) }
    running[number]?.timer = reactor.schedule(after: run.lookup.nextDue - now) { [weak self] in
      self?.timePassed(number)
    }
  }

  private func end(_ number: UInt64) {
    if let timer = running.removeValue(forKey: number)?.timer { reactor.cancel(timer) }
  }

  // MARK: The table

  private func finish(
    _ name: String, _ number: UInt64, _ answer: NameAnswer, isLast: Bool = true
  ) {
    let chance = Double.random(in: 0..<1, using: &randomness)
    let moment = now
    let (actions, notices) = shared.table.withLock { table in
      let actions = table.answered(
        name, number: number, answer, isLast: isLast, now: moment, chance: chance)
      return (actions, table.takeNotices())
    }
    for notice in notices { shared.tell(notice) }
    carryOut(actions)
  }

  private func carryOut(_ actions: [NameTable<NameResolver.Completion>.Action]) {
    for action in actions {
      switch action {
      case .lookUp(let name, let number): begin(name, number)
      case .answer(let waiters, let outcome): for waiter in waiters { waiter(outcome) }
      }
    }
  }

  /// Sets the timer of the table.
  private func schedule() {
    if let timer { reactor.cancel(timer) }
    timer = nil
    guard let due = shared.table.withLock({ $0.nextDue }) else { return }
    timer = reactor.schedule(after: max(0, due - now)) { [weak self] in
      guard let self else { return }
      let moment = now
      carryOut(shared.table.withLock { $0.timePassed(moment) })
      schedule()
    }
  }

  // MARK: Channels

  /// A channel as the system's files say now.
  private func currentChannel() throws(DNSChannelProblem) -> DNSChannel {
    let found = Self.mark(settings.resolvConf)
    if let channel, found == mark { return channel }
    do throws(DNSChannelProblem) {
      let fresh = try DNSChannel(settings, reactor: reactor)
      if let channel {
        retired.append(channel)
        shared.table.withLock { $0.serversChanged(now: now) }
      }
      (channel, mark) = (fresh, found)
      retire()
      return fresh
    } catch {
      // The old one is better than none.
      guard let channel else { throw error }
      return channel
    }
  }

  /// Lets go of channels that nobody waits for any more.
  private func retire() {
    retired.removeAll { channel in
      guard channel.pending == 0, !running.values.contains(where: { $0.channel === channel })
      else { return false }
      channel.destroy()
      return true
    }
  }

  private static func mark(_ path: String) -> FileMark {
    var status = stat()
    guard stat(path, &status) == 0 else { return FileMark() }
    return FileMark(
      inode: UInt64(status.st_ino), size: Int64(status.st_size),
      seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
  }
}
