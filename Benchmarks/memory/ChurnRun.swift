import EdgeCache
import Glibc
import NIOCore
import Synchronization

/// Turns the whole budget over many times while the sizes change from small to large and back, which
/// is what tears an allocator's memory to pieces, and reports resident memory against the budget.
enum ChurnRun {
  static let budget = 256 << 20

  /// Median bytes of content in each phase; the first one comes back at the end.
  static let medians: [Double] = [2000, 17_000, 120_000, 17_000, 500, 2000]

  static func run(turnovers: Int) {
    let store = Store(limits: StoreLimits(memory: budget), secret: HashSecret(1, 2))
    let baseline = ProcessMemory.now()
    print("budget \(mebibytes(budget)) MiB, process before \(mebibytes(baseline.resident)) MiB")
    print("median  turnovers  counted  resident  /budget  less before  hits")
    let peak = Atomic<Int>(0)
    let stored = Atomic<Int>(0)
    let tallies = Mutex(Worker.Tally())
    let barrier = Barrier(2)
    // The same threads throughout, as event loops are: the allocator serves each from its own arena.
    inThreads(2) { thread in
      for (phase, median) in medians.enumerated() {
        for part in 0..<2 {
          let target = turnovers * budget / (medians.count * 2)
          let seed = UInt64(phase * 100 + part * 10 + thread)
          let tally = Worker(store: store, seed: seed, phase: phase, median: median)
            .work(bytes: target / 2) { notePeak(peak) }
          tallies.withLock { $0.add(tally) }
          stored.add(tally.bytes, ordering: .relaxed)
          barrier.wait()
          if thread == 0 {
            let all = tallies.withLock { tallies in
              defer { tallies = Worker.Tally() }
              return tallies
            }
            report(store, median, stored.load(ordering: .relaxed), baseline, all.hitRatio)
            if phase == 2, part == 1 {
              _ = store.purge(.everything)
              report(store, 0, stored.load(ordering: .relaxed), baseline, 0)
            }
          }
          barrier.wait()
        }
      }
    }
    let end = ProcessMemory.now()
    let most = Double(peak.load(ordering: .relaxed))
    print("peak    resident / budget \(decimal(most / Double(budget), 3))")
    print(
      "        less the process before \(decimal((most - Double(baseline.resident)) / Double(budget), 3))"
    )
    let gibibytes = Double(stored.load(ordering: .relaxed)) / 0x1p30
    print(
      "faults  \(decimal(Double(end.faults - baseline.faults) / gibibytes, 0)) for each GiB stored")
    print("CPU     \(decimal((end.cpu - baseline.cpu) / gibibytes, 3)) s for each GiB stored")
  }

  private static func notePeak(_ peak: borrowing Atomic<Int>) {
    peak.max(ProcessMemory.now().resident, ordering: .relaxed)
  }

  private static func report(
    _ store: Store, _ median: Double, _ stored: Int, _ baseline: ProcessMemory, _ hits: Double
  ) {
    let memory = ProcessMemory.now()
    let less = Double(memory.resident - baseline.resident) / Double(budget)
    let columns = [
      median == 0 ? "purged" : "\(Int(median))", decimal(Double(stored) / Double(budget), 1),
      mebibytes(store.statistics.bytes), mebibytes(memory.resident),
      decimal(Double(memory.resident) / Double(budget), 3), decimal(less, 3), decimal(hits, 2),
    ]
    let widths = [6, 9, 7, 8, 7, 11, 4]
    print(
      zip(columns, widths).map { column, width in
        String(repeating: " ", count: max(0, width - column.count)) + column
      }.joined(separator: "  "))
  }

  private static func inThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    final class Job {
      let body: () -> Void
      init(_ body: @escaping () -> Void) { self.body = body }
    }
    var threads: [pthread_t] = []
    for number in 0..<count {
      var thread = pthread_t()
      let job = Unmanaged.passRetained(Job { body(number) })
      pthread_create(
        &thread, nil,
        { pointer in
          if let pointer { Unmanaged<Job>.fromOpaque(pointer).takeRetainedValue().body() }
          return nil
        }, job.toOpaque())
      threads.append(thread)
    }
    for thread in threads { pthread_join(thread, nil) }
  }
}

/// Where threads wait for each other.
private final class Barrier: @unchecked Sendable {
  // The kernel's own barrier is made for threads; nobody copies or moves what this points to.
  private let barrier = UnsafeMutablePointer<pthread_barrier_t>.allocate(capacity: 1)

  init(_ count: UInt32) { pthread_barrier_init(barrier, nil, count) }

  func wait() { pthread_barrier_wait(barrier) }
}

/// One thread's requests, several under way at a time so that their memory interleaves.
private struct Worker {
  struct Tally {
    var hits = 0
    var requests = 0
    var bytes = 0
    var hitRatio: Double { Double(hits) / Double(max(1, requests)) }

    mutating func add(_ other: Tally) {
      hits += other.hits
      requests += other.requests
      bytes += other.bytes
    }
  }

  /// Resources of one phase.
  static let resources = 300_000.0

  let store: Store
  var random: SplitMix
  let phase: Int
  let median: Double
  let now = Instant(seconds: 1_700_000_000)

  init(store: Store, seed: UInt64, phase: Int, median: Double) {
    self.store = store
    self.phase = phase
    self.median = median
    random = SplitMix(state: seed)
  }

  /// Megabytes that all threads together may store in a second; RATE_MB=0 for as many as they can.
  private static let rate = getenv("RATE_MB").flatMap { Int(String(cString: $0)) } ?? 400

  /// Waits until storing that many bytes since `start` is no faster than the rate.
  private func keepPace(_ bytes: Int, since start: ContinuousClock.Instant) {
    guard Self.rate > 0 else { return }
    let due = Double(bytes * 2) / (Double(Self.rate) * 1e6)
    let ahead = due - (ContinuousClock.now - start) / .seconds(1)
    if ahead > 0.001 { usleep(UInt32(ahead * 1e6)) }
  }

  func work(bytes target: Int, eachMany: () -> Void) -> Tally {
    let start = ContinuousClock.now
    var worker = self
    var tally = Tally()
    var open: [Transfer] = []
    var buffers = ReceiveBuffers()
    while tally.bytes < target {
      while open.count < 16 {
        let (path, length) = worker.resource()
        tally.requests += 1
        if tally.requests % 64 == 0 { keepPace(tally.bytes, since: start) }
        if tally.requests % 2000 == 0 { eachMany() }
        let transfer = Transfer(path: path, length: length, store: store, now: now)
        open.append(transfer)
        transfer.step(now, &buffers)
        if transfer.isHit { tally.hits += 1 } else { tally.bytes += length }
        if transfer.isOver { open.removeLast() }
        if tally.bytes >= target { break }
      }
      guard !open.isEmpty else { continue }
      let place = Int(worker.random.next() % UInt64(open.count))
      open[place].step(now, &buffers)
      if open[place].isOver { open.swapAt(place, open.count - 1); open.removeLast() }
    }
    while !open.isEmpty {
      for place in open.indices { open[place].step(now, &buffers) }
      open.removeAll { $0.isOver }
    }
    return tally
  }

  /// A resource by Zipf's law (exponent 1), and its length, which is always the same for it.
  private mutating func resource() -> (String, Int) {
    let rank = Int(pow(Self.resources, random.unit()))
    var own = SplitMix(state: UInt64(phase) << 40 | UInt64(rank))
    let length: Double
    if own.unit() < 0.0175 {
      length = 1e6 / pow(1 - own.unit(), 1 / 1.38)
    } else {
      let normal = sqrt(-2 * log(1 - own.unit())) * cos(2 * .pi * own.unit())
      length = median * exp(1.25 * normal)
    }
    let limit = Double(store.limits.largestResponse) * 0.8
    return (
      "/assets/\(phase)/section-\(rank % 97)/item-\(rank).js", Int(min(max(length, 1), limit))
    )
  }
}
