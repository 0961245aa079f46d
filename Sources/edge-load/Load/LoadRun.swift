// A run from start to report: threads, progress lines, an early end on Ctrl-C.

import Dispatch
import Glibc
import NIOPosix
import Synchronization

/// One load run.
struct LoadRun {
  /// What is to be done.
  let plan: LoadPlan
  /// Whether a line on standard error shows each second how far it is.
  let showsProgress: Bool

  /// Runs to the end and reports; blocks the calling thread.
  func run() throws -> LoadReport {
    let addresses = try plan.targets.map { target in
      let found = ServerAddress.resolve(host: target.host, port: target.port)
      guard !found.isEmpty else {
        throw CommandFailure.cannotStart("no address for \(target.host); check --target")
      }
      return found
    }
    let (plan, requests) = (plan, RequestTable(plan))
    let progress = (0..<plan.threads).map { _ in LoadProgress() }
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
        guard let poller = Poller() else { return }
        // Made on the thread that it is confined to.
        let loop = LoadLoop(
          plan: plan, requests: requests, addresses: addresses, number: number, poller: poller,
          progress: progress)
        let nanoseconds = loop.run()
        sum.add(loop.tally, nanoseconds: nanoseconds)
      }
    }
    waitFor(ended, progress)
    return sum.report(plan)
  }

  /// The first signal ends the run early, with its report; the second one ends the process.
  private func stopSignal(_ progress: [LoadProgress]) -> StopSignal {
    let signals = SignalCount()
    return StopSignal {
      if signals.increment() > 1 { Glibc.exit(128 + SIGINT) }
      for progress in progress { progress.isStopped.store(true, ordering: .relaxed) }
    }
  }

  /// Waits until each thread has ended, and shows each second how far they are.
  private func waitFor(_ ended: DispatchSemaphore, _ progress: [LoadProgress]) {
    let line = ProgressLine(progress)
    let begin = DispatchTime.now()
    var second = 1
    var running = plan.threads
    while running > 0 {
      if ended.wait(timeout: begin + .seconds(second)) == .success {
        running -= 1
      } else {
        if showsProgress { writeToStandardError(line.next(second: Int64(second)) + "\n") }
        second += 1
      }
    }
  }
}

/// The sum of what all threads have counted.
private final class LoadSum: Sendable {
  private let sum = Mutex((tally: LoadTally(), nanoseconds: Int64(0)))

  /// Adds what one thread has counted, and how long it measured.
  func add(_ tally: LoadTally, nanoseconds: Int64) {
    sum.withLock { sum in
      sum.tally.add(tally)
      sum.nanoseconds = max(sum.nanoseconds, nanoseconds)
    }
  }

  /// The report on a run that has ended.
  func report(_ plan: LoadPlan) -> LoadReport {
    sum.withLock { LoadReport($0.tally, plan: plan, seconds: Double($0.nanoseconds) / 1e9) }
  }
}

/// How often the process was asked to stop.
private final class SignalCount: Sendable {
  private let count = Atomic<Int>(0)

  func increment() -> Int {
    count.add(1, ordering: .relaxed).newValue
  }
}

/// The progress lines of a run, each telling the difference to the one before.
final class ProgressLine: Sendable {
  private let progress: [LoadProgress]
  private let seen = Mutex((responses: 0, hits: 0))

  /// Lines over the sum of the threads' progress.
  init(_ progress: [LoadProgress]) {
    self.progress = progress
  }

  /// The next line.
  func next(second: Int64) -> String {
    let responses = progress.reduce(0) { $0 + $1.responses.load(ordering: .relaxed) }
    let hits = progress.reduce(0) { $0 + $1.hits.load(ordering: .relaxed) }
    let errors = progress.reduce(0) { $0 + $1.errors.load(ordering: .relaxed) }
    return seen.withLock { seen in
      let (more, moreHits) = (responses - seen.responses, hits - seen.hits)
      seen = (responses, hits)
      let ratio = more > 0 ? ReportText.percent(Double(moreHits) / Double(more)) : "-"
      return "\(second) s: \(more) requests, hits \(ratio), \(errors) errors so far"
    }
  }
}
