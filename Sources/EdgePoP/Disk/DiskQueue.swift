import EdgeCache
import EdgeSocket
import Glibc
import Logging
import NIOCore
import NIOPosix
import Synchronization

// The threads that may wait for one disk, and bounded queues before them. A disk that is slow or stuck makes
// misses and responses that are not kept, and never anybody wait who does not ask for what is on it.

/// One disk with its threads.
final class DiskQueue: Sendable {
  private struct Queue: Sendable {
    var writes = CircularBuffer<Pending>()
    /// Number of writes that wait, by identity.
    var waiting: [KeyHash: Int] = [:]
    var bytes = 0
    /// Bytes of large content that waits, which is counted in memory as long as it does.
    var largeBytes = 0
    var isDraining = false
    /// The lowest stamp of what is being written.
    var oldestWriting = UInt64.max
    /// Purges and removals that are not in the log yet.
    var purges: [(purge: Purge, sequence: UInt64)] = []
    /// How far other lists were read, with all that they brought.
    var cursors: [(list: String, cursor: PurgeCursor)] = []
    var removals: [DiskStore.Removal] = []
    var isLogging = false
    /// True once the files may be another process's.
    var isReleased = false
    var reads = 0
    var bypassedReads: UInt64 = 0
    var bypassedWrites: UInt64 = 0
    /// What the log was told that the disk is in trouble with.
    var told: DiskTrouble?
    var latencies = LatencyHistogram()
  }

  private struct Pending: Sendable {
    let write: DiskWrite
    let cost: Int
    /// What of it is large content.
    let large: Int
    /// False once something newer came.
    var isWanted = true
  }

  let store: DiskStore
  let path: String
  private let readers = NIOThreadPool(numberOfThreads: readerCount)
  /// One, so that everything that is written is written in order.
  private let writer = NIOThreadPool(numberOfThreads: 1)
  private let queue = Mutex(Queue())
  private let clock: ProcessClock
  private let logger: Logger

  private static let readerCount = 8
  /// Of the thread that writes, from 0 to 19.
  private static let niceness: CInt = 15
  /// Reads that wait or run; more are misses.
  private static let mostReads = 512
  /// Bytes of responses that wait to be written; more are not kept.
  private static let mostBytes = 64 << 20
  /// Bytes that are handed to the store at once, about.
  private static let batch = 1 << 20

  init(_ store: DiskStore, path: String, clock: ProcessClock, logger: Logger) {
    self.store = store
    self.path = path
    self.clock = clock
    self.logger = logger
  }

  func start() {
    readers.start()
    writer.start()
    // Nobody waits for what is written: the loops go first.
    writer.submit { _ in setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness) }
    let statistics = store.statistics
    logger.info(
      "disk store opened",
      metadata: [
        "path": "\(path)", "responses": "\(statistics.recovered)",
        "milliseconds": "\(statistics.recoveryMilliseconds)", "bytes": "\(statistics.capacity)",
      ])
    for notice in statistics.notices {
      logger.warning(
        "disk store: \(notice)",
        metadata: ["path": "\(path)", "advice": "\(Self.advice(notice))"])
    }
    tell()
    if statistics.isReduced {
      let sizes = "\(statistics.capacity >> 20) MiB instead of \(statistics.allowed >> 20) MiB"
      logger.warning(
        "there is less room on disk than the store was given; it is smaller now: \(sizes)",
        metadata: [
          "path": "\(path)", "bytes": "\(statistics.capacity)",
          "advice": "free some room and restart, or give it a smaller size",
        ])
    }
  }

  private static func advice(_ notice: DiskNotice) -> String {
    switch notice {
    case .fenced(_, isFull: true):
      "make room on the disk; purge again what was answered with 500, and do not restart while the disk is full"
    case .fenced:
      "find out who changes files of the store, or look for a failing disk; purge again what must not be "
        + "seen even if the origin confirms it"
    case .clockBehind: "set the clock right, and start PoPs after time-sync.target"
    case .headerDamaged, .headerMissing:
      "look for a failing disk; remove the files that end with .damaged when you have looked at them"
    case .segmentsLost: "look for a failing disk, or find out who changes files of the store"
    case .wasAway, .usedApart: "give all disks at each start"
    case .older, .resized: "nothing is to be done"
    }
  }

  /// Ends the threads, after what is under way.
  func stop() async {
    await withCheckedContinuation { continuation in
      writer.submit { [self] _ in
        if !isReleased { store.keepTime(clock.read(), isLast: true) }
        continuation.resume()
      }
    }
    try? await readers.shutdownGracefully()
    try? await writer.shutdownGracefully()
  }

  // MARK: Letting go

  /// True while something of it is read or sent, or waits to be written.
  var isInUse: Bool { queue.withLock { $0.reads > 0 || $0.isDraining } || store.isRead }

  /// True once the files may be another process's. On the thread that writes.
  private var isReleased: Bool { queue.withLock { $0.isReleased } }

  /// Writes what is left of the log, calls `unlock`, and writes nothing from then on.
  func release(_ unlock: @escaping @Sendable () -> Void) async {
    await withCheckedContinuation { continuation in
      writer.submit { [self] state in
        if case .active = state, !isReleased {
          try? writeLog(syncs: true)
          store.keepTime(clock.read(), isLast: true)
          queue.withLock { $0.isReleased = true }
          unlock()
        }
        continuation.resume()
      }
    }
  }

  /// Reads and writes that were left out because too much was waiting.
  var bypassed: (reads: UInt64, writes: UInt64) {
    queue.withLock { ($0.bypassedReads, $0.bypassedWrites) }
  }

  /// How long reads took that had to wait for the disk.
  var latencies: LatencyHistogram { queue.withLock { $0.latencies } }

  // MARK: Reading

  /// Looks for something as far as that needs no waiting.
  func look(
    _ key: CacheKey, request: FieldSection, purpose: ReadPurpose, now: Instant
  ) -> DiskStore.Look {
    store.look(key, request: request, purpose: purpose, now: now, waits: false)
  }

  /// Reads what a request selects; `completion` is called on another thread, or at once with nothing if too
  /// much is waiting.
  func read(
    _ key: CacheKey, request: FieldSection, purpose: ReadPurpose, now: Instant,
    completion: @escaping @Sendable (DiskStore.Read?) -> Void
  ) {
    let began = Monotonic.now()
    let isTaken = submit { [self] in
      let look = store.look(key, request: request, purpose: purpose, now: now, waits: true)
      let took = Monotonic.now() - began
      queue.withLock { $0.latencies.count(nanoseconds: took) }
      if case .found(let read) = look { completion(read) } else { completion(nil) }
    }
    if !isTaken { completion(nil) }
  }

  /// Runs what waits for this disk; false if too much is waiting already.
  func submit(_ body: @escaping @Sendable () -> Void) -> Bool {
    let isTaken = queue.withLock { queue in
      if queue.reads >= Self.mostReads {
        queue.bypassedReads += 1
        return false
      }
      queue.reads += 1
      return true
    }
    guard isTaken else { return false }
    readers.submit { [self] _ in
      body()
      queue.withLock { $0.reads -= 1 }
    }
    return true
  }

  // MARK: What the store says

  var oldestStamp: UInt64 { min(oldestPending, store.oldestStamp) }

  var oldestUnswept: UInt64 { min(oldestPending, store.oldestUnswept) }

  /// Records that are looked at without a break.
  private static let sweepStep = 64

  /// Looks for what was purged; false if there is nothing to look for.
  func sweep() async -> Bool {
    await withCheckedContinuation { continuation in
      writer.submit { [self] state in
        guard case .active = state, !isReleased else {
          return continuation.resume(returning: false)
        }
        continuation.resume(returning: store.sweep(count: Self.sweepStep))
      }
    }
  }

  /// The lowest stamp of what waits to be written, or is.
  var oldestPending: UInt64 {
    queue.withLock { queue in
      queue.writes.reduce(queue.oldestWriting) { min($0, $1.write.stamp) }
    }
  }

  /// True if half of what may wait to be written does.
  var isBusy: Bool { queue.withLock { $0.bytes + $0.largeBytes > Self.mostBytes / 2 } }

  /// Writes a response, if it is admitted. What leads to pieces always is, or they could not be found.
  func stored(_ response: StoredResponse, stamp: UInt64, always: Bool = false) {
    guard store.admits(response.key.hash, always: always || response.pieced != nil) else { return }
    append(response, stamp: stamp, isBounded: true)
  }

  /// True if a response is admitted that is written in pieces: all of them or none, when not much waits.
  func admits(_ response: StoredResponse, pieces: Int) -> Bool {
    guard store.admits(response.key.hash) else { return false }
    if isBusy {
      queue.withLock { $0.bypassedWrites += UInt64(pieces) }
      return false
    }
    return true
  }

  /// Writes a response; one that is `isBounded` only if not too much waits.
  func append(_ response: StoredResponse, stamp: UInt64, isBounded: Bool = false) {
    let large = response.content.isLarge ? response.content.count : 0
    let cost = response.cost - large
    let begins = queue.withLock { queue in
      if isBounded, queue.bytes + cost > Self.mostBytes {
        queue.bypassedWrites += 1
        return false
      }
      queue.writes.append(
        Pending(write: DiskWrite(response, stamp: stamp), cost: cost, large: large))
      queue.waiting[response.key.hash, default: 0] += 1
      queue.bytes += cost
      queue.largeBytes += large
      if queue.isDraining { return false }
      queue.isDraining = true
      return true
    }
    if begins { writer.submit { [self] state in drain(state) } }
  }

  /// Writes a batch; purges have their turn before the next one.
  private func drain(_ state: NIOThreadPool.WorkItemState) {
    let (batch, cost, large) = queue.withLock { queue -> (DiskStore.Announced?, Int, Int) in
      guard case .active = state else { return (nil, 0, 0) }
      var batch: [DiskWrite] = []
      var (cost, large) = (0, 0)
      while cost + large < Self.batch, let next = queue.writes.popFirst() {
        cost += next.cost
        large += next.large
        let hash = next.write.response.key.hash
        if let count = queue.waiting[hash] { queue.waiting[hash] = count > 1 ? count - 1 : nil }
        if next.isWanted { batch.append(next.write) }
      }
      if cost == 0 { queue.isDraining = false }
      queue.oldestWriting = batch.reduce(UInt64.max) { min($0, $1.stamp) }
      // Whoever takes something out asks here first, and the store then: one of both knows of it.
      return (cost == 0 ? nil : store.announce(batch), cost, large)
    }
    guard let batch else { return }
    // Nothing is admitted any more by then.
    if isReleased { return }
    // What was purged before goes first: a response that came after it would prove that it is missing.
    if queue.withLock({ $0.isLogging }) { try? writeLog(syncs: false) }
    _ = store.write(batch)
    tell()
    queue.withLock {
      $0.bytes -= cost
      $0.largeBytes -= large
      $0.oldestWriting = .max
    }
    writer.submit { [self] state in drain(state) }
  }

  /// Says once what the disk is in trouble with, and when that is over.
  private func tell() {
    let trouble = store.trouble
    let told = queue.withLock { queue in
      defer { queue.told = trouble }
      return queue.told
    }
    if let trouble, told == nil || told?.cause != trouble.cause {
      logger.error(
        "the disk takes not all that it is given",
        metadata: [
          "path": "\(path)", "reason": "\(trouble)",
          "advice": "make room, or replace it if it fails; it is tried again by itself",
        ])
    } else if let told, trouble == nil {
      logger.notice(
        "the disk takes again what it is given",
        metadata: ["path": "\(path)", "reason": "\(told.cause)", "failures": "\(told.failures)"])
    }
  }

  /// Tries again what did not go; true if it goes now.
  func tend() async -> Bool {
    await withCheckedContinuation { continuation in
      writer.submit { [self] state in
        guard case .active = state, !isReleased else {
          return continuation.resume(returning: false)
        }
        let before = store.trouble
        store.tend(now: clock.read())
        tell()
        continuation.resume(returning: before != nil && store.trouble == nil)
      }
    }
  }

  /// What is stored for the same requests as a response has become unusable.
  func replaced(_ response: StoredResponse) {
    drop(response.key.hash) {
      $0.key.scheme == response.key.scheme && $0.selector == response.selector
    }
    if let removal = store.remove(response.key, response.selector) { log(removal) }
  }

  /// All that is stored of an identity has become unusable.
  func removed(_ hash: KeyHash) {
    drop(hash) { _ in true }
    if let removal = store.remove(hash) { log(removal) }
  }

  /// Leaves out what waits to be written.
  private func drop(_ hash: KeyHash, where isMeant: (StoredResponse) -> Bool) {
    queue.withLock { queue in
      guard queue.waiting[hash] != nil else { return }
      for index in queue.writes.indices {
        let response = queue.writes[index].write.response
        if response.key.hash == hash, isMeant(response) { queue.writes[index].isWanted = false }
      }
    }
  }

  func purged(_ purge: Purge, sequence: UInt64) -> Int {
    let count = store.forget(purge)
    // Those that nobody waits for are written too.
    enqueue { $0.purges.append((purge, sequence)) }
    return count
  }

  /// Another list was read this far; it is logged behind all that it brought.
  func note(_ cursor: PurgeCursor, of list: String) {
    enqueue { $0.cursors.append((list, cursor)) }
  }

  private func log(_ removal: DiskStore.Removal) {
    enqueue { $0.removals.append(removal) }
  }

  private func enqueue(_ change: (inout Queue) -> Void) {
    let begins = queue.withLock { queue in
      change(&queue)
      defer { queue.isLogging = true }
      return !queue.isLogging
    }
    if begins {
      writer.submit { [self] _ in
        try? writeLog(syncs: false)
        tell()
      }
    }
  }

  // MARK: Purging

  private func writeLog(syncs: Bool) throws(DiskError) {
    let (purges, cursors, removals) = queue.withLock { queue in
      defer {
        queue.purges = []
        queue.cursors = []
        queue.removals = []
        queue.isLogging = false
      }
      return (queue.purges, queue.cursors, queue.removals)
    }
    if isReleased {
      throw DiskError(
        operation: "write", file: path, reason: "it was given to another edge-pop; purge again")
    }
    if !removals.isEmpty { store.log(removals, now: clock.read()) }
    if purges.isEmpty, cursors.isEmpty, !syncs { return }
    try store.log(purges, cursors: cursors, syncs: syncs, now: clock.read())
  }

  /// Makes all purges so far outlast a crash; `completion` is called on another thread, with the reason if
  /// that is not possible.
  func makePurgesLast(_ completion: @escaping @Sendable (DiskError?) -> Void) {
    writer.submit { [self] _ in
      defer { tell() }
      do throws(DiskError) {
        try writeLog(syncs: true)
        completion(nil)
      } catch {
        completion(error)
      }
    }
  }
}
