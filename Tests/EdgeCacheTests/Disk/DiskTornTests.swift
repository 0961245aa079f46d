import NIOCore
import Testing

@testable import EdgeCache

// What a crash or a failing disk leaves, at every place: cut off, zeros, flipped bits. Whatever is read
// afterwards is one of the versions that may be served, and the store goes on.

@Suite("Disk store, torn")
struct DiskTornTests {
  enum Damage: CaseIterable {
    case truncated, zeros, flipped

    func apply(_ bytes: inout [UInt8], at offset: Int, end: Int) {
      switch self {
      case .truncated: bytes.removeLast(bytes.count - offset)
      case .zeros: for index in offset..<end { bytes[index] = 0 }
      case .flipped: bytes[offset + offset / 64 % min(64, end - offset)] ^= 1 << (offset / 64 % 8)
      }
    }
  }

  /// What was written, and which version may be served of each path.
  private struct Scene {
    let filled: FilledStore
    var allowed: [String: String] = [:]

    init() throws {
      filled = try FilledStore()
      write("/a", 500, "one")
      write("/b", 3000, "one")
      write("/c", 100, "one")
      try filled.purge(.url(filled.key("/a")))
      write("/a", 700, "two")
      write("/d", 900, "one")
      if let removal = filled.store.remove(filled.key("/c").hash) {
        filled.store.log([removal], now: FilledStore.now)
      }
      allowed["/c"] = nil
      write("/e", 5000, "one")
    }

    mutating func write(_ path: String, _ size: Int, _ version: String) {
      let name = "\(path) \(version) "
      let text = String(repeating: name, count: size / name.utf8.count + 1)
      filled.write(path, text)
      allowed[path] = text
    }

    /// Opens what is left, and says what of it is served; anything else than what may be is an error.
    func served(_ volume: SimulatedVolume, _ what: String) throws -> Set<String> {
      let store = try FilledStore.open(volume, seed: 8)
      var served: Set<String> = []
      let request = CoreExchange.parseRequest("GET / HTTP/1.1↵Host: a").fields
      for path in ["/a", "/b", "/c", "/d", "/e"] {
        let read = store.read(filled.key(path), request: request, now: FilledStore.now)
        guard let read else { continue }
        let text = read.response.content.pieces.map { String(buffer: $0) }.joined()
        let isRight = text == allowed[path]
        #expect(isRight, "\(what): \(path) is not what may be served")
        served.insert(path)
      }
      // It goes on.
      let new = StoredResponse.sample(filled.key("/new"), "new", now: FilledStore.now)
      #expect(store.write(new, stamp: 9), "\(what)")
      #expect(store.read(new.key, request: request, now: FilledStore.now) != nil, "\(what)")
      return served
    }

    func damaged(_ file: DiskFile, _ damage: Damage, at offset: Int, end: Int) -> SimulatedVolume {
      let volume = filled.volume.crashed(machine: false, seed: 1)
      volume.damage(file) { damage.apply(&$0, at: offset, end: end) }
      return volume
    }
  }

  @Test("The open segment, at every 64 bytes", arguments: Damage.allCases)
  func openSegment(_ damage: Damage) throws {
    let scene = try Scene()
    let records = try scene.filled.records(0)
    let end = try #require(records.last.map { $0.offset + $0.size })
    #expect(
      try scene.served(scene.filled.volume.crashed(machine: false, seed: 1), "whole").count == 4)
    let paths = ["/a old", "/b", "/c", "/a", "/d", "/e"]
    for offset in stride(from: 0, to: end, by: 64) {
      let volume = scene.damaged(.segment(0), damage, at: offset, end: end)
      let served = try scene.served(volume, "\(damage) at \(offset)")
      if damage == .zeros, offset >= DiskFormat.segmentHeader {
        for (record, path) in zip(records, paths) where record.offset + record.size <= offset {
          if scene.allowed[path] != nil { #expect(served.contains(path), "\(path), \(offset)") }
        }
      }
    }
  }

  @Test("Header and list of a sealed segment, at every 64 bytes", arguments: Damage.allCases)
  func sealedSegment(_ damage: Damage) throws {
    let scene = try Scene()
    scene.filled.seal()
    let count = try scene.filled.records(0).count
    let size = FilledStore.segment
    let list = size - 64 * (count + 1)
    for offset in [0] + Array(stride(from: list, to: size, by: 64)) {
      let volume = scene.damaged(.segment(0), damage, at: offset, end: min(offset + 64, size))
      let served = try scene.served(volume, "\(damage) at \(offset)")
      // Without its list a segment is read from the front.
      if damage != .truncated, offset > 0 { #expect(served.count == 4, "\(offset)") }
    }
  }

  @Test(
    "purge.log, at every byte: what may have been purged is not believed",
    arguments: Damage.allCases)
  func purgeLog(_ damage: Damage) throws {
    let filled = try FilledStore()
    filled.write("/a", fields: "↵Cache-Groups: \"g\"")
    filled.write("/b", fields: "↵Cache-Groups: \"g\"")
    filled.write("/c")
    try filled.purge(.url(filled.key("/c")))
    let first = filled.volume.bytes(.purgeLog).count
    try filled.purge(.group(CacheGroup(Array("g".utf8), at: filled.key("/a"))))
    let second = filled.volume.bytes(.purgeLog).count
    try filled.purge(.url(filled.key("/d")))
    let end = filled.volume.bytes(.purgeLog).count
    let request = CoreExchange.parseRequest("GET / HTTP/1.1↵Host: a").fields
    for offset in 0..<end {
      let volume = filled.volume.crashed(machine: false, seed: 1)
      volume.damage(.purgeLog) {
        switch damage {
        case .truncated: $0.removeLast(end - offset)
        case .zeros: for index in offset..<end { $0[index] = 0 }
        case .flipped: $0[offset] ^= 1 << (offset % 8)
        }
      }
      let store = try FilledStore.open(volume, seed: 8)
      // All of that had been written, so a purge may be missing wherever something is wrong. What is whole still
      // holds; the rest is not believed, and not by a later process either.
      func check(_ store: DiskStore, _ what: String) {
        for path in ["/a", "/b", "/c"] {
          let read = store.read(filled.key(path), request: request, now: FilledStore.now)
          let isBelieved = read?.response.freshness.alwaysValidate == false
          #expect(!isBelieved, "\(what), \(offset), \(path)")
          if path == "/c", offset >= first { #expect(read == nil, "\(what), \(offset)") }
          if path != "/c", offset >= second { #expect(read == nil, "\(what), \(offset)") }
        }
      }
      check(store, "\(damage)")
      let isSaid = store.statistics.notices.contains { $0.isDamage }
      #expect(isSaid, "\(offset)")
      if offset % 16 == 0 {
        let again = try FilledStore.open(volume.crashed(machine: false, seed: 1), seed: 9)
        check(again, "\(damage), again")
        #expect(again.statistics.notices == [])
      }
    }
  }

  @Test("STORE, at every byte and every bit: the store begins anew, and the file is kept")
  func header() throws {
    let scene = try Scene()
    let whole = scene.filled.volume.bytes(.header)
    func check(_ volume: SimulatedVolume, _ what: String) throws {
      let damaged = volume.bytes(.header)
      #expect(try scene.served(volume, what) == [])
      #expect(volume.bytes(.damagedHeader) == damaged, "\(what)")
      #expect(volume.bytes(.header) != whole && volume.bytes(.header).count == whole.count)
    }
    for offset in 0..<whole.count {
      for bit in 0..<8 {
        let volume = scene.filled.volume.crashed(machine: false, seed: 1)
        volume.damage(.header) { $0[offset] ^= 1 << bit }
        try check(volume, "\(offset), \(bit)")
      }
      if offset == 0 { continue }
      try check(
        scene.damaged(.header, .truncated, at: offset, end: whole.count), "cut at \(offset)")
      try check(
        scene.damaged(.header, .zeros, at: offset, end: whole.count), "zeros from \(offset)")
    }
    // One without a byte is damaged as well; where there is none, purge.log is kept all the same.
    try check(scene.damaged(.header, .truncated, at: 0, end: whole.count), "empty")
    let volume = scene.filled.volume.crashed(machine: false, seed: 1)
    let log = volume.bytes(.purgeLog)
    try volume.remove(.header)
    let store = try FilledStore.open(volume, seed: 8)
    #expect(store.statistics.responses == 0 && store.statistics.notices == [.headerMissing])
    #expect(volume.bytes(.damagedLog) == log)
    // Beside nothing else an empty one is what a crash leaves of a store that was being made.
    let new = SimulatedVolume(seed: 2)
    new.put(.header, [])
    #expect(try FilledStore.open(new).statistics.notices == [])
  }

  @Test("One that cannot be read is put aside as well")
  func unreadableHeader() throws {
    let scene = try Scene()
    let volume = scene.filled.volume.crashed(machine: false, seed: 1)
    volume.makeUnreadable(.header)
    let store = try FilledStore.open(volume, seed: 8)
    #expect(store.statistics.responses == 0)
    #expect(
      store.statistics.notices == [.headerDamaged("STORE cannot be read (Input/output error)")])
  }

  @Test("Another version is told from damage")
  func versions() throws {
    let filled = try FilledStore()
    func problem(_ change: (inout [UInt8]) -> Void) -> DiskProblem? {
      let volume = filled.volume.crashed(machine: false, seed: 1)
      volume.damage(.header, change)
      do throws(DiskProblem) {
        _ = try FilledStore.opened(volume)
        return nil
      } catch {
        return error
      }
    }
    // Of a newer program: its checksum is right, or it may be somewhere else.
    for version: UInt32 in [6, 7, 77, 1000] {
      #expect(problem { $0 = Self.header(of: version, $0) } == .version(version))
    }
    for version: UInt32 in 1...4 {
      #expect(problem { $0 = Self.header(of: version, $0) } == nil)
    }
    #expect(problem { $0[8] = 77 } == .version(77))
    #expect(problem { $0 = Array("EDGESTOR".utf8) + [9, 0, 0, 0, 1, 2, 3] } == .version(9))
    // No version that there may be.
    #expect(problem { $0[8] = 0 } == nil)
    #expect(problem { $0[8] = 200 } == nil)
    #expect(problem { $0[10] = 3 } == nil)
    #expect(problem { $0 = Array("EDGESTOR".utf8) } == nil)
    #expect(problem { $0 = Array("something else".utf8) } == nil)
    // Where nothing else is that of a store, this is none.
    let other = SimulatedVolume(seed: 1)
    other.put(.header, Array("something else".utf8))
    #expect(throws: DiskProblem.notAStore) { try FilledStore.opened(other) }
  }

  @Test("A store of an earlier version begins anew")
  func older() throws {
    let scene = try Scene()
    let volume = scene.filled.volume.crashed(machine: false, seed: 1)
    volume.damage(.header) { $0 = Self.header(of: 3, $0) }
    #expect(try scene.served(volume.crashed(machine: false, seed: 1), "version 3") == [])
    let store = try FilledStore.open(volume, seed: 8)
    #expect(store.statistics.notices == [.older(3)])
  }

  /// The header as a program of another version would have written it.
  private static func header(of version: UInt32, _ bytes: [UInt8]) -> [UInt8] {
    var writer = DiskWriter(capacity: 80)
    writer.write(Array(bytes[..<8]))
    writer.write(version)
    writer.write(Array(bytes[12..<72]))
    writer.seal(at: 72)
    return writer.bytes
  }
}
