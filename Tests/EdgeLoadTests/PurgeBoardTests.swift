import Testing

@testable import edge_load

@Suite("Purge test")
struct PurgeBoardTests {
  @Test("A stale read counts by whether it began after the acknowledgement")
  func stale() {
    let board = PurgeBoard(resources: 2)
    let early = board.read(1)
    #expect(board.begin(1))
    #expect(!board.begin(1))
    board.sent(1, newest: 2, now: 1000)
    let during = board.read(1)
    board.acknowledged(1, now: 5000)
    let late = board.read(1)
    board.record(early, version: 1, now: 6000)
    board.record(during, version: 1, now: 9000)
    board.record(late, version: 2, now: 9500)
    var summary = board.summary()
    #expect(summary.acknowledged == 1)
    #expect(summary.reads == 3)
    #expect(summary.staleBeforeAcknowledgement == 2)
    #expect(summary.staleAfterAcknowledgement == 0)
    #expect(abs((summary.lastStaleMicroseconds?.max ?? 0) - 8) < 0.1)
    #expect(summary.longestAfterAcknowledgementMicroseconds == 4)

    board.record(late, version: 1, now: 10_000)
    summary = board.summary()
    #expect(summary.staleAfterAcknowledgement == 1)
  }

  @Test("A purge that failed promises nothing")
  func failed() {
    let board = PurgeBoard(resources: 1)
    #expect(board.begin(0))
    board.sent(0, newest: 2, now: 0)
    board.failed(0)
    #expect(board.read(0).required == 1)
    #expect(board.begin(0))
    #expect(board.summary().failed == 1)
    #expect(board.summary().acknowledged == 0)
  }

  @Test("Versions and their entity tags")
  func versions() {
    let resources = VersionedResources()
    #expect(resources.version(4) == 1)
    #expect(resources.advance(4) == 2)
    #expect(resources.version(4) == 2)
    let tag = Array(VersionedResources.entityTag(4, version: 17).utf8)
    #expect(VersionedResources.version(ofTag: tag) == 17)
    for text in ["", "\"x\"", "\"v\"", "\"vx-1\"", "\"v5\""] {
      #expect(VersionedResources.version(ofTag: Array(text.utf8)) == nil)
    }
  }
}

@Suite("Live display and page")
struct DisplayTests {
  private func progress() -> LoadProgress {
    let progress = LoadProgress()
    progress.responses.store(500, ordering: .relaxed)
    progress.hits.store(400, ordering: .relaxed)
    progress.measured.store(500_000_000, ordering: .relaxed)
    progress.phase.store(LoadPhase.measuring.rawValue, ordering: .relaxed)
    progress.p99.store(1500, ordering: .relaxed)
    return progress
  }

  private func plan() throws -> LoadPlan {
    LoadPlan(targets: [try LoadTarget(url: "http://a")], duration: .seconds(1))
  }

  @Test("A line for a log, without control characters")
  func line() throws {
    var display = LiveDisplay([progress()], plan: try plan(), isTerminal: false, hasColour: false)
    let text = display.next()
    #expect(text == "1 s: 1000/s, hits 80.0 %, p50 -, p99 1.50 ms, 0 errors\n")
    #expect(display.erased().isEmpty)
  }

  @Test("A picture that takes the last one away, in colour only where wanted")
  func picture() throws {
    var display = LiveDisplay([progress()], plan: try plan(), isTerminal: true, hasColour: false)
    let first = display.next()
    #expect(first.contains("50 %"))
    #expect(!first.contains("\u{1B}"))
    #expect(display.next().hasPrefix("\u{1B}[2F\u{1B}[J"))
    var coloured = LiveDisplay([progress()], plan: try plan(), isTerminal: true, hasColour: true)
    #expect(coloured.next().contains("\u{1B}[36m"))
  }

  @Test("A page of its own, with plots, and nothing from elsewhere")
  func page() throws {
    var tally = LoadTally()
    tally.series.begin(0)
    for second in 1...3 {
      for _ in 0..<10 {
        tally.record(
          ResponseSummary(status: 200, outcome: .hit), nanoseconds: Int64(second) * 100_000)
        tally.series.record(nanoseconds: 100_000)
      }
      _ = tally.series.tick(
        Int64(second) * 1_000_000_000, total: SecondSample(responses: second * 10))
    }
    #expect(tally.series.samples.map(\.responses) == [10, 10, 10])
    var plan = try plan()
    plan.targets = [try LoadTarget(url: "http://a/?x=<b>&y")]
    let html = ReportPage(report: LoadReport(tally, plan: plan, seconds: 3)).html
    #expect(html.components(separatedBy: "<svg").count >= 4)
    #expect(html.contains("class=\"curve\""))
    #expect(!html.contains("<b>"))
    #expect(!html.contains("<script") && !html.contains("src=") && !html.contains("NaN"))
  }
}
