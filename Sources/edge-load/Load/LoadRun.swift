// A run from start to report: event loops, progress lines, an early end on Ctrl-C.

import Glibc
import NIOCore
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
    let group = MultiThreadedEventLoopGroup(numberOfThreads: plan.threads)
    defer { try? group.syncShutdownGracefully() }
    let requests = RequestTable(plan)
    let progress = (0..<plan.threads).map { _ in LoadProgress() }
    // Each loop's state is made on that loop and never leaves it but through the event loop.
    let loops = try progress.enumerated().map { number, progress in
      let eventLoop = group.next()
      return try eventLoop.submit {
        NIOLoopBound(
          LoadLoop(
            plan: plan, requests: requests, number: number, eventLoop: eventLoop,
            progress: progress),
          eventLoop: eventLoop)
      }.wait()
    }
    let stop = stopSignal(loops)
    let printer = showsProgress ? printProgress(progress, on: group.next()) : nil
    let started = loops.map { loop in
      loop.eventLoop.flatSubmit {
        loop.value.run()
        return loop.value.done.futureResult
      }
    }
    let spans = try started.map { try $0.wait() }
    printer?.cancel()
    stop.cancel()
    var tally = LoadTally()
    for loop in loops {
      tally.add(try loop.eventLoop.submit { loop.value.tally }.wait())
    }
    let longest = spans.map(\.nanoseconds).max() ?? 0
    return LoadReport(tally, plan: plan, seconds: Double(longest) / 1e9)
  }

  /// The first signal ends the run early, with its report; the second one ends the process.
  private func stopSignal(_ loops: [NIOLoopBound<LoadLoop>]) -> StopSignal {
    let signals = SignalCount()
    return StopSignal {
      if signals.increment() > 1 { Glibc.exit(128 + SIGINT) }
      for loop in loops { loop.eventLoop.execute { loop.value.stop() } }
    }
  }

  private func printProgress(
    _ progress: [LoadProgress], on eventLoop: any EventLoop
  ) -> RepeatedTask {
    let begin = NIODeadline.now()
    let line = ProgressLine(progress)
    return eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
      let seconds = (NIODeadline.now() - begin).nanoseconds / 1_000_000_000
      writeToStandardError(line.next(second: seconds) + "\n")
    }
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

  /// Lines over the sum of the loops' progress.
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
