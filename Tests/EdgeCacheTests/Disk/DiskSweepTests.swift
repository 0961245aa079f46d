import NIOCore
import Testing

@testable import EdgeCache

/// What was purged by prefix, host or name, and nobody asks for, is found in the background.
@Suite("Disk store, swept")
struct DiskSweepTests {
  private static let request = CoreExchange.parseRequest("GET / HTTP/1.1↵Host: a").fields

  /// Three full segments and one that is open: a third of what is in them has the tag.
  private func filled() throws -> FilledStore {
    let filled = try FilledStore()
    for index in 0..<30 {
      filled.write(
        "/\(index % 3)/\(index)", String(repeating: "x", count: 6000),
        fields: index % 3 == 0 ? "↵Cache-Tag: t" : "")
    }
    return filled
  }

  private func sweep(_ store: DiskStore, _ count: Int = 7) -> Int {
    var steps = 0
    while store.sweep(count: count) { steps += 1 }
    return steps
  }

  @Test("A tag, a prefix and a host are taken out of the directory, and counted")
  func found() throws {
    let filled = try filled()
    let before = filled.store.statistics
    #expect(sweep(filled.store) == 0, "nothing was purged")
    try filled.purge(.tag(CacheTag(Array("t".utf8))))
    #expect(filled.store.statistics.responses == before.responses)
    #expect(sweep(filled.store) > 3)
    let after = filled.store.statistics
    #expect(after.swept > 5 && after.responses == before.responses - Int(after.swept))
    #expect(
      filled.store.read(filled.key("/1/1"), request: Self.request, now: FilledStore.now) != nil)
    #expect(sweep(filled.store) == 0, "once is enough")
    try filled.purge(.prefix(PurgePrefix(filled.key("/1/"))))
    _ = sweep(filled.store)
    #expect(filled.store.statistics.swept > after.swept + 5)
    #expect(
      filled.store.read(filled.key("/2/2"), request: Self.request, now: FilledStore.now) != nil)
  }

  @Test("What was made stale stays, and so does what came later")
  func kept() throws {
    let filled = try filled()
    let before = filled.store.statistics.responses
    try filled.purge(.host(PurgeHost("www.example".utf8)), .soft)
    try filled.purge(.host(PurgeHost("other.example".utf8)))
    _ = sweep(filled.store)
    #expect(filled.store.statistics.responses == before)
    #expect(filled.store.statistics.freedSegments == 0)
  }

  @Test(
    "A segment of which nothing is left is free at once, also after a crash",
    arguments: [false, true])
  func freed(_ machine: Bool) throws {
    let filled = try filled()
    let free = filled.store.statistics.freeSegments
    try filled.purge(.host(PurgeHost("www.example".utf8)))
    _ = sweep(filled.store)
    let after = filled.store.statistics
    #expect(after.freedSegments == 2 && after.freeSegments == free + 2, "\(after)")
    // Purges from before are forgotten then: nothing may depend on them.
    filled.purges.trim(
      urls: .max, others: filled.store.oldestUnswept, soft: filled.store.oldestStamp)
    filled.write("/new")
    let volume = filled.volume.crashed(machine: machine, seed: 3)
    let again = try FilledStore.open(volume, PurgeLog(), seed: 9)
    for index in 0..<30 {
      let key = filled.key("/\(index % 3)/\(index)")
      #expect(again.read(key, request: Self.request, now: FilledStore.now) == nil)
    }
    for index in 0..<60 { _ = again.write(filled.write("/more/\(index)"), stamp: 1000) }
    #expect(again.statistics.writeErrors == 0)
  }

  @Test("Damage is left to those who read")
  func damaged() throws {
    let filled = try filled()
    filled.volume.damage(.segment(0)) { bytes in
      for index in stride(from: 100, to: bytes.count, by: 900) { bytes[index] ^= 0x20 }
    }
    try filled.purge(.host(PurgeHost("www.example".utf8)))
    _ = sweep(filled.store)
    #expect(filled.store.statistics.writes && filled.store.statistics.serves)
  }

  @Test("A quarantined segment keeps no purges in memory, and the log has them")
  func quarantined() throws {
    let filled = try FilledStore()
    for path in ["/a", "/b", "/c", "/d"] { filled.write(path, fields: "↵Cache-Tag: t") }
    filled.seal()
    filled.volume.arm(.init(read: 1000))
    for path in ["/b", "/c", "/d"] {
      #expect(
        filled.store.read(filled.key(path), request: Self.request, now: FilledStore.now) == nil)
    }
    filled.volume.arm(.init())
    #expect(filled.store.statistics.quarantined == [0])
    try filled.purge(.tag(CacheTag(Array("t".utf8))))
    for _ in 0..<8 { filled.seal() }
    _ = sweep(filled.store)
    #expect(filled.store.oldestUnswept >= filled.purges.head)
    #expect(filled.store.oldestStamp >= filled.purges.head)
    filled.purges.trim(
      urls: .max, others: filled.store.oldestUnswept, soft: filled.store.oldestStamp)
    let again = try FilledStore.open(filled.volume.crashed(machine: false, seed: 3), seed: 9)
    #expect(again.read(filled.key("/a"), request: Self.request, now: FilledStore.now) == nil)
  }
}
