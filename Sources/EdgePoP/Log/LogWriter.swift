import CEpoll
import EdgeSocket
import Glibc
import Synchronization

// The thread that writes a log. Whoever has something to be written hands it over and goes on: if the disk is full, a
// pipe is not read, or a write never returns, what waits is bounded, and what is more is dropped and counted.

/// What is to be told of a log.
enum LogNews: Sendable, Hashable {
  /// Writing fails, with an `errno`; it is tried again.
  case failing(CInt)
  /// Lines are dropped, for what is written is not taken fast enough.
  case dropping
  /// All is written again; so many lines were dropped.
  case recovered(dropped: UInt64)
  /// At the end: so many lines were never written, nor told.
  case lost(UInt64)
  /// It is written to a new file.
  case reopened
  /// A new file could not be opened, by this `errno`: the old one stays.
  case notReopened(CInt)
}

/// Writes a log.
final class LogWriter: Sendable {
  private struct State {
    var backlog: LogBacklog
    /// True while the thread waits for something to be written.
    var isIdle = false
    var reopens = false
    /// True once nothing more comes.
    var isClosing = false
    /// True once nobody waits for the rest any more.
    var isAbandoned = false
    var isClosed = false
    /// What the last one to be told was told: the number of lines that had been dropped, and whether there is trouble.
    var told: UInt64 = 0
    var isFailing = false
    var isDropping = false
    /// Why writing fails, as an `errno`.
    var code: CInt = 0
    /// Lines of the block that the thread has in hand.
    var inHand: UInt64 = 0
  }

  private let state: Mutex<State>
  private let bell: CInt
  private let tell: @Sendable (LogNews) -> Void
  /// Called on the thread before it waits, with whether the end has come; says when to call again, in milliseconds.
  private let tick: @Sendable (_ isLast: Bool) -> Int?

  /// How long it waits before it tries again, in milliseconds.
  private static let pause: CInt = 100
  /// How often it looks whether another file has taken the place of its own, in nanoseconds.
  private static let lookEvery: Int64 = 1_000_000_000

  /// Starts to write to a file. Throws an `errno` if there is no thread to be had.
  init(
    _ file: LogFile, name: String, limit: Int, tell: @escaping @Sendable (LogNews) -> Void,
    tick: @escaping @Sendable (_ isLast: Bool) -> Int? = { _ in nil }
  ) throws(LogFileProblem) {
    state = Mutex(State(backlog: LogBacklog(limit: limit)))
    (self.tell, self.tick) = (tell, tick)
    bell = eventfd(0, CInt(EFD_CLOEXEC) | CInt(EFD_NONBLOCK))
    if bell < 0 { throw LogFileProblem(code: errno) }
    if let code = OwnThread.start(name: name, { [self] in run(file) }) {
      throw LogFileProblem(code: code)
    }
  }

  deinit { if bell >= 0 { Glibc.close(bell) } }

  // MARK: From any thread

  /// A block to be filled, for a line of so many bytes at most.
  func takeBlock(atLeast size: Int) -> LogBlock {
    guard size <= LogBacklog.blockSize else { return LogBlock(capacity: size) }
    let spare = state.withLock { $0.backlog.takeSpare() }
    return spare ?? LogBlock(capacity: LogBacklog.blockSize)
  }

  /// Has a block of whole lines written. O(1).
  func add(_ block: LogBlock) {
    let (rings, news) = state.withLock { state -> (Bool, LogNews?) in
      guard state.backlog.add(block) else {
        if state.isDropping { return (false, nil) }
        state.isDropping = true
        return (false, .dropping)
      }
      defer { state.isIdle = false }
      return (state.isIdle, nil)
    }
    if rings { ring() }
    if let news { tell(news) }
  }

  /// What is wrong at present: an `errno`, or 0 where lines are dropped because nobody takes them; nil if nothing is.
  var trouble: CInt? {
    state.withLock { $0.isFailing ? $0.code : $0.isDropping ? 0 : nil }
  }

  /// Number of lines dropped so far.
  var dropped: UInt64 { state.withLock { $0.backlog.dropped } }

  /// Opens the file anew, as soon as what is being written is written.
  func reopen() {
    state.withLock { $0.reopens = true }
    ring()
  }

  /// For the thread to count what it has in hand, when nobody waits for that to be written any more.
  private static let lastCount = Duration.milliseconds(300)

  /// Writes what waits and closes the file; what is not written in this time is dropped. Returns the number of lines
  /// that were lost since that was told the last time.
  @discardableResult
  func close(within limit: Duration) async -> UInt64 {
    state.withLock { $0.isClosing = true }
    ring()
    let deadline = ContinuousClock.now + limit
    await waitForEnd(until: deadline)
    state.withLock { state in
      state.isAbandoned = true
      state.backlog.abandon()
    }
    ring()
    await waitForEnd(until: .now + Self.lastCount)
    return state.withLock { state in
      // The thread hangs in the kernel: nobody knows whether that comes to anything.
      if !state.isClosed {
        state.backlog.drop(lines: state.inHand)
        state.inHand = 0
      }
      return state.backlog.dropped - state.told
    }
  }

  private func waitForEnd(until deadline: ContinuousClock.Instant) async {
    while !state.withLock({ $0.isClosed }), ContinuousClock.now < deadline {
      try? await Task.sleep(for: .milliseconds(2))
    }
  }

  private func ring() {
    var one: UInt64 = 1
    _ = write(bell, &one, MemoryLayout<UInt64>.size)
  }

  // MARK: The thread

  private func run(_ file: LogFile) {
    // A reader that is gone is an error of the write.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    var file = file
    var drain = LogDrain()
    var looked = Monotonic.coarse()
    while true {
      var reopens = state.withLock { state in
        defer { state.reopens = false }
        return state.reopens
      }
      // Of two processes with one log, as at a hand-over, one alone is told to open it anew.
      if !reopens, Monotonic.coarse() - looked >= Self.lookEvery {
        looked = Monotonic.coarse()
        reopens = file.isReplaced
      }
      if reopens {
        switch drain.change(&file) {
        case .opened, .same: tell(.reopened)
        case .failed(let code): tell(.notReopened(code))
        }
      }
      if drain.isIdle, let block = takeNext() { drain.begin(block) }
      if drain.isIdle {
        if endTrouble() { continue }
        guard rest(until: tick(false)) else { break }
        continue
      }
      let (result, finished) = drain.write(to: &file)
      if let finished {
        state.withLock { state in
          state.backlog.wrote(finished)
          state.inHand = 0
        }
      }
      switch result {
      case .wrote: break
      case .wait: pause(file.descriptor)
      case .failed(let code):
        let isNews = state.withLock { state in
          defer { (state.isFailing, state.code) = (true, code) }
          return !state.isFailing
        }
        if isNews { tell(.failing(code)) }
        pause(nil)
      }
      if state.withLock({ $0.isAbandoned }) {
        let lost = drain.abandon(&file)
        state.withLock { state in
          if state.inHand > 0 { state.backlog.drop(lines: lost) }
          state.inHand = 0
        }
        break
      }
    }
    file.close()
    state.withLock { $0.isClosed = true }
  }

  private func takeNext() -> LogBlock? {
    state.withLock { state in
      let block = state.backlog.take()
      state.inHand = block?.lines ?? 0
      return block
    }
  }

  /// Tells that all is well again, if it was not; true if it did.
  private func endTrouble() -> Bool {
    let news = state.withLock { state -> LogNews? in
      guard state.isFailing || state.isDropping else { return nil }
      (state.isFailing, state.isDropping) = (false, false)
      defer { state.told = state.backlog.dropped }
      return .recovered(dropped: state.backlog.dropped - state.told)
    }
    if let news { tell(news) }
    return news != nil
  }

  /// Waits until there is something to do, or for so many milliseconds; false if there is nothing and never will be.
  private func rest(until wait: Int?) -> Bool {
    let goesOn = state.withLock { state -> (isLast: Bool, waits: Bool) in
      let waits = state.backlog.isEmpty && !state.reopens
      state.isIdle = waits && !state.isClosing
      return (state.isClosing, waits)
    }
    guard goesOn.waits else { return true }
    if goesOn.isLast {
      _ = tick(true)
      return !state.withLock { $0.backlog.isEmpty }
    }
    watch(bell, CShort(POLLIN), wait.map { CInt(min($0, 60_000)) } ?? -1)
    silence()
    state.withLock { $0.isIdle = false }
    return true
  }

  /// Waits before it is tried again, or until somebody reads.
  private func pause(_ descriptor: CInt?) {
    if let descriptor {
      watch(descriptor, CShort(POLLOUT), Self.pause)
    } else {
      watch(bell, CShort(POLLIN), Self.pause)
      silence()
    }
  }

  private func watch(_ descriptor: CInt, _ events: CShort, _ milliseconds: CInt) {
    var watched = pollfd(fd: descriptor, events: events, revents: 0)
    _ = poll(&watched, 1, milliseconds)
  }

  private func silence() {
    var count: UInt64 = 0
    _ = read(bell, &count, MemoryLayout<UInt64>.size)
  }
}
