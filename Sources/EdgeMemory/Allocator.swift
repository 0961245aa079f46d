import CAllocator

// The process's allocator: jemalloc, which takes the place of malloc wherever this module is linked.
// docs/memory.md has the measurements that chose it and its settings.

/// What the allocator is told and asked.
public enum Allocator {
  /// Milliseconds after which memory that was freed goes back to the kernel, most of it sooner.
  ///
  /// The longer, the fewer page faults where responses come and go quickly; the shorter, the nearer
  /// resident memory stays to what is in use.
  public static let decay = 100

  /// Sets the allocator up; to be called once, before other threads start. An operator who set
  /// `MALLOC_CONF` keeps what that says. Returns false if the allocator is another one.
  @discardableResult
  public static func configure(decay: Int = Self.decay) -> Bool {
    guard setInteger("arenas.dirty_decay_ms", decay) else { return false }
    // Arenas that are there already; 4096 stands for all of them (MALLCTL_ARENAS_ALL).
    _ = setInteger("arena.4096.dirty_decay_ms", decay)
    // A second stage, in which the kernel may take pages back but they count as resident, is left out.
    _ = setInteger("arenas.muzzy_decay_ms", 0)
    _ = setInteger("arena.4096.muzzy_decay_ms", 0)
    // Without it, a process that has nothing to do keeps what it freed last.
    var isOn = true
    _ = mallctl("background_thread", nil, nil, &isOn, MemoryLayout<Bool>.size)
    return true
  }

  /// Bytes that the allocator has given out; 0 if it does not say.
  public static var allocated: Int {
    // Figures are those of the last epoch; a new one begins now.
    var epoch: UInt64 = 1
    _ = mallctl("epoch", nil, nil, &epoch, MemoryLayout<UInt64>.size)
    var bytes = 0
    var size = MemoryLayout<Int>.size
    return mallctl("stats.allocated", &bytes, &size, nil, 0) == 0 ? bytes : 0
  }

  /// Bytes that an allocation of `count` bytes takes.
  public static func size(of count: Int) -> Int {
    count == 0 ? 0 : nallocx(count, 0)
  }

  /// Bytes that the allocation at an address takes.
  public static func size(at address: UnsafeMutableRawPointer) -> Int {
    malloc_usable_size(address)
  }

  private static func setInteger(_ name: String, _ value: Int) -> Bool {
    var value = value
    return mallctl(name, nil, nil, &value, MemoryLayout<Int>.size) == 0
  }
}
