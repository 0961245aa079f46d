// A run from start to report: threads, progress lines, an early end on Ctrl-C.

import Dispatch
import EdgeFleet
import EdgeSocket
import Glibc
import NIOPosix
import Synchronization

/// One load run.
struct LoadRun {
  /// What is to be done.
  let plan: LoadPlan
  /// Whether a line on standard error shows each second how far it is.
  let showsProgress: Bool
  /// When it begins, in seconds since 1970.
  var now = WallClock.seconds

  /// Runs to the end and reports; blocks the calling thread.
  func run() throws -> LoadReport {
    let addresses = try plan.targets.map { target in
      let found = InternetAddress.resolve(host: target.host, port: target.port)
      guard !found.isEmpty else {
        throw CommandFailure.cannotStart("no address for \(target.host); check --target")
      }
      return found
    }
    let replay = try replayLog()
    let started = WallClock.iso(now())
    let (plan, requests) = (plan, RequestTable(plan))
    let progress = (0..<plan.threads).map { _ in LoadProgress() }
    let board = plan.purges.map { PurgeBoard(resources: $0.resources) }
    let sum = LoadSum()
    let ended = DispatchSemaphore(value: 0)
    let threads = NIOThreadPool(numberOfThreads: plan.threads)
    threads.start()
    defer { try? threads.syncShutdownGracefully() }
    let stop = stopSignal(progress)
    defer { stop.cancel() }
    for (number, progress) in progress.enumerated() {
      threads.submit { _ in
        defer { ended.signal() }
        do {
          // A request that is due in 100 us is to leave then, not 50 us later.
          Poller.makeTimersExact()
          guard let poller = Poller() else { throw CommandFailure.cannotStart("no epoll") }
          // Made on the thread that it is confined to.
          let loop = LoadLoop(
            plan: plan, requests: requests, addresses: addresses, number: number, poller: poller,
            progress: progress, board: board, replay: replay)
          let nanoseconds = loop.run()
          sum.add(loop.tally, nanoseconds: nanoseconds)
        } catch {
          sum.fail(error)
        }
      }
    }
    let stopPurging = purge(board)
    waitFor(ended, progress)
    stopPurging()
    var report = try sum.report(plan)
    report.purges = board?.summary()
    report.log = replay?.account
    report.run = RunFacts(plan, started: started)
    return report
  }

  private func replayLog() throws(CommandFailure) -> ReplayLog? {
    guard let replay = plan.replay else { return nil }
    do throws(TraceProblem) {
      return try ReplayLog(replay) { writeToStandardError("edge-load: \($0)\n") }
    } catch {
      throw .cannotStart(error.description)
    }
  }

  /// The first signal ends the run early, with its report; the second one ends the process.
  private func stopSignal(_ progress: [LoadProgress]) -> StopSignal {
    let signals = SignalCount()
    return StopSignal {
      if signals.increment() > 1 { Glibc.exit(128 + SIGINT) }
      for progress in progress { progress.isStopped.store(true, ordering: .relaxed) }
    }
  }

  /// Waits until each thread has ended, and shows meanwhile how far they are.
  private func waitFor(_ ended: DispatchSemaphore, _ progress: [LoadProgress]) {
    var display = display(progress)
    // A second is known shortly after it has ended.
    let begin = DispatchTime.now() + .milliseconds(display?.isTerminal == false ? 100 : 0)
    var pictures = 0
    var running = plan.threads
    while running > 0 {
      let next = begin + .milliseconds((display?.interval ?? 1000) * (pictures + 1))
      if ended.wait(timeout: next) == .success {
        running -= 1
      } else {
        if let text = display?.next() { writeToStandardError(text) }
        pictures += 1
      }
    }
    if let text = display?.erased() { writeToStandardError(text) }
  }

  private func display(_ progress: [LoadProgress]) -> LiveDisplay? {
    guard showsProgress else { return nil }
    let isDumb = Self.variable("TERM") == "dumb"
    let isTerminal = isatty(STDERR_FILENO) == 1 && !isDumb
    return LiveDisplay(
      progress, plan: plan, isTerminal: isTerminal,
      hasColour: isTerminal && Self.variable("NO_COLOR").isEmpty)
  }

  private static func variable(_ name: String) -> String {
    getenv(name).map { String(cString: $0) } ?? ""
  }

  /// Purges until the returned closure is called, which waits for the purges under way.
  private func purge(_ board: PurgeBoard?) -> () -> Void {
    guard let purges = plan.purges, let board else { return {} }
    let hosts = plan.targets.map { plan.host ?? $0.authority }
    let driver = PurgeDriver(purges, hosts: hosts, board: board, timeout: plan.timeout)
    let ended = DispatchSemaphore(value: 0)
    Task {
      await driver.run()
      ended.signal()
    }
    return {
      driver.stop()
      ended.wait()
    }
  }
}

/// The sum of what all threads have counted.
private final class LoadSum: Sendable {
  private struct State {
    var tally = LoadTally()
    var nanoseconds = Int64(0)
    var failure: String?
  }

  private let sum = Mutex(State())

  /// Adds what one thread has counted, and how long it measured.
  func add(_ tally: LoadTally, nanoseconds: Int64) {
    sum.withLock { sum in
      sum.tally.add(tally)
      sum.nanoseconds = max(sum.nanoseconds, nanoseconds)
    }
  }

  /// Notes that a thread could not begin.
  func fail(_ error: any Error) {
    sum.withLock { $0.failure = (error as? CommandFailure)?.line ?? "\(error)" }
  }

  /// The report on a run that has ended.
  func report(_ plan: LoadPlan) throws(CommandFailure) -> LoadReport {
    let sum = sum.withLock { $0 }
    if let failure = sum.failure { throw .cannotStart(failure) }
    return LoadReport(sum.tally, plan: plan, seconds: Double(sum.nanoseconds) / 1e9)
  }
}

/// How often the process was asked to stop.
private final class SignalCount: Sendable {
  private let count = Atomic<Int>(0)

  func increment() -> Int {
    count.add(1, ordering: .relaxed).newValue
  }
}
