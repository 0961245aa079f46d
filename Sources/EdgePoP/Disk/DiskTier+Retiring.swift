import EdgeSocket

// A disk store belongs to one process at a time. A PoP whose successor needs the same disks lets go of them before it
// ends: first nothing more is read and written, then what was being read is sent to its end, and then the directory is
// unlocked. Until that moment purges are still logged; those that come later are not acknowledged, and sent again to the
// successor by whoever sent them.

extension DiskTier {
  /// Lets go of the directories when nobody reads from them any more; false if that is not so within a time.
  ///
  /// After ``retire()``, when no event loop is in the middle of looking something up.
  func letGo(within limit: Duration?) async -> Bool {
    let deadline = limit.map { ContinuousClock.now + $0 }
    while disks.contains(where: \.isInUse) {
      if let deadline, ContinuousClock.now >= deadline { return false }
      try? await Task.sleep(for: .milliseconds(10))
    }
    for (disk, volume) in zip(disks, volumes) {
      await disk.release { volume.unlock() }
    }
    return true
  }
}
