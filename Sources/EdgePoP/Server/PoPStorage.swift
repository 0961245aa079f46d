import EdgeCache
import EdgeFleet

/// What a PoP has stored: memory, the disks below it, and the log of purges that says what of it counts.
struct PoPStorage: Sendable {
  let store: Store
  /// The disks below memory; nil if there are none.
  let disk: DiskTier?

  /// Opens what is stored. Waits for the disks, and for so many milliseconds for a PoP that still has them. Throws
  /// ``StartProblem``.
  init(_ options: PoPOptions, patience: Int? = nil) throws(StartProblem) {
    var generator = SystemRandomNumberGenerator()
    let purges = PurgeLog()
    disk =
      options.pop.disks.isEmpty
      ? nil
      : try DiskTier(
        options.pop.disks, purges: purges, clock: options.clock, logger: options.logger,
        patience: patience ?? 0)
    store = Store(
      limits: Self.limits(options.pop),
      secret: disk?.secret ?? HashSecret(generator.next(), generator.next()),
      purges: purges, lower: disk)
    // What was logged on disk has an epoch of its own.
    if disk == nil { purges.begin(epoch: generator.next()) }
  }

  /// Throws ``StartProblem`` if a directory cannot be used, whoever has it at present.
  static func check(_ options: PoPOptions) throws(StartProblem) {
    for disk in options.pop.disks {
      do throws(FileVolume.Problem) {
        try FileVolume.check(disk.path)
      } catch {
        throw StartProblem("--disk \(disk.path): \(error)")
      }
    }
  }

  /// True if nothing of an earlier life is stored.
  var isFresh: Bool { disk?.isFresh ?? true }

  private static func limits(_ pop: FleetConfiguration.PoP) -> StoreLimits {
    var limits = StoreLimits(memory: pop.memory.bytes, largestResponse: pop.largestResponse?.bytes)
    switch pop.eviction {
    case .lru: limits.eviction = .lru
    case .slru: limits.eviction = .slru
    case .sizeLRU: limits.eviction = .sizeLRU
    case nil: break
    }
    return limits
  }
}
