import CEpoll
import Glibc
import Synchronization

/// How other threads reach a ``Reactor``: what they leave here is run on its thread.
public final class Mailbox: Sendable {
  private struct State {
    var tasks: [@Sendable () -> Void] = []
    var isClosed = false
  }

  private let state = Mutex(State())
  private let hasNews = Atomic(false)
  private let thread = Atomic<UInt>(0)
  /// An eventfd; whoever waits for it wakes up when something was left here.
  let descriptor: CInt

  /// A mailbox; nil if the system has no descriptor for it.
  init?() {
    descriptor = eventfd(0, CInt(EFD_CLOEXEC) | CInt(EFD_NONBLOCK))
    if descriptor < 0 { return nil }
  }

  deinit {
    if descriptor >= 0 { Glibc.close(descriptor) }
  }

  /// Runs `task` on the reactor's thread, behind what was left before; false, and never, if the
  /// reactor has stopped. From any thread, its own too.
  @discardableResult
  public func execute(_ task: @escaping @Sendable () -> Void) -> Bool {
    let wakes = state.withLock { state -> Bool? in
      if state.isClosed { return nil }
      state.tasks.append(task)
      return state.tasks.count == 1
    }
    guard let wakes else { return false }
    if wakes {
      hasNews.store(true, ordering: .releasing)
      // On its own thread the reactor looks here before it waits.
      if !isCurrent { ring() }
    }
    return true
  }

  private func ring() {
    var one: UInt64 = 1
    _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
  }

  /// True on the reactor's thread.
  public var isCurrent: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

  // MARK: For the reactor

  /// Makes the calling thread the reactor's.
  func adoptThread() {
    thread.store(UInt(pthread_self()), ordering: .relaxed)
  }

  /// True if there may be something to run. About 1 ns.
  var mayHaveTasks: Bool { hasNews.load(ordering: .acquiring) }

  /// Takes out what is to be run.
  func take() -> [@Sendable () -> Void] {
    hasNews.store(false, ordering: .relaxed)
    return state.withLock { state in
      let tasks = state.tasks
      state.tasks = []
      return tasks
    }
  }

  /// Makes the bell ready to ring again.
  func silence() {
    var count: UInt64 = 0
    _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
  }

  /// Takes nothing more, and gives out what was left to be run.
  func close() -> [@Sendable () -> Void] {
    state.withLock { state in
      state.isClosed = true
      let tasks = state.tasks
      state.tasks = []
      return tasks
    }
  }
}

/// A value that only a reactor's thread may touch, to be carried about by anybody.
///
/// Unchecked, because what it holds need not be safe to share: it never is. Each access checks that it is on the right
/// thread and traps if not.
public struct Confined<Value>: @unchecked Sendable {
  /// How to get to the thread.
  public let mailbox: Mailbox
  private let confined: Value

  /// Confines a value to the thread of `reactor`, which must be the current one.
  public init(_ value: Value, to reactor: Reactor) {
    precondition(reactor.mailbox.isCurrent, "a value confined to another thread")
    mailbox = reactor.mailbox
    confined = value
  }

  /// The value, on its thread.
  public var value: Value {
    precondition(mailbox.isCurrent, "a confined value touched from another thread")
    return confined
  }

  /// What `body` returns on the value's thread; nil if the reactor has stopped.
  public func run<Result: Sendable>(
    _ body: @escaping @Sendable (Value) -> Result
  ) async -> Result? {
    await withCheckedContinuation { continuation in
      let isTaken = mailbox.execute { continuation.resume(returning: body(value)) }
      if !isTaken { continuation.resume(returning: nil) }
    }
  }
}
