import CEpoll
import Glibc
import NIOCore

// A thread that waits for its sockets and lets each of them do what it can do at once: accept, read
// and answer, write on. Everything of a connection happens on the thread of its reactor, so nothing
// of it needs a lock.
//
// Sockets are known to the kernel by a number: their slot, and how often that was given away before.
// An event for a socket that was closed a moment ago, while others of the same batch were handled,
// so finds nobody.

/// The loop of one thread.
public final class Reactor {
  private struct Slot {
    var socket: PolledSocket?
    var generation: UInt32
  }

  /// How other threads reach this one.
  public let mailbox: Mailbox
  let poller: Poller
  private var slots: [Slot] = []
  private var free: [UInt32] = []
  private var timers = TimerQueue()
  private var isStopped = false

  /// Memory that is read into; what of it is kept is somebody else's from then on.
  private var inbox: ByteBuffer?
  /// What a socket is about to send.
  public var outgoing = Outgoing()

  /// How much is read at once.
  static let inboxSize = 64 << 10
  /// The number under which the mailbox is watched.
  private static let mailboxToken = UInt64.max

  private init?() {
    guard let poller = Poller(capacity: 128), let mailbox = Mailbox() else { return nil }
    self.poller = poller
    self.mailbox = mailbox
    mailbox.adoptThread()
    poller.add(mailbox.descriptor, token: Self.mailboxToken, .reading)
  }

  // MARK: Life

  /// Starts a reactor on a thread of its own, and makes its state there.
  ///
  /// Throws what `setup` throws, or ``ReactorProblem``; then the thread is gone again.
  public static func start<State>(
    name: String, _ setup: @escaping @Sendable (Reactor) throws -> State
  ) async throws -> Confined<State> {
    try await withCheckedThrowingContinuation { continuation in
      let code = OwnThread.start(name: name) {
        guard let reactor = Reactor() else {
          return continuation.resume(throwing: ReactorProblem(code: errno))
        }
        do {
          let state = Confined(try setup(reactor), to: reactor)
          continuation.resume(returning: state)
        } catch {
          return continuation.resume(throwing: error)
        }
        reactor.run()
      }
      if let code { continuation.resume(throwing: ReactorProblem(code: code)) }
    }
  }

  /// Closes all sockets and ends the thread, after the events of this moment.
  public func stop() {
    isStopped = true
  }

  /// A reactor without a thread of its own: whoever has it calls ``turn(_:)``, from any thread, but from one at
  /// a time. For tests and simulations, which so decide when something happens.
  ///
  /// Throws ``ReactorProblem``.
  public static func manual() throws -> Reactor {
    guard let reactor = Reactor() else { throw ReactorProblem(code: errno) }
    return reactor
  }

  /// Makes the calling thread this reactor's, runs `body`, and then all that is due, without waiting for
  /// anything. Not from within a turn.
  public func turn<Result>(_ body: () throws -> Result) rethrows -> Result {
    mailbox.adoptThread()
    let result = try body()
    // Whatever is left for later by what was left for later has its turn too.
    repeat { turn(waits: false) } while mailbox.mayHaveTasks
    return result
  }

  /// Closes all sockets of a manual reactor, which has no turns any more.
  public func end() {
    mailbox.adoptThread()
    closeEverything()
  }

  private func run() {
    while !isStopped { turn(waits: true) }
    closeEverything()
  }

  /// Runs what is due, and hands out the events of this moment; waits for some if there are none.
  @inline(__always)
  private func turn(waits: Bool) {
    let now = Monotonic.coarse()
    while let body = timers.takeDue(now) { body() }
    runTasks()
    if outgoing.owner != nil { flushOutgoing() }
    // Tasks that were left meanwhile, and those that they left, have their turn after the sockets.
    let wait =
      mailbox.mayHaveTasks || isStopped || !waits
      ? 0 : (timers.nextDue ?? now + Self.longest) - now
    let count = poller.wait(nanoseconds: wait)
    for index in 0..<count {
      let event = poller.event(index)
      if event.token == Self.mailboxToken {
        mailbox.silence()
        continue
      }
      let slot = Int(UInt32(truncatingIfNeeded: event.token))
      guard slots[slot].generation == UInt32(truncatingIfNeeded: event.token >> 32),
        let socket = slots[slot].socket
      else { continue }
      socket.ready(event)
    }
    // Nothing that was written waits for longer than others are served.
    if outgoing.owner != nil { flushOutgoing() }
  }

  private func closeEverything() {
    // Whoever hears of an end may begin something else, which ends too.
    for _ in 0..<16 where free.count < slots.count { forEachSocket { $0.close() } }
    // What was to be done later may hold whoever holds this.
    timers = TimerQueue()
    while case let tasks = mailbox.close(), !tasks.isEmpty {
      for task in tasks { task() }
    }
  }

  /// A reactor without timers still looks up now and then.
  private static let longest: Int64 = 1_000_000_000

  private func runTasks() {
    guard mailbox.mayHaveTasks else { return }
    for task in mailbox.take() { task() }
  }

  // MARK: Time

  /// Runs `body` on this thread when so many nanoseconds have passed, or a few milliseconds later.
  public func schedule(after nanoseconds: Int64, _ body: @escaping () -> Void) -> TimerID {
    timers.add(due: Monotonic.coarse() + nanoseconds, body)
  }

  /// Makes something that is not due yet not happen.
  public func cancel(_ id: TimerID) {
    timers.cancel(id)
  }

  // MARK: Memory

  /// Takes memory to read into.
  func takeInbox() -> ByteBuffer {
    guard var memory = inbox.take() else {
      return ByteBufferAllocator().buffer(capacity: Self.inboxSize)
    }
    memory.clear(minimumCapacity: Self.inboxSize)
    return memory
  }

  /// Gives memory back.
  func putBack(_ memory: consuming ByteBuffer) {
    inbox = memory.capacity <= 2 * Self.inboxSize ? memory : nil
  }

  /// Sends what some socket has put together.
  func flushOutgoing() {
    if let owner = outgoing.owner { (slots[Int(owner)].socket as? StreamSocket)?.flush() }
    outgoing.discard()
  }

  // MARK: Sockets

  /// Begins to watch a socket, and returns its place. Amortised O(1).
  func add(_ socket: PolledSocket) -> (slot: UInt32, generation: UInt32) {
    if let slot = free.popLast() {
      slots[Int(slot)].socket = socket
      return (slot, slots[Int(slot)].generation)
    }
    slots.append(Slot(socket: socket, generation: 0))
    return (UInt32(slots.count - 1), 0)
  }

  /// Forgets a socket.
  func remove(slot: UInt32) {
    if outgoing.owner == slot { outgoing.discard() }
    slots[Int(slot)].socket = nil
    // The highest is left out, so that no socket has the number of the mailbox.
    slots[Int(slot)].generation = (slots[Int(slot)].generation &+ 1) & 0x7FFF_FFFF
    free.append(slot)
  }

  /// The socket in a place.
  func socket(slot: UInt32) -> PolledSocket? { slots[Int(slot)].socket }

  /// How many places for sockets there are, taken or free.
  public var places: Int { slots.count }

  /// Calls `body` with each socket that is open; those may be closed meanwhile. O(sockets).
  public func forEachSocket(_ body: (PolledSocket) -> Void) {
    forEachSocket(part: 0, of: 1, body)
  }

  /// Calls `body` with those sockets that are in one of so many parts, counted from 0: a socket that stays open is in
  /// the same part of as many parts.
  public func forEachSocket(part: Int, of parts: Int, _ body: (PolledSocket) -> Void) {
    var index = part
    while index < slots.count {
      if let socket = slots[index].socket { body(socket) }
      index += parts
    }
  }
}

/// A reactor could not be started.
public struct ReactorProblem: Error, CustomStringConvertible {
  /// An `errno`.
  public let code: CInt
  /// Why.
  public var description: String {
    "cannot start an event loop: \(String(cString: strerror(code)))"
  }
}
