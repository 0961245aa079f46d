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
  private let isColoured = Terminal.standardOutput.hasColour
  private var rows: [[String]] = []
  private var widths: [Int] = []
  private var hasTitles = false
  /// Records so far, and bytes of their content.
  private(set) var count = 0
  private(set) var bytes = 0

  private static let titles = ["URL", "STATUS", "SIZE", "AGE", "TTL", "TAGS", "STATE"]
  /// Columns of numbers.
  private static let numbers = 1...4
  /// Rows whose columns are made as wide as they need to be.
  private static let batch = 500
  /// What is wider than this moves what is behind it.
  private static let widest = 80

  init(asJSON: Bool, withStates: Bool, now: Instant) {
    self.asJSON = asJSON
    self.withStates = withStates
    self.now = now
  }

  mutating func add(_ record: DiskRecord) {
    count += 1
    bytes += record.piece == nil ? record.size : 0
    if asJSON {
      print(JSONForm.line.text(Line(record, now: now)))
      return
    }
    let freshness = record.response.freshness
    let row = [
      Terminal.plain(record.url), "\(record.response.head.status)", readableSize(record.size),
      readableSeconds(freshness.age(now)),
      freshness.alwaysValidate ? "no-cache" : readableSeconds(freshness.ttl(now)),
      record.tags.isEmpty ? "-" : Terminal.plain(record.tags.joined(separator: ", ")),
    ]
    rows.append(withStates ? row + [record.state.text] : row)
    if rows.count == Self.batch { flush() }
  }

  /// Prints what is left.
  mutating func end() {
    if !rows.isEmpty { flush() }
    flushStandardOutput()
  }

  private mutating func flush() {
    let columns = withStates ? Self.titles.count : Self.titles.count - 1
    var lines = rows
    if !hasTitles { lines.insert(Array(Self.titles[..<columns]), at: 0) }
    if widths.isEmpty { widths = Array(repeating: 0, count: columns) }
    for cells in lines {
      for column in cells.indices {
        widths[column] = max(widths[column], min(cells[column].count, Self.widest))
      }
    }
    for (index, cells) in lines.enumerated() { show(cells, isTitle: !hasTitles && index == 0) }
    hasTitles = true
    rows = []
  }

  private func show(_ cells: [String], isTitle: Bool) {
    var line = ""
    for (column, cell) in cells.enumerated() {
      let space = String(repeating: " ", count: max(0, widths[column] - cell.count))
      let colour = isTitle ? 1 : colour(column, cell)
      let text = isColoured ? colour.map { Terminal.coloured(cell, $0) } ?? cell : cell
      let isLast = column == cells.count - 1
      line += Self.numbers.contains(column) ? space + text : isLast ? text : text + space
      if !isLast { line += "  " }
    }
    print(line)
  }

  /// What must be asked for again, and what is dead, can be seen.
  private func colour(_ column: Int, _ cell: String) -> Int? {
    switch Self.titles[column] {
    case "TTL" where cell.hasPrefix("-") || cell == "no-cache" || cell == "0s": 33
    case "STATE" where cell != DiskRecord.State.alive.text: 31
    default: nil
    }
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
      stored = response.freshness.responseTime.text
      etag = record.etag
      tags = record.tags
      vary = response.selector.texts
      hashedURL = response.isHashedURL
      range = response.part.map {
        "\($0.range.lowerBound)-\($0.range.upperBound - 1)/\($0.completeLength)"
      }
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
