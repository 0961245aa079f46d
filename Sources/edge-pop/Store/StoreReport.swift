// What a check came to, in its two forms: lines for people and a document for programs.

import EdgeCache
import EdgeFleet

/// What was found out about one store.
struct StoreReport {
  let path: String
  /// Why it could not be opened.
  var reason: String?
  var damage = 0
  var notes = 0
  var tally = DiskTally()
  var elapsed = Duration.zero
  private var findings: [DiskFinding] = []
  private var states: [DiskInspection.Segment.State: Int] = [:]
  private var segmentSize = 0
  private var used = 0
  private var disks = 1
  private var logged = 0
  private var created = WallTime(milliseconds: 0)

  init(path: String) {
    self.path = path
  }

  /// Takes in what is known without a check.
  mutating func describe(_ store: DiskInspection) {
    for segment in store.segments {
      states[segment.state, default: 0] += 1
      used += segment.end
    }
    segmentSize = store.segmentSize
    disks = store.disks
    logged = store.logged
    created = store.created
  }

  /// Counts a finding, and keeps it for a document.
  mutating func note(_ finding: DiskFinding, keeps: Bool) {
    switch finding.kind {
    case .damage: damage += 1
    case .note: notes += 1
    }
    if keeps { findings.append(finding) }
  }

  private var result: String {
    if reason != nil { return "not opened" }
    return damage == 0 ? "all right" : "damaged"
  }

  // MARK: For people

  /// How the store is, and what is in it.
  func summary(coloured: Bool) -> String {
    var title = damage == 0 ? "all right" : "\(counted(damage, "place")) damaged"
    if coloured { title = Terminal.coloured(title, damage == 0 ? 32 : 31) }
    var lines = ["\(path): \(title)"]
    func add(_ name: String, _ values: [(Int, String)], _ end: String = "") {
      let text = values.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
      if !text.isEmpty { lines.append("  \(name)\(text)\(end)") }
    }
    let order: [DiskInspection.Segment.State] = [.sealed, .open, .free, .foreign, .unreadable]
    add(
      "segments   ", order.map { (states[$0] ?? 0, $0.rawValue) },
      ", of \(readableSize(segmentSize)) each; \(readableSize(used)) used")
    let pieces = tally.pieces == 0 ? "" : ", with \(counted(tally.pieces, "piece"))"
    lines.append(
      "  alive      \(counted(tally.alive, "response"))\(pieces), \(readableSize(tally.contentBytes))"
        + " of content")
    add(
      "dead       ",
      [
        (tally.purged, "purged"), (tally.removed, "removed"), (tally.hidden, "replaced"),
        (tally.orphaned, "pieces of nothing"), (tally.behindDamage, "behind damage"),
        (tally.unreadable, "unreadable"),
      ])
    add("purge.log  ", [(logged, logged == 1 ? "purge or removal" : "purges and removals")])
    if disks > 1 { lines.append("  set        one of \(disks) disks") }
    lines.append("  made       \(created.text)")
    return lines.joined(separator: "\n")
  }

  // MARK: For programs

  /// The report as an element of the document that docs/disk.md describes.
  var document: Document { Document(self) }

  struct Document: Encodable {
    let path: String
    let result: String
    let reason: String?
    let created: String?
    let disks: Int?
    let segmentBytes: Int?
    let usedBytes: Int?
    let segments: [String: Int]?
    let responses: Responses?
    let logged: Int?
    let damage: Int
    let notes: Int
    let findings: [Finding]
    let milliseconds: Int64

    struct Responses: Encodable {
      let alive: Int
      let contentBytes: Int
      let pieces: Int
      let purged: Int
      let removed: Int
      let replaced: Int
      let orphanedPieces: Int
      let behindDamage: Int
      let unreadable: Int
    }

    struct Finding: Encodable {
      let kind: String
      let file: String
      let offset: Int
      let what: String
      let meaning: String
      let url: String?
    }

    fileprivate init(_ report: StoreReport) {
      path = report.path
      result = report.result
      reason = report.reason
      let isOpened = report.segmentSize > 0
      created = isOpened ? report.created.text : nil
      disks = isOpened ? report.disks : nil
      segmentBytes = isOpened ? report.segmentSize : nil
      usedBytes = isOpened ? report.used : nil
      segments =
        isOpened
        ? Dictionary(
          uniqueKeysWithValues: DiskInspection.Segment.State.allCases.map {
            ($0.rawValue, report.states[$0] ?? 0)
          }) : nil
      let tally = report.tally
      responses =
        isOpened
        ? Responses(
          alive: tally.alive, contentBytes: tally.contentBytes, pieces: tally.pieces,
          purged: tally.purged, removed: tally.removed, replaced: tally.hidden,
          orphanedPieces: tally.orphaned, behindDamage: tally.behindDamage,
          unreadable: tally.unreadable) : nil
      logged = isOpened ? report.logged : nil
      damage = report.damage
      notes = report.notes
      findings = report.findings.map {
        Finding(
          kind: $0.kind.rawValue, file: "\($0.file)", offset: $0.offset, what: $0.what,
          meaning: $0.meaning, url: $0.url)
      }
      milliseconds = Int64(report.elapsed / .milliseconds(1))
    }
  }
}
