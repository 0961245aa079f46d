import EdgeCache

/// Frees what was purged, a little at a time.
struct PurgeSweeper: Sendable {
  let store: Store
  let disk: DiskTier?

  /// Stored responses that are looked at without a break: as much as nobody feels who waits for the lock.
  private static let step = 256
  /// Between one step and the next; a million stored responses are looked through in about 8 seconds.
  private static let pause = Duration.milliseconds(2)
  private static let rest = Duration.milliseconds(100)

  /// Runs until it is cancelled.
  func run() async {
    await withDiscardingTaskGroup { group in
      group.addTask {
        while !Task.isCancelled {
          let isDone = store.sweep(slots: Self.step)
          try? await Task.sleep(for: isDone ? Self.rest : Self.pause)
        }
      }
      guard let disk else { return }
      group.addTask {
        while !Task.isCancelled {
          let goesOn = await disk.sweep()
          try? await Task.sleep(for: goesOn ? Self.pause : Self.rest)
        }
      }
    }
  }
}
