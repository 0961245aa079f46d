import EdgeCache
import EdgeFleet
import EdgeSocket
import Logging
import NIOCore
import Synchronization

// The disks below memory, as one tier. Each has threads and queues of its own, so that one that is slow or
// stuck is slow or stuck alone.
//
// Any disk may have anything: looking something up, and taking it out, goes to all of them, in memory. So
// nothing is found where nobody looks for it when disks are added or taken away.

/// The disk tier of one PoP.
final class DiskTier: LowerTier {
  let disks: [DiskQueue]
  /// Its directories, in the same order.
  let volumes: [FileVolume]
  /// True once it is to be another process's.
  private let retired = Atomic(false)

  /// Opens the stores in directories. Waits for the disks, and for so many milliseconds for a process that is about to
  /// end and has them. Throws ``StartProblem``.
  init(
    _ options: [FleetConfiguration.Disk], purges: PurgeLog, clock: ProcessClock, logger: Logger,
    patience: Int = 0
  ) throws(StartProblem) {
    var directories: [FileVolume] = []
    var volumes: [(volume: any DiskVolume, options: DiskOptions)] = []
    for disk in options {
      do throws(FileVolume.Problem) {
        let volume = try FileVolume(disk.path, patience: patience) {
          logger.notice(
            "waiting for the edge-pop that still uses a disk",
            metadata: ["path": "\(disk.path)", "milliseconds": "\(patience)"])
        }
        directories.append(volume)
        volumes.append(
          (volume, DiskOptions(size: disk.size.bytes, admission: Self.admission(disk.admission))))
      } catch {
        throw StartProblem("--disk \(disk.path): \(error)")
      }
    }
    self.volumes = directories
    var generator = SystemRandomNumberGenerator()
    do throws(DiskSetProblem) {
      let stores = try DiskStore.openSet(
        volumes, purges: purges, now: clock.read(), random: { generator.next() },
        clock: { Monotonic.now() / 1_000_000 })
      disks = zip(stores, options).map {
        DiskQueue($0, path: $1.path, clock: clock, logger: logger)
      }
    } catch {
      throw StartProblem("--disk \(options[error.disk].path): \(error.problem)")
    }
    for disk in disks { disk.start() }
  }

  private static func admission(_ policy: FleetConfiguration.DiskAdmission?) -> DiskAdmissionPolicy
  {
    switch policy {
    case .auto, nil: .auto
    case .all: .all
    case .secondHit: .secondHit
    }
  }

  /// About how many files of a disk are open at a time.
  static func files(of disk: FleetConfiguration.Disk) -> Int {
    disk.size.bytes / DiskOptions(size: disk.size.bytes).segmentSize + 8
  }

  /// True once nothing more is read and written here, but for purges.
  var isRetired: Bool { retired.load(ordering: .acquiring) }

  /// Reads and writes nothing more from now on, but for purges; it is as if nothing were there.
  func retire() { retired.store(true, ordering: .releasing) }

  /// Ends the threads, after what is under way.
  func stop() async {
    for disk in disks { await disk.stop() }
  }

  /// What keys the hashes.
  var secret: HashSecret { disks[0].store.secret }

  // MARK: Reading

  /// Something that was found.
  struct Found: Sendable {
    let read: DiskStore.Read
    let store: DiskStore
    /// What it was read for.
    let purpose: ReadPurpose

    /// What is to be used of it, now that it is in memory, or may be.
    func promoted(by store: Store, now: Instant) -> StoredResponse? {
      store.promote(read.response, stamp: read.stamp, purpose: purpose, now: now) {
        self.store.has(read)
      }
    }
  }

  /// How a look ended that waits for nothing.
  enum Look {
    case found(Found)
    case nothing
    /// It must be asked with ``read(_:request:now:completion:)``.
    case waits
  }

  /// Looks for what a request selects, as far as that needs no waiting. O(variants).
  func look(_ key: CacheKey, request: FieldSection, purpose: ReadPurpose, now: Instant) -> Look {
    if isRetired { return .nothing }
    for disk in disks where disk.store.mayHave(key.hash) {
      switch disk.look(key, request: request, purpose: purpose, now: now) {
      case .found(let read): return .found(Found(read: read, store: disk.store, purpose: purpose))
      case .nothing: break
      case .waits: return .waits
      }
    }
    return .nothing
  }

  /// Reads what a request selects; `completion` is called on another thread, or at once with nothing if too
  /// much is waiting.
  func read(
    _ key: CacheKey, request: FieldSection, purpose: ReadPurpose, now: Instant,
    completion: @escaping @Sendable (Found?) -> Void
  ) {
    read(key, request, purpose, now, from: isRetired ? [] : disks[...], completion)
  }

  private func read(
    _ key: CacheKey, _ request: FieldSection, _ purpose: ReadPurpose, _ now: Instant,
    from disks: ArraySlice<DiskQueue>,
    _ completion: @escaping @Sendable (Found?) -> Void
  ) {
    guard let disk = disks.first else { return completion(nil) }
    let others = disks.dropFirst()
    guard disk.store.mayHave(key.hash) else {
      return read(key, request, purpose, now, from: others, completion)
    }
    disk.read(key, request: request, purpose: purpose, now: now) { [self] read in
      if let read { return completion(Found(read: read, store: disk.store, purpose: purpose)) }
      self.read(key, request, purpose, now, from: others, completion)
    }
  }

  /// Runs what waits for the disk of a region; false if too much is waiting for it already.
  func submit(for region: FileRegion, _ body: @escaping @Sendable () -> Void) -> Bool {
    disks.first { $0.path == region.volume }?.submit(body) ?? false
  }

  // MARK: What the store says

  /// True if the disk that something would be written to has much to write already.
  func isBusy(_ hash: KeyHash) -> Bool { disk(for: hash).isBusy }

  func mayHave(_ hash: KeyHash) -> Bool {
    !isRetired && disks.contains { $0.store.mayHave(hash) }
  }

  func variantMarks(_ hash: KeyHash) -> [UInt16] {
    isRetired ? [] : disks.flatMap { $0.store.variantMarks(hash) }
  }

  var count: Int { disks.reduce(0) { $0 + $1.store.count } }

  var oldestStamp: UInt64 { disks.reduce(UInt64.max) { min($0, $1.oldestStamp) } }

  var oldestUnswept: UInt64 { disks.reduce(UInt64.max) { min($0, $1.oldestUnswept) } }

  var oldestPending: UInt64 { disks.reduce(UInt64.max) { min($0, $1.oldestPending) } }

  func stored(_ response: StoredResponse, pieces: [StoredResponse], stamp: UInt64) {
    for disk in disks { disk.replaced(response) }
    if isRetired { return }
    let disk = disk(for: response.key.hash)
    if pieces.isEmpty { return disk.stored(response, stamp: stamp) }
    guard disk.admits(response, pieces: pieces.count) else { return }
    for piece in pieces { self.disk(for: piece.key.hash).append(piece, stamp: stamp) }
    disk.append(response, stamp: stamp)
  }

  func confirmed(_ response: StoredResponse, stamp: UInt64) {
    // In front of the fence it need not be confirmed again.
    guard disks.contains(where: { $0.store.mayFence(response.key.hash) }) else { return }
    for disk in disks { disk.replaced(response) }
    if isRetired { return }
    disk(for: response.key.hash).stored(response, stamp: stamp, always: true)
  }

  /// The disk that something is written to, in proportion to their sizes.
  private func disk(for hash: KeyHash) -> DiskQueue {
    if disks.count == 1 { return disks[0] }
    let sizes = disks.map { $0.store.capacity >> 16 }
    var place = Int(truncatingIfNeeded: (hash.high >> 8) % UInt64(sizes.reduce(0, +)))
    for (disk, size) in zip(disks, sizes) {
      if place < size { return disk }
      place -= size
    }
    return disks[0]
  }

  func replaced(_ response: StoredResponse) {
    for disk in disks { disk.replaced(response) }
  }

  func removed(_ hash: KeyHash) {
    for disk in disks { disk.removed(hash) }
  }

  func purged(_ purge: Purge, sequence: UInt64) -> Int {
    disks.reduce(0) { $0 + $1.purged(purge, sequence: sequence) }
  }

  // MARK: Purging

  /// Looks for what was purged, a little on each disk; false if there is nothing to look for.
  func sweep() async -> Bool {
    var isOver = true
    for disk in disks where await disk.sweep() { isOver = false }
    return !isOver
  }

  /// What is stored of a key, without content, for people who ask: the newest of each variant. Waits for the disks
  /// on threads of theirs, and finds nothing on one that too much is waiting for already.
  func variants(of key: CacheKey) async -> [StoredResponse] {
    var found: [StoredResponse] = []
    for disk in disks where !isRetired && disk.store.mayHave(key.hash) {
      found += await withCheckedContinuation { continuation in
        let isTaken = disk.submit { continuation.resume(returning: disk.store.variants(of: key)) }
        if !isTaken { continuation.resume(returning: []) }
      }
    }
    return found
  }

  /// What is wrong with the disks, in sentences.
  var problems: [String] {
    if isRetired { return ["the disks were given to another edge-pop"] }
    return disks.flatMap { disk in
      let statistics = disk.store.statistics
      let notices = statistics.notices.filter(\.isDamage).map { "\(disk.path): \($0)" }
      return notices + (statistics.trouble.map { ["\(disk.path): \($0)"] } ?? [])
    }
  }

  /// Another list of purges was read this far.
  func note(_ cursor: PurgeCursor, of list: String) {
    for disk in disks { disk.note(cursor, of: list) }
  }

  /// True if an earlier process left nothing.
  var isFresh: Bool { disks.allSatisfy { $0.store.statistics.recovered == 0 } }

  /// Makes all purges so far outlast a crash, on every disk; `completion` is called on another thread, with the
  /// reason if that is not possible.
  func makePurgesLast(_ completion: @escaping @Sendable (DiskError?) -> Void) {
    makePurgesLast(disks[...], completion)
  }

  private func makePurgesLast(
    _ disks: ArraySlice<DiskQueue>, _ completion: @escaping @Sendable (DiskError?) -> Void
  ) {
    guard let disk = disks.first else { return completion(nil) }
    disk.makePurgesLast { [self] problem in
      if let problem { return completion(problem) }
      makePurgesLast(disks.dropFirst(), completion)
    }
  }
}
