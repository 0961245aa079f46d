import EdgeCache
import EdgeFleet
import EdgeSocket
import Logging
import NIOCore
import NIOPosix
import Synchronization

// The disk below memory: threads that may wait for it, and bounded queues before them. A disk that is slow
// or stuck makes misses and responses that are not kept, and never anybody wait who does not ask for what
// is on it.

/// The disk tier of one PoP.
final class DiskTier: LowerTier {
  private struct Pending: Sendable {
    let response: StoredResponse
    let stamp: UInt64
    let cost: Int
  }

  private struct Queue: Sendable {
    var writes: [Pending] = []
    var bytes = 0
    var isDraining = false
    /// Purges that are not in the log yet.
    var purges: [(scope: PurgeScope, sequence: UInt64)] = []
    var reads = 0
    var bypassedReads: UInt64 = 0
    var bypassedWrites: UInt64 = 0
    var hasComplained = false
  }

  let store: DiskStore
  private let readers = NIOThreadPool(numberOfThreads: readerCount)
  /// One, so that everything that is written is written in order.
  private let writer = NIOThreadPool(numberOfThreads: 1)
  private let queue = Mutex(Queue())
  private let logger: Logger

  private static let readerCount = 8
  /// Reads that wait or run; more are misses.
  private static let mostReads = 512
  /// Bytes of responses that wait to be written; more are not kept.
  private static let mostBytes = 64 << 20

  /// Opens the store in a directory. Waits for the disk. Throws ``StartProblem``.
  init(
    _ options: FleetConfiguration.Disk, purges: PurgeLog, logger: Logger
  ) throws(StartProblem) {
    let volume = try FileVolume(options.path)
    let admission: DiskAdmissionPolicy =
      switch options.admission {
      case .auto, nil: .auto
      case .all: .all
      case .secondHit: .secondHit
      }
    var generator = SystemRandomNumberGenerator()
    do {
      store = try DiskStore.open(
        volume, DiskOptions(size: options.size.bytes, admission: admission), purges: purges,
        now: WallClock.now(), random: { generator.next() },
        clock: { Monotonic.now() / 1_000_000 })
    } catch {
      throw StartProblem("--disk \(options.path): \(error)")
    }
    self.logger = logger
    readers.start()
    writer.start()
    let statistics = store.statistics
    logger.info(
      "disk store opened",
      metadata: [
        "path": "\(options.path)", "responses": "\(statistics.recovered)",
        "milliseconds": "\(statistics.recoveryMilliseconds)",
      ])
  }

  /// Ends the threads, after what is under way.
  func stop() async {
    try? await readers.shutdownGracefully()
    try? await writer.shutdownGracefully()
  }

  /// Reads and writes that were left out because too much was waiting.
  var bypassed: (reads: UInt64, writes: UInt64) {
    queue.withLock { ($0.bypassedReads, $0.bypassedWrites) }
  }

  // MARK: Reading

  /// Reads what a request selects; `completion` is called on another thread, or at once with nothing if too
  /// much is waiting.
  func read(
    _ key: CacheKey, request: FieldSection,
    completion: @escaping @Sendable (DiskStore.Read?) -> Void
  ) {
    let isTaken = queue.withLock { queue in
      if queue.reads >= Self.mostReads {
        queue.bypassedReads += 1
        return false
      }
      queue.reads += 1
      return true
    }
    guard isTaken else { return completion(nil) }
    readers.submit { [self] state in
      let read: DiskStore.Read?
      if case .active = state { read = store.read(key, request: request) } else { read = nil }
      queue.withLock { $0.reads -= 1 }
      completion(read)
    }
  }

  // MARK: What the store says

  func mayHave(_ hash: KeyHash) -> Bool { store.mayHave(hash) }

  var oldestStamp: UInt64 {
    let waiting = queue.withLock { $0.writes.reduce(UInt64.max) { min($0, $1.stamp) } }
    return min(waiting, store.oldestStamp)
  }

  func stored(_ response: StoredResponse, stamp: UInt64) {
    guard store.admits(response.key.hash) else { return }
    let cost = response.cost
    let begins = queue.withLock { queue in
      if queue.bytes + cost > Self.mostBytes {
        queue.bypassedWrites += 1
        return false
      }
      queue.writes.append(Pending(response: response, stamp: stamp, cost: cost))
      queue.bytes += cost
      if queue.isDraining { return false }
      queue.isDraining = true
      return true
    }
    if begins { writer.submit { [self] state in drain(state) } }
  }

  private func drain(_ state: NIOThreadPool.WorkItemState) {
    while true {
      let next = queue.withLock { queue -> Pending? in
        guard case .active = state, !queue.writes.isEmpty else {
          queue.isDraining = false
          return nil
        }
        return queue.writes.removeFirst()
      }
      guard let next else { return }
      let isThere = store.write(next.response, stamp: next.stamp, now: WallClock.now())
      if !isThere { complain() }
      queue.withLock { $0.bytes -= next.cost }
    }
  }

  /// Says once that the disk takes nothing more.
  private func complain() {
    let statistics = store.statistics
    guard !statistics.writes else { return }
    let isFirst = queue.withLock { queue in
      defer { queue.hasComplained = true }
      return !queue.hasComplained
    }
    guard isFirst else { return }
    logger.error(
      "nothing more is written to disk",
      metadata: [
        "errors": "\(statistics.writeErrors)",
        "advice": "look for a full or failing disk, and restart when it is well again",
      ])
  }

  func removed(_ hash: KeyHash) {
    queue.withLock { queue in
      queue.writes.removeAll { pending in
        guard pending.response.key.hash == hash else { return false }
        queue.bytes -= pending.cost
        return true
      }
    }
    guard let removal = store.remove(hash) else { return }
    writer.submit { [self] state in
      if case .active = state { store.log(removal, now: WallClock.now()) }
    }
  }

  func purged(_ scope: PurgeScope, sequence: UInt64) {
    store.forget(scope)
    queue.withLock { $0.purges.append((scope, sequence)) }
    // Those that nobody waits for are written too.
    writer.submit { [self] _ in try? logPurges(syncs: false) }
  }

  // MARK: Purging

  private func logPurges(syncs: Bool) throws(DiskError) {
    let purges = queue.withLock { queue in
      let purges = queue.purges
      queue.purges = []
      return purges
    }
    if purges.isEmpty, !syncs { return }
    try store.log(purges, syncs: syncs, now: WallClock.now())
  }

  /// Makes all purges so far outlast a crash; `completion` is called on another thread, with the reason if
  /// that is not possible.
  func makePurgesLast(_ completion: @escaping @Sendable (DiskError?) -> Void) {
    writer.submit { [self] _ in
      do throws(DiskError) {
        try logPurges(syncs: true)
        completion(nil)
      } catch {
        logger.critical(
          "a purge cannot be made to last; nothing is served from disk any more",
          metadata: ["reason": "\(error)"])
        completion(error)
      }
    }
  }
}
