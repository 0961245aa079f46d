// The list of what is in a store, in its two forms: a table for people, and a JSON object on each line for
// programs. Rows are printed as they come, some hundred at a time, so that a large store takes no memory.

import EdgeCache
import EdgeFleet
import Foundation

/// Prints records.
struct StoreListing {
  private let asJSON: Bool
  private let withStates: Bool
  private let now: Instant
  private var table: TextTable
  private var rows: [[TextTable.Cell]] = []
  /// Lines that are not written yet.
  private var text = ""
  /// Records so far, and bytes of their content.
  private(set) var count = 0
  private(set) var bytes = 0

  /// Rows whose columns are made as wide as they need to be.
  private static let batch = 500
  /// Bytes of lines that are written at a time.
  private static let piece = 64 << 10
  /// URLs may be as long as they like; the columns behind them are to be seen all the same.
  private static let widest = 80

  init(asJSON: Bool, withStates: Bool, now: Instant) {
    self.asJSON = asJSON
    self.withStates = withStates
    self.now = now
    let columns: [TextTable.Column] = [
      .words("URL"), .numbers("STATUS"), .numbers("SIZE"), .numbers("AGE"), .numbers("TTL"),
      .words("TAGS"),
    ]
    table = TextTable(
      withStates ? columns + [.words("STATE")] : columns,
      coloured: Terminal.standardOutput.hasColour, titleColour: 1, widest: Self.widest)
  }

  mutating func add(_ record: DiskRecord) {
    count += 1
    bytes += record.piece == nil ? record.size : 0
    if asJSON {
      text += JSONForm.line.text(Line(record, now: now)) + "\n"
      if text.utf8.count > Self.piece { flush() }
      return
    }
    rows.append(row(record))
    if rows.count == Self.batch { flush() }
  }

  /// A record for people. What must be asked for again, and what is dead, can be seen.
  private func row(_ record: DiskRecord) -> [TextTable.Cell] {
    let freshness = record.response.freshness
    let ttl = freshness.alwaysValidate ? "no-cache" : readableSeconds(freshness.ttl(now))
    let isUseless = freshness.alwaysValidate || ttl.hasPrefix("-") || ttl == "0s"
    let row = [
      TextTable.Cell(Terminal.plain(record.url)), .init("\(record.response.head.status)"),
      .init(readableSize(record.size)), .init(readableSeconds(freshness.age(now))),
      .init(ttl, colour: isUseless ? 33 : nil),
      .init(record.tags.isEmpty ? "-" : Terminal.plain(record.tags.joined(separator: ", "))),
    ]
    guard withStates else { return row }
    return row + [.init(record.state.text, colour: record.state == .alive ? nil : 31)]
  }

  /// Prints what is left.
  mutating func end() {
    if !rows.isEmpty || !text.isEmpty { flush() }
  }

  private mutating func flush() {
    if !rows.isEmpty { text += table.lines(rows).map { "\($0)\n" }.joined() }
    StandardOutput.write(text)
    (rows, text) = ([], "")
  }

  /// A record for programs, as docs/disk.md describes it.
  private struct Line: Encodable {
    let url: String
    let status: Int
    let size: Int
    let age: Int64
    let ttl: Int64
    let fresh: Bool
    let stored: String
    let etag: String?
    let tags: [String]
    let vary: [String]
    let hashedURL: Bool
    let range: String?
    let pieces: Int?
    let piece: Int?
    let contentBytes: Int
    let bytesOnDisk: Int
    let segment: Int
    let offset: Int
    let stamp: UInt64
    let state: String
    let purge: UInt64?

    init(_ record: DiskRecord, now: Instant) {
      let response = record.response
      url = record.url
      status = response.head.status
      size = record.size
      age = response.freshness.age(now)
      ttl = response.freshness.ttl(now)
      fresh = response.freshness.isFresh(now)
      stored = response.freshness.responseTime.wall.text
      etag = record.etag
      tags = record.tags
      vary = response.selector.texts
      hashedURL = response.isHashedURL
      range = response.parts?.text
      pieces = response.pieced?.pieces
      piece = record.piece
      contentBytes = record.contentBytes
      bytesOnDisk = record.bytesOnDisk
      segment = record.segment
      offset = record.offset
      stamp = record.stamp
      state = record.state.word
      if case .purged(let number) = record.state { purge = number } else { purge = nil }
    }
  }
}

extension DiskRecord.State {
  /// In a word, for programs.
  fileprivate var word: String {
    switch self {
    case .alive: "alive"
    case .purged: "purged"
    case .removed: "removed"
    case .hidden: "replaced"
    case .behindDamage: "behindDamage"
    case .orphaned: "orphaned"
    }
  }

  /// For people.
  fileprivate var text: String {
    switch self {
    case .alive: "alive"
    case .purged(let number): "purged by \(number)"
    case .removed: "removed"
    case .hidden: "replaced"
    case .behindDamage: "behind a damaged record"
    case .orphaned: "piece of nothing"
    }
  }
}
