import Glibc
import NIOCore
import Seeds
import Synchronization
import Testing

@testable import EdgeCache

/// A disk in memory that fails, and that can be looked at as a crash would leave it.
final class SimulatedVolume: DiskVolume {
  /// Chances of faults, out of a thousand calls.
  struct Faults {
    var read = 0
    var write = 0
    var sync = 0
    var flip = 0
    /// Writes that find no room.
    var full = 0
    /// Reads that would have to wait, of those that may not.
    var slow = 0
  }

  private struct Write {
    let offset: Int
    let bytes: [UInt8]
  }

  private struct File {
    /// What is on stable storage.
    var stable: [UInt8] = []
    /// What a process sees.
    var seen: [UInt8] = []
    /// What was written since the last sync, in order.
    var unsynced: [Write] = []
    /// Bytes that it may grow to.
    var allocated = 0
    var isUnreadable = false

    /// Bytes of room that it takes.
    var room: Int { max(seen.count, allocated) }
  }

  private struct State {
    var files: [DiskFile: File] = [:]
    var faults = Faults()
    var random: SeededRandom
    /// The next write to a segment fails; if true after it was written.
    var failsWriting: Bool?
    /// Bytes of the whole disk; nil if there is no end to it.
    var capacity: Int?

    /// True if a file may take so much more room.
    func hasRoom(_ more: Int) -> Bool {
      guard let capacity, more > 0 else { return true }
      return files.values.reduce(more) { $0 + $1.room } <= capacity
    }
  }

  /// What happens to a segment.
  enum Moment: CaseIterable {
    case renewal, header, sync, records, footer
  }

  private let state: Mutex<State>
  /// Is told before it happens, and may keep it from happening.
  private let watch = Mutex<(@Sendable (Moment) throws(DiskError) -> Void)?>(nil)

  /// Has somebody told of what happens to segments.
  func watch(_ body: (@Sendable (Moment) throws(DiskError) -> Void)?) {
    watch.withLock { $0 = body }
  }

  private func tell(_ moment: Moment, _ file: DiskFile) throws(DiskError) {
    guard case .segment = file else { return }
    let watch = watch.withLock { $0 }
    try watch?(moment)
  }

  /// True if there are zeros alone behind the header of a segment: each byte is the one before it, and the first is none.
  private static func isBlank(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes { memory in
      guard let base = memory.baseAddress, memory.count > DiskFormat.segmentHeader else {
        return true
      }
      let start = base + DiskFormat.segmentHeader
      let count = memory.count - DiskFormat.segmentHeader
      return memory[DiskFormat.segmentHeader] == 0 && memcmp(start, start + 1, count - 1) == 0
    }
  }

  private static func moment(at offset: Int, _ bytes: [UInt8]) -> Moment {
    if offset == 0 { return .header }
    return bytes.starts(with: Array("EREC".utf8)) ? .records : .footer
  }

  init(seed: UInt64) {
    state = Mutex(State(random: SeededRandom(seed: seed)))
  }

  private init(_ files: [DiskFile: File], _ capacity: Int?, seed: UInt64) {
    state = Mutex(State(files: files, random: SeededRandom(seed: seed), capacity: capacity))
  }

  /// Lets a file be there, and not be read.
  func makeUnreadable(_ file: DiskFile) { state.withLock { $0.files[file]?.isUnreadable = true } }

  /// How large the disk is from now on; nil for one without end.
  func resize(_ capacity: Int?) { state.withLock { $0.capacity = capacity } }

  /// Bytes that all files take.
  var used: Int { state.withLock { $0.files.values.reduce(0) { $0 + $1.room } } }

  /// The next write to a segment fails, before anything or after all of it was written.
  func failWriting(after: Bool) { state.withLock { $0.failsWriting = after } }

  /// True if there is an end to the disk.
  var isBounded: Bool { state.withLock { $0.capacity != nil } }

  /// Lets no file grow any more, but into what is allocated unless that is taken `with` the rest.
  func fill(with allocated: Bool = false) {
    state.withLock { state in
      if allocated { for file in state.files.keys { state.files[file]?.allocated = 0 } }
      state.capacity = state.files.values.reduce(0) { $0 + $1.room }
    }
  }

  /// A file with that content, whatever was there.
  func put(_ file: DiskFile, _ bytes: [UInt8]) {
    state.withLock { $0.files[file] = File(stable: bytes, seen: bytes) }
  }

  func arm(_ faults: Faults) {
    state.withLock { $0.faults = faults }
  }

  /// The bytes of a file as a process sees them.
  func bytes(_ file: DiskFile) -> [UInt8] { state.withLock { $0.files[file]?.seen ?? [] } }

  /// Changes a file behind everybody's back.
  func damage(_ file: DiskFile, _ body: (inout [UInt8]) -> Void) {
    state.withLock { state in
      guard var found = state.files[file] else { return }
      body(&found.seen)
      found.stable = found.seen
      found.unsynced = []
      state.files[file] = found
    }
  }

  /// The disk after a crash of the process, which leaves what was written, or of the machine, which leaves any
  /// part of what was not synced.
  func crashed(machine: Bool, seed: UInt64) -> SimulatedVolume {
    state.withLock { state in
      var files = state.files
      if machine {
        for name in files.keys.sorted(by: { $0.description < $1.description }) {
          guard var file = files[name] else { continue }
          // Each sector of what was not synced is there or not, whatever the order.
          for write in file.unsynced {
            for start in stride(from: 0, to: write.bytes.count, by: 512)
            where Bool.random(using: &state.random) {
              let end = min(start + 512, write.bytes.count)
              Self.put(write.bytes[start..<end], at: write.offset + start, in: &file.stable)
            }
          }
          file.seen = file.stable
          file.unsynced = []
          files[name] = file
        }
      }
      return SimulatedVolume(files, state.capacity, seed: seed)
    }
  }

  private static func put(_ bytes: ArraySlice<UInt8>, at offset: Int, in file: inout [UInt8]) {
    if file.count < offset + bytes.count {
      file += [UInt8](repeating: 0, count: offset + bytes.count - file.count)
    }
    file.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
  }

  private static func fails(_ chance: Int, _ state: inout State) -> Bool {
    chance > 0 && Int.random(in: 0..<1000, using: &state.random) < chance
  }

  private static func error(_ operation: String, _ file: DiskFile) -> DiskError {
    DiskError(
      operation: operation, file: "\(file)", reason: "Input/output error", isUnreadable: true)
  }

  static func noRoom(_ operation: String, _ file: DiskFile) -> DiskError {
    DiskError(
      operation: operation, file: "\(file)", reason: "No space left on device", isFull: true)
  }

  // MARK: DiskVolume

  func region(_ file: DiskFile, at offset: Int, count: Int) -> (any DiskRegion)? { nil }

  func size(_ file: DiskFile) throws(DiskError) -> Int? {
    state.withLock { $0.files[file]?.seen.count }
  }

  func read(
    _ file: DiskFile, at offset: Int, count: Int, waits: Bool
  ) throws(DiskError) -> ByteBuffer? {
    let result = state.withLock { state -> Result<ByteBuffer?, DiskError> in
      if !waits, Self.fails(state.faults.slow, &state) { return .success(nil) }
      guard let found = state.files[file], !found.isUnreadable,
        !Self.fails(state.faults.read, &state)
      else {
        return .failure(Self.error("read", file))
      }
      guard offset < found.seen.count else { return .success(ByteBuffer()) }
      var bytes = Array(found.seen[offset..<min(offset + count, found.seen.count)])
      if !bytes.isEmpty, Self.fails(state.faults.flip, &state) {
        let place = Int.random(in: bytes.indices, using: &state.random)
        bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &state.random)
      }
      return .success(ByteBuffer(bytes: bytes))
    }
    return try result.get()
  }

  func write(_ file: DiskFile, at offset: Int, _ bytes: ByteBuffer) throws(DiskError) {
    let bytes = Array(bytes.readableBytesView)
    try tell(Self.moment(at: offset, bytes), file)
    let problem = state.withLock { state -> DiskError? in
      if Self.fails(state.faults.full, &state) { return Self.noRoom("write", file) }
      let room = state.files[file]?.room ?? 0
      if !state.hasRoom(offset + bytes.count - room) { return Self.noRoom("write", file) }
      // Out of the table while it is changed, or all of it would be copied.
      guard var found = state.files.removeValue(forKey: file) else {
        return Self.error("write", file)
      }
      // A new life begins with a segment that nothing is left in: what is sent may have its pages.
      if bytes.starts(with: Array("EDGESEGM".utf8)) {
        if !Self.isBlank(found.seen) { Issue.record("\(file) is written anew where it lies") }
      }
      var isFailing = Self.fails(state.faults.write, &state)
      var count = isFailing ? Int.random(in: 0...bytes.count, using: &state.random) : bytes.count
      if case .segment = file, let after = state.failsWriting {
        state.failsWriting = nil
        (isFailing, count) = (true, after ? bytes.count : 0)
      }
      Self.put(bytes[..<count], at: offset, in: &found.seen)
      found.unsynced.append(Write(offset: offset, bytes: Array(bytes[..<count])))
      state.files[file] = found
      return isFailing ? Self.error("write", file) : nil
    }
    if let problem { throw problem }
  }

  func sync(_ file: DiskFile) throws(DiskError) {
    try tell(.sync, file)
    let problem = state.withLock { state -> DiskError? in
      guard var found = state.files[file], !Self.fails(state.faults.sync, &state) else {
        return Self.error("sync", file)
      }
      found.stable = found.seen
      found.unsynced = []
      state.files[file] = found
      return nil
    }
    if let problem { throw problem }
  }

  func reserve(_ file: DiskFile, size: Int) throws(DiskError) {
    let problem = state.withLock { state -> DiskError? in
      if Self.fails(state.faults.write, &state) { return Self.error("reserve", file) }
      if Self.fails(state.faults.full, &state) { return Self.noRoom("reserve", file) }
      var found = state.files[file] ?? File()
      if !state.hasRoom(size - found.room) { return Self.noRoom("reserve", file) }
      found.allocated = 0
      for keyPath in [\File.seen, \File.stable] {
        let count = found[keyPath: keyPath].count
        if count > size { found[keyPath: keyPath].removeLast(count - size) }
        if count < size {
          found[keyPath: keyPath] += [UInt8](repeating: 0, count: size - count)
        }
      }
      state.files[file] = found
      return nil
    }
    if let problem { throw problem }
  }

  func renew(_ file: DiskFile, size: Int) throws(DiskError) {
    try tell(.renewal, file)
    try reserve(file, size: size)
    state.withLock { state in
      guard var found = state.files.removeValue(forKey: file) else { return }
      let zeros = [UInt8](repeating: 0, count: size)
      found.seen = zeros
      found.unsynced.append(Write(offset: 0, bytes: zeros))
      state.files[file] = found
    }
  }

  func truncate(_ file: DiskFile, to size: Int) throws(DiskError) {
    state.withLock { state in
      guard let count = state.files[file]?.seen.count, count > size else { return }
      state.files[file]?.seen.removeLast(count - size)
    }
  }

  func replace(_ file: DiskFile, with bytes: [UInt8]) throws(DiskError) {
    let problem = state.withLock { state -> DiskError? in
      if Self.fails(state.faults.write, &state) { return Self.error("write", file) }
      if Self.fails(state.faults.full, &state) || !state.hasRoom(bytes.count) {
        return Self.noRoom("write", file)
      }
      state.files[file] = File(stable: bytes, seen: bytes)
      return nil
    }
    if let problem { throw problem }
  }

  func remove(_ file: DiskFile) throws(DiskError) {
    state.withLock { $0.files[file] = nil }
  }

  func allocate(_ file: DiskFile, size: Int) throws(DiskError) {
    let problem = state.withLock { state -> DiskError? in
      guard let room = state.files[file]?.room else { return Self.error("allocate", file) }
      if !state.hasRoom(size - room) { return Self.noRoom("allocate", file) }
      state.files[file]?.allocated = max(room, size)
      return nil
    }
    if let problem { throw problem }
  }

  func room() -> Int? {
    state.withLock { state in
      state.capacity.map { $0 - state.files.values.reduce(0) { $0 + $1.room } }
    }
  }

  func rename(_ file: DiskFile, to other: DiskFile) throws(DiskError) {
    state.withLock { state in
      if let found = state.files.removeValue(forKey: file) { state.files[other] = found }
    }
  }
}
