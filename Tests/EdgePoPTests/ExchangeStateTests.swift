import EdgeCache
import NIOCore
import Testing

@testable import EdgePoP

// What an exchange waits for, as a table: state × event → state, action. All pairs are here, those too in
// which nothing happens, but for those that cannot be: they trap.

/// A connection of no upstream.
private final class Line: Sendable {}

private typealias Machine = ExchangeState<Line>

private func seconds(_ count: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(count) }

/// The states of the table, and how an exchange gets there: at second 0, with the limits of ``machine()``.
private enum Situation: String, CaseIterable, Sendable {
  case idle, reading, choosing, queued, connecting, forwarded, tunnel

  func reach(_ machine: inout Machine, _ line: Line) {
    let steps: [Machine.Event] =
      switch self {
      case .idle: []
      case .reading: [.reads]
      case .choosing: [.forward(3)]
      case .queued: [.forward(3), .leased(upstream: 7, .wait, gathers: false)]
      case .connecting: [.forward(3), .leased(upstream: 7, .connect, gathers: false)]
      case .forwarded: [.forward(3), .leased(upstream: 7, .use(line), gathers: false)]
      case .tunnel: [.forward(3), .leased(upstream: 7, .use(line), gathers: false), .upgraded]
      }
    for step in steps { _ = machine.handle(step, now: seconds(0)) }
  }
}

/// The events of the table; `other` is a connection that is not the one in use.
private enum Happening: String, CaseIterable, Sendable {
  case reads, read, forward, noneLeft, use, connect, wait, refuse, gathered, hasRoom, handedOver
  case connected, lateConnected, connectFailed, lateConnectFailed
  case upgraded, ended, broke, brokeIdle, cancel, time

  func event(_ line: Line, _ other: Line) -> Machine.Event {
    switch self {
    case .reads: .reads
    case .read: .read
    case .forward: .forward(4)
    case .noneLeft: .noneLeft
    case .use: .leased(upstream: 8, .use(other), gathers: false)
    case .connect: .leased(upstream: 8, .connect, gathers: false)
    case .wait: .leased(upstream: 8, .wait, gathers: false)
    case .refuse: .leased(upstream: 8, .refuse, gathers: false)
    case .gathered: .gathered
    case .hasRoom: .hasRoom
    case .handedOver: .handedOver(other)
    case .connected: .connected(other, attempt: 1)
    case .lateConnected: .connected(other, attempt: 0)
    case .connectFailed: .connectFailed(.connect, attempt: 1)
    case .lateConnectFailed: .connectFailed(.connect, attempt: 0)
    case .upgraded: .upgraded
    case .ended: .ended
    case .broke: .broke(mayRetry: false)
    case .brokeIdle: .broke(mayRetry: true)
    case .cancel: .cancel
    case .time: .time
    }
  }
}

/// What is left of a state and an action when they are written down. At second 10 all limits have passed.
private let table: [Situation: [Happening: String]] = [
  .idle: [
    .reads: "reading until 11", .forward: "choosing, choose",
    .handedOver: "idle, release other", .connected: "idle, release other",
    .lateConnected: "idle, release other",
  ],
  .reading: [
    .read: "idle", .handedOver: "reading until 1, release other",
    .connected: "reading until 1, release other",
    .lateConnected: "reading until 1, release other", .cancel: "idle",
    .time: "idle, read timed out",
  ],
  .choosing: [
    .noneLeft: "idle, fail connect-failed", .use: "forwarded other, send other",
    .connect: "connecting until 14, connect 8 attempt 1", .wait: "queued until 12",
    .refuse: "idle, fail queue-full", .handedOver: "choosing, release other",
    .connected: "choosing, release other", .lateConnected: "choosing, release other",
    .cancel: "idle",
  ],
  .queued: [
    .hasRoom: "connecting until 14, connect 7 attempt 1",
    .handedOver: "forwarded other, send other", .connected: "queued until 2, release other",
    .lateConnected: "queued until 2, release other", .cancel: "idle, leave queue 7",
    .time: "idle, fail queue-timeout leaving 7",
  ],
  .connecting: [
    .handedOver: "connecting until 4, release other",
    .connected: "forwarded other, send other",
    .lateConnected: "connecting until 4, release other", .connectFailed: "choosing, choose",
    .cancel: "idle", .time: "choosing, give up 7",
  ],
  .forwarded: [
    .handedOver: "forwarded line, release other", .connected: "forwarded line, release other",
    .lateConnected: "forwarded line, release other", .upgraded: "tunnel line", .ended: "idle",
    .broke: "idle", .brokeIdle: "idle", .cancel: "idle, abandon line",
  ],
  .tunnel: [
    .handedOver: "tunnel line, release other", .connected: "tunnel line, release other",
    .lateConnected: "tunnel line, release other", .ended: "idle", .broke: "idle",
    .brokeIdle: "idle", .cancel: "idle, abandon line",
  ],
]

/// What comes in one state alone: elsewhere a request or a place in a pool would be lost.
private let onlyIn: [Happening: Situation] = [
  .forward: .idle, .use: .choosing, .connect: .choosing, .wait: .choosing, .refuse: .choosing,
  .hasRoom: .queued,
]

@Suite("States of an exchange")
struct ExchangeStateTests {
  private let line = Line()
  private let other = Line()

  private static func machine() -> Machine {
    var limits = ShellLimits()
    (limits.disk, limits.queue, limits.connect) = (.seconds(1), .seconds(2), .seconds(4))
    return Machine(RequestLimits(.init(), else: limits), disk: limits.disk)
  }

  @Test("Each event in each state", arguments: Situation.allCases, Happening.allCases)
  fileprivate func row(origin: Situation, happening: Happening) {
    if let only = onlyIn[happening], only != origin { return }
    var machine = Self.machine()
    origin.reach(&machine, line)
    let before = describe(machine.state)
    let action = machine.handle(happening.event(line, other), now: seconds(10))
    let after = [describe(machine.state), describe(action)].compactMap(\.self)
      .joined(separator: ", ")
    #expect(after == table[origin]?[happening] ?? before)
  }

  @Test("Whatever waits for somebody else than an upstream that has it has a deadline")
  func deadlines() {
    for origin in Situation.allCases {
      var machine = Self.machine()
      origin.reach(&machine, line)
      switch origin {
      case .reading: #expect(machine.deadline == seconds(1))
      case .queued: #expect(machine.deadline == seconds(2))
      case .connecting: #expect(machine.deadline == seconds(4))
      case .idle, .choosing, .forwarded, .tunnel: #expect(machine.deadline == nil)
      }
      #expect(machine.awaitsConnection == [.choosing, .queued, .connecting].contains(origin))
      #expect((machine.connection === line) == [.forwarded, .tunnel].contains(origin))
    }
  }

  @Test("While its client still sends what is gathered, the time in the queue does not run")
  func gathering() {
    var machine = Self.machine()
    for event in [.forward(3), .leased(upstream: 7, .wait, gathers: true)] as [Machine.Event] {
      _ = machine.handle(event, now: seconds(0))
    }
    #expect(describe(machine.handle(.time, now: seconds(1000))) == nil)
    _ = machine.handle(.gathered, now: seconds(1000))
    #expect(machine.deadline == seconds(1002))
    // It does not begin anew.
    _ = machine.handle(.gathered, now: seconds(1001))
    #expect(describe(machine.handle(.time, now: seconds(1002))) == "fail queue-timeout leaving 7")
  }

  @Test("A moment before its limit nothing ends")
  func justBefore() {
    for origin in Situation.allCases {
      var machine = Self.machine()
      origin.reach(&machine, line)
      guard let deadline = machine.deadline else { continue }
      let before = describe(machine.state)
      #expect(describe(machine.handle(.time, now: deadline - .nanoseconds(1))) == nil)
      #expect(describe(machine.state) == before)
      #expect(describe(machine.handle(.time, now: deadline)) != nil)
    }
  }

  @Test("A connection that comes after its attempt was given up is somebody else's")
  func lateConnection() {
    var machine = Self.machine()
    _ = machine.handle(.forward(3), now: seconds(0))
    _ = machine.handle(.leased(upstream: 1, .connect, gathers: false), now: seconds(0))
    #expect(describe(machine.handle(.time, now: seconds(4))) == "give up 1")
    #expect(machine.search.tried == [1])
    _ = machine.handle(.leased(upstream: 2, .connect, gathers: false), now: seconds(4))
    #expect(
      describe(machine.handle(.connected(other, attempt: 1), now: seconds(5))) == "release other")
    #expect(describe(machine.handle(.connected(line, attempt: 2), now: seconds(5))) == "send line")
  }

  @Test("When no upstream is left, it is the last one's failure that is told")
  func lastFailure() {
    var machine = Self.machine()
    _ = machine.handle(.forward(3), now: seconds(0))
    _ = machine.handle(.leased(upstream: 1, .connect, gathers: false), now: seconds(0))
    _ = machine.handle(.connectFailed(.connect, attempt: 1), now: seconds(0))
    _ = machine.handle(.leased(upstream: 2, .connect, gathers: false), now: seconds(0))
    _ = machine.handle(.time, now: seconds(4))
    #expect(machine.search.tried == [1, 2])
    #expect(describe(machine.handle(.noneLeft, now: seconds(4))) == "fail connect-timeout")
    // The next request begins with all of them.
    _ = machine.handle(.forward(3), now: seconds(4))
    #expect(machine.search.tried == [])
  }

  @Test("After a kept connection broke, the request goes over a new one")
  func anew() {
    var machine = Self.machine()
    _ = machine.handle(.forward(3), now: seconds(0))
    _ = machine.handle(.leased(upstream: 1, .use(line), gathers: false), now: seconds(0))
    _ = machine.handle(.broke(mayRetry: true), now: seconds(0))
    #expect(describe(machine.handle(.forward(3), now: seconds(0))) == "choose anew")
  }

  private func name(_ line: Line) -> String { line === self.line ? "line" : "other" }

  private func describe(_ state: Machine.State) -> String {
    func until(_ deadline: NIODeadline) -> String {
      "until \((deadline - seconds(0)).nanoseconds / 1_000_000_000)"
    }
    return switch state {
    case .idle: "idle"
    case .reading(let deadline): "reading \(until(deadline))"
    case .choosing: "choosing"
    case .queued(let deadline): "queued \(until(deadline))"
    case .connecting(let deadline): "connecting \(until(deadline))"
    case .forwarded(let line): "forwarded \(name(line))"
    case .tunnel(let line): "tunnel \(name(line))"
    }
  }

  private func describe(_ action: Machine.Action) -> String? {
    switch action {
    case .none: nil
    case .choose(let anew): anew ? "choose anew" : "choose"
    case .giveUp(let upstream, _): "give up \(upstream)"
    case .connect(let upstream, let attempt): "connect \(upstream) attempt \(attempt)"
    case .send(let line): "send \(name(line))"
    case .release(let line): "release \(name(line))"
    case .abandon(let line): "abandon \(name(line))"
    case .leaveQueue(let upstream): "leave queue \(upstream)"
    case .fail(let failure, let upstream):
      "fail \(failure.rawValue)" + (upstream.map { " leaving \($0)" } ?? "")
    case .readTimedOut: "read timed out"
    }
  }
}
