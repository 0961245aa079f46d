import Seeds
import Testing

@testable import EdgeCache

@Suite("Disk store, checked")
struct DiskCheckTests {
  @Test("A store of sealed segments and large content is right")
  func right() throws {
    let filled = try FilledStore(segment: 1 << 20)
    for index in 0..<5 {
      filled.write("/large/\(index)", String(repeating: "0123456789", count: 60_000))
    }
    let inspection = try filled.inspection()
    #expect(inspection.segments.count { $0.hasFooter } == 3 && inspection.inOrder.count == 4)
    #expect(try filled.findings() == [])
    var last = (0, 0)
    inspection.check { _ in
    } progress: {
      last = ($0, $1)
    }
    #expect(last.0 == last.1 && last.1 == inspection.inOrder.count << 20)
  }

  @Test("Each kind of damage is found, with its place")
  func damage() throws {
    /// What is flipped in a sealed segment, and what is said of it.
    func check(
      _ place: (FilledStore, [RecordSummary]) -> Int, at: (FilledStore, [RecordSummary]) -> Int,
      _ what: String, url: Bool = false, _ line: Int = #line
    ) throws {
      let filled = try FilledStore()
      filled.seal()
      let records = try filled.records(0)
      filled.flip(.segment(0), place(filled, records))
      let found = try filled.findings()
      #expect(found.count == 1, "line \(line): \(found)")
      guard let first = found.first else { return }
      #expect(first.kind == .damage && first.file == .segment(0))
      #expect(first.offset == at(filled, records), "line \(line): \(first)")
      #expect(first.what.contains(what), "line \(line): \(first)")
      #expect((first.url != nil) == url)
    }
    func header(_ filled: FilledStore, _ records: [RecordSummary], _ index: Int) -> RecordHeader {
      RecordHeader(
        filled.volume.bytes(.segment(0)), at: records[index].offset,
        life: SegmentHeader(filled.volume.bytes(.segment(0)))!.life)!
    }
    let size = FilledStore.segment
    try check({ _, _ in 3 }, at: { _, _ in 0 }, "header of the segment")
    try check({ $1[2].offset + 9 }, at: { $1[2].offset }, "header of the record")
    try check({ $1[2].offset + 150 }, at: { $1[2].offset }, "key or head")
    try check(
      { $1[2].offset + 2000 }, at: { $1[2].offset + header($0, $1, 2).contentOffset },
      "the content is damaged", url: true)
    try check(
      { size - 64 - 64 * $1.count + 5 }, at: { size - 64 - 64 * $1.count }, "list of records")
    try check({ _, _ in size - 60 }, at: { _, _ in size - 64 }, "end of the segment")
  }

  @Test("A flip of any bit that means something is found", arguments: 0..<8)
  func anyBit(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed &+ 1)
    let filled = try FilledStore()
    filled.seal()
    let records = try filled.records(0)
    let bytes = filled.volume.bytes(.segment(0))
    let life = SegmentHeader(bytes)!.life
    var meant = Array(0..<64)
    meant += (bytes.count - SegmentFooter.size(records.count))..<bytes.count
    for record in records {
      let header = RecordHeader(bytes, at: record.offset, life: life)!
      // What is behind the content is there for the next record to begin at a whole unit.
      meant += record.offset..<(record.offset + header.contentOffset + header.contentCount)
    }
    for _ in 0..<60 {
      let place = meant.randomElement(using: &random)!
      let bit: UInt8 = 1 << UInt8.random(in: 0..<8, using: &random)
      filled.volume.damage(.segment(0)) { $0[place] ^= bit }
      let found = try filled.findings()
      // A segment whose life or store is another one has another checksum as well.
      #expect(found.contains { $0.kind == .damage && $0.file == .segment(0) }, "\(place) \(bit)")
      #expect(try filled.inspection().tally().alive <= 20)
      filled.volume.damage(.segment(0)) { $0[place] ^= bit }
    }
    #expect(try filled.findings() == [])
  }

  @Test("Whatever a crash leaves is looked at to its end", arguments: 0..<30)
  func crashes(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed &+ 1)
    let filled = try FilledStore()
    for index in 0..<60 {
      filled.write(
        "/\(index % 25)",
        String(repeating: "x", count: Int.random(in: 0..<9000, using: &random)))
      if index % 7 == 0 { try filled.purge(.url(filled.key("/\(index % 5)"))) }
    }
    let crashed = filled.volume.crashed(machine: true, seed: seed)
    let inspection = try DiskInspection(crashed)
    var count = 0
    inspection.check { _ in count += 1 }
    // A store that opens there recovers what the inspection takes into account.
    let store = try FilledStore.open(crashed)
    let directory = inspection.directory.count
    #expect(store.statistics.recovered == directory)
    #expect(inspection.tally().alive <= directory)
  }

  @Test("A damaged block of large content is named, and a damaged table")
  func blocks() throws {
    let filled = try FilledStore(segment: 1 << 20)
    filled.write("/large", String(repeating: "0123456789", count: 60_000))
    let offset = DiskFormat.segmentHeader
    let bytes = filled.volume.bytes(.segment(0))
    let header = try #require(
      RecordHeader(bytes, at: offset, life: SegmentHeader(bytes)!.life))
    let content = offset + header.contentOffset
    filled.flip(.segment(0), content + DiskFormat.block + 17)
    var found = try filled.findings()
    #expect(found.map(\.offset) == [content + DiskFormat.block])
    #expect(found.first?.what == "block 2 of 3 of the content is damaged")
    #expect(found.first?.url == "http://www.example/large")
    filled.flip(.segment(0), offset + header.tableOffset)
    found = try filled.findings()
    #expect(found.map(\.offset) == [offset + header.tableOffset])
  }

  @Test("Where the segment has no list yet, a torn end is told from damage before other records")
  func openSegment() throws {
    let filled = try FilledStore()
    for index in 0..<5 { filled.write("/\(index)", "some text") }
    let records = try filled.records(0)
    filled.flip(.segment(0), records[4].offset + 100)
    var found = try filled.findings()
    #expect(found.map(\.kind) == [.note] && found.first?.offset == records[4].offset)
    filled.flip(.segment(0), records[4].offset + 100)
    #expect(try filled.findings() == [])
    filled.flip(.segment(0), records[2].offset)
    found = try filled.findings()
    #expect(found.map(\.kind) == [.damage] && found.first?.offset == records[2].offset)
    #expect(found.first?.what.contains("2 more behind it") == true, "\(found)")
    #expect(try filled.alive() == ["/1", "/0"])
  }

  @Test("Of purge.log a torn end that nobody wrote whole is a note, all else is damage")
  func log() throws {
    let filled = try FilledStore()
    filled.write("/kept")
    for path in ["/a", "/b", "/c"] { try filled.purge(.url(filled.key(path))) }
    let size = filled.volume.bytes(.purgeLog).count
    let record = DiskPurge(
      Purge([.url(filled.key("/a"))]), sequence: 1, time: FilledStore.now.wall
    ).bytes.count
    /// What is found once something was changed.
    func found(_ change: (SimulatedVolume) throws -> Void) throws -> DiskFinding {
      let volume = filled.volume.crashed(machine: false, seed: 1)
      try change(volume)
      var findings: [DiskFinding] = []
      try DiskInspection(volume).check { findings.append($0) }
      #expect(findings.count == 1, "\(findings)")
      return try #require(findings.first)
    }
    var finding = try found { $0.damage(.purgeLog) { $0 += [1, 2, 3] } }
    #expect(finding.kind == .note && finding.offset == size && finding.file == .purgeLog)
    finding = try found { $0.damage(.purgeLog) { $0[size - 10] ^= 1 } }
    #expect(finding.kind == .damage && finding.offset == size - record)
    #expect(finding.what.contains("had been written whole"))
    finding = try found { $0.damage(.purgeLog) { $0[size - 3 * record + 10] ^= 1 } }
    #expect(finding.kind == .damage && finding.offset == size - 3 * record)
    #expect(finding.what.contains("2 more behind it"))
    finding = try found { $0.damage(.purgeLog) { $0.removeLast(record) } }
    #expect(finding.kind == .damage && finding.what.contains("\(size) bytes had been written"))
    finding = try found { try $0.remove(.purgeLog) }
    #expect(finding.kind == .damage && finding.what == "the file is missing")
    finding = try found { try $0.remove(.purgeMark) }
    #expect(finding.kind == .damage && finding.file == .purgeMark)
    finding = try found { $0.put(.damagedHeader, [1]) }
    #expect(finding.kind == .note && finding.file == .damagedHeader)
    // What was found at a start is known to the next check.
    let volume = filled.volume.crashed(machine: false, seed: 1)
    try volume.remove(.purgeLog)
    _ = try FilledStore.open(volume, seed: 9)
    finding = try found {
      for file in [DiskFile.purgeLog, .purgeMark] { $0.put(file, volume.bytes(file)) }
    }
    #expect(finding.kind == .note && finding.what.contains("purge.log is missing"), "\(finding)")
  }

  @Test("Missing, short and foreign segments")
  func segments() throws {
    let filled = try FilledStore()
    filled.seal()
    #expect(try filled.inspection().segments.map(\.state) == [.sealed, .open, .free, .free])
    try filled.volume.remove(.segment(0))
    try filled.volume.truncate(.segment(1), to: 1000)
    let foreign = SegmentHeader(index: 2, life: 9, store: (1, 2)).bytes
    filled.volume.damage(.segment(2)) { $0.replaceSubrange(0..<64, with: foreign) }
    let found = try filled.findings()
    #expect(found.filter { $0.file == .segment(0) }.map(\.what) == ["the file is missing"])
    #expect(
      found.first { $0.file == .segment(1) }?.what
        == "the file has 1000 bytes instead of \(FilledStore.segment)")
    #expect(!found.contains { $0.file == .segment(2) })
    #expect(try filled.inspection().segments[2].state == .foreign)
  }

  @Test("What is no store, or one of another version, is refused")
  func refused() throws {
    #expect(throws: DiskInspectionProblem.noStore) { try DiskInspection(SimulatedVolume(seed: 1)) }
    let cases: [(Int, DiskInspectionProblem)] = [
      (0, .damaged), (8, .damaged), (30, .damaged),
    ]
    for (offset, problem) in cases {
      let filled = try FilledStore()
      filled.flip(.header, offset)
      #expect(throws: problem) { try DiskInspection(filled.volume) }
    }
    let cut = try FilledStore()
    try cut.volume.truncate(.header, to: 0)
    #expect(throws: DiskInspectionProblem.damaged) { try DiskInspection(cut.volume) }
    try cut.volume.remove(.header)
    #expect(throws: DiskInspectionProblem.headerMissing) { try DiskInspection(cut.volume) }
    let other = SimulatedVolume(seed: 1)
    other.put(.header, Array("something else".utf8))
    #expect(throws: DiskInspectionProblem.notAStore) { try DiskInspection(other) }
    let newer = try FilledStore()
    newer.volume.damage(.header) { $0[8] = 9 }
    #expect(throws: DiskInspectionProblem.version(9)) { try DiskInspection(newer.volume) }
  }

  @Test("A disk that cannot be read is said to be so")
  func unreadable() throws {
    let filled = try FilledStore()
    filled.seal()
    let inspection = try filled.inspection()
    filled.volume.arm(.init(read: 1000))
    var found: [DiskFinding] = []
    inspection.check { found.append($0) }
    #expect(!found.isEmpty && found.allSatisfy { $0.what == "Input/output error" }, "\(found)")
  }
}
