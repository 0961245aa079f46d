import NIOCore

// A disk that takes nothing more, for now: it is full, its quota is used up, it was mounted read-only, or it fails.
// The first cause is kept as long as it lasts, and what fails because of it is counted. What is there is served on;
// every now and then it is tried whether it goes again.

/// What keeps a disk from taking what it is given.
public struct DiskTrouble: Sendable, Equatable, CustomStringConvertible {
  /// What a disk is in trouble with.
  public struct Concerns: OptionSet, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Purges and removals cannot be made to last.
    public static let purges = Concerns(rawValue: 1)
    /// Responses cannot be written.
    public static let writes = Concerns(rawValue: 2)
    /// There is no room left but what was reserved.
    public static let room = Concerns(rawValue: 4)
  }

  /// What failed first.
  public let cause: DiskError
  /// What has failed since, that included.
  public internal(set) var failures: UInt64
  /// What does not go now.
  public internal(set) var concerns: Concerns

  public var description: String {
    if concerns == .room {
      return
        "the disk is full (\(cause.reason)): purges and responses go on in the room that was reserved for "
        + "them; make room, or purges cannot be written once that is used"
    }
    var text = "\(cause)"
    if concerns.contains(.purges) { text += "; purges cannot be made to last" }
    if concerns.contains(.writes) { text += "; no responses are written" }
    return failures > 1 ? "\(text); \(failures) failures" : text
  }
}

extension DiskStore {
  /// How long nothing is tried, in calls of ``tend(now:)``.
  struct Pause: Sendable {
    /// Calls until it is tried again.
    var left = 0
    /// Calls after the next failure.
    var next = 1

    static let longest = 64
  }

  /// Bytes of room below which a disk counts as full.
  static let lowRoom = 64 << 10

  /// What the disk is in trouble with; nil if it is well.
  public var trouble: DiskTrouble? { state.withLock { $0.trouble } }

  /// Something failed, and the disk is in trouble until that goes again.
  func failed(_ concern: DiskTrouble.Concerns, _ error: DiskError) {
    state.withLock { Self.failed(concern, error, &$0) }
  }

  static func failed(
    _ concern: DiskTrouble.Concerns, _ error: DiskError, _ state: inout State
  ) {
    state.statistics.writeErrors += 1
    var trouble = state.trouble ?? DiskTrouble(cause: error, failures: 0, concerns: [])
    if trouble.concerns == .room, !concern.isSubset(of: .room) {
      // What is said now says more.
      trouble = DiskTrouble(cause: error, failures: 0, concerns: .room)
    }
    trouble.failures += 1
    trouble.concerns.formUnion(concern)
    state.trouble = trouble
  }

  /// Something goes again, if it did not.
  func succeeded(_ concern: DiskTrouble.Concerns) {
    state.withLock { Self.succeeded(concern, &$0) }
  }

  static func succeeded(_ concern: DiskTrouble.Concerns, _ state: inout State) {
    if concern == .purges { state.serves = true }
    guard var trouble = state.trouble else { return }
    trouble.concerns.subtract(concern)
    state.trouble = trouble.concerns.isEmpty ? nil : trouble
  }

  /// A write failed: nothing more is written for a while if the disk is full, or if this happens again and again.
  static func failedToWrite(_ error: DiskError, _ state: inout State) {
    state.failures += 1
    failed(.writes, error, &state)
    if error.isFull || state.failures >= mostFailures {
      state.writes = false
      state.pause.left = state.pause.next
      state.pause.next = min(2 * state.pause.next, Pause.longest)
    }
  }

  /// Tries again what did not go, and sees if there is room; to be called each second, by the thread that writes.
  public func tend(now: Instant) {
    look(forRoom: volume.room())
    keepTime(now)
    if trouble?.concerns.contains(.purges) == true { try? append([], syncs: true, now: now.wall) }
    let isDue = state.withLock { state in
      if state.writes { return false }
      state.pause.left -= 1
      return state.pause.left <= 0
    }
    guard isDue else { return }
    do throws(DiskError) {
      try probe()
      state.withLock { state in
        state.writes = true
        // One more failure is enough then.
        state.failures = Self.mostFailures - 1
        Self.succeeded(.writes, &state)
      }
    } catch {
      state.withLock { state in
        Self.failed(.writes, error, &state)
        state.pause.left = 1
      }
    }
  }

  private func look(forRoom room: Int?) {
    state.withLock { state in
      guard let room, room < Self.lowRoom else {
        return Self.succeeded(.room, &state)
      }
      if state.trouble == nil {
        state.trouble = DiskTrouble(
          cause: DiskError(
            operation: "grow", file: "the files of the store",
            reason: "No space left on device, \(room) bytes are free", isFull: true),
          failures: 1, concerns: .room)
      }
    }
  }

  /// Writes something that nobody needs.
  private func probe() throws(DiskError) {
    defer { try? volume.remove(.spare) }
    try volume.reserve(.spare, size: 2 * Self.lowRoom)
    try volume.write(.spare, at: 0, ByteBuffer(repeating: 0x55, count: 4096))
    try volume.sync(.spare)
  }
}
