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

  @Test("purge.log, at every byte", arguments: Damage.allCases)
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
      func isServed(_ path: String) -> Bool {
        store.read(filled.key(path), request: request, now: FilledStore.now) != nil
      }
      // What was whole before still holds; if something in the middle is wrong, nothing is believed.
      if offset >= first || damage == .flipped { #expect(!isServed("/c"), "\(offset)") }
      if offset >= second || damage == .flipped {
        #expect(!isServed("/a") && !isServed("/b"), "\(offset)")
      }
      #expect(store.statistics.isEmptied == (damage == .flipped && offset < second), "\(offset)")
    }
  }

  @Test("STORE, at every byte and every bit")
  func header() throws {
    let scene = try Scene()
    let size = scene.filled.volume.bytes(.header).count
    for offset in 0..<size {
      for bit in 0..<8 {
        let volume = scene.filled.volume.crashed(machine: false, seed: 1)
        volume.damage(.header) { $0[offset] ^= 1 << bit }
        #expect(throws: DiskProblem.self, "\(offset)") { try FilledStore.open(volume, seed: 8) }
      }
      // Cut off it is refused; an empty file is as good as none, and nothing that is there counts.
      let volume = scene.damaged(.header, .truncated, at: offset, end: size)
      if offset == 0 {
        #expect(try scene.served(volume, "no STORE") == [])
      } else {
        #expect(throws: DiskProblem.self, "\(offset)") { try FilledStore.open(volume, seed: 8) }
      }
    }
  }
}
