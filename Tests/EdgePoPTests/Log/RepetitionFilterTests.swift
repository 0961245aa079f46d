import Testing

@testable import EdgePoP

@Suite struct RepetitionFilterTests {
  /// A line of a kind, as `kind/line`.
  private struct Line: RepeatedLine, ExpressibleByStringLiteral {
    let text: String
    var kind: Substring { text.prefix { $0 != "/" } }
    init(_ text: String) { self.text = text }
    init(stringLiteral text: String) { self.init(text) }
  }

  private typealias Repetition = RepetitionFilter<Line>.Repetition

  /// A filter that does not mind where it is asked.
  private final class Filter {
    static let most = RepetitionFilter<Line>.most
    static let mostOfKind = RepetitionFilter<Line>.mostOfKind
    private var filter = RepetitionFilter<Line>()
    /// What was told on the way.
    private(set) var told: [Repetition] = []

    func take(_ line: Line, now: Int64) -> Bool {
      let verdict = filter.take(line, now: now)
      told += verdict.told
      return verdict.isWritten
    }
    func due(now: Int64, all: Bool = false) -> [Repetition] { filter.due(now: now, all: all) }
    var next: Int64? { filter.next }
  }

  @Test("A fault is told once, then how often it came, and then anew")
  func repetitions() {
    let filter = Filter()
    #expect(filter.take("a", now: 0))
    for time in 1...512 { #expect(!filter.take("a", now: Int64(time))) }
    #expect(filter.take("b", now: 100))
    #expect(filter.due(now: 9_999) == [])
    #expect(filter.next == 10_000)
    #expect(filter.due(now: 10_000) == [.init(line: "a", times: 512, within: 10_000)])
    // It was told a moment ago, so it is still counted.
    #expect(!filter.take("a", now: 10_500))
    #expect(filter.due(now: 19_999) == [])
    #expect(filter.due(now: 20_000) == [.init(line: "a", times: 1, within: 10_000)])
    #expect(filter.due(now: 30_000) == [])
    #expect(filter.next == nil)
    #expect(filter.take("a", now: 30_001))
    #expect(filter.take("b", now: 30_001))
    #expect(filter.told == [])
  }

  @Test("At the end all is told")
  func end() {
    let filter = Filter()
    #expect(filter.take("a", now: 0))
    #expect(!filter.take("a", now: 10))
    #expect(filter.due(now: 2_000, all: true) == [.init(line: "a", times: 1, within: 2_000)])
  }

  @Test("Only so many are remembered: the oldest is forgotten, and told if it came again")
  func bound() {
    let filter = Filter()
    for number in 0..<Filter.most { #expect(filter.take(Line("\(number)"), now: 0)) }
    for _ in 0..<3 { #expect(!filter.take("0", now: 1)) }
    #expect(filter.take("one more", now: 7))
    #expect(filter.told == [.init(line: "0", times: 3, within: 7)])
    #expect(!filter.take("one more", now: 8))
    #expect(filter.take("0", now: 9))
    // Who was forgotten instead had not come again, so there is nothing to tell.
    #expect(filter.told.count == 1)
  }

  @Test(
    "Of a kind so many lines are written, whatever they say; the others are counted",
    arguments: [1, 2, 100, 100_000])
  func kind(more: Int) {
    let filter = Filter()
    for number in 0..<Filter.mostOfKind { #expect(filter.take(Line("a/\(number)"), now: 0)) }
    for number in 0..<more { #expect(!filter.take(Line("a/more \(number)"), now: 5)) }
    // Those that were written are still counted each for itself.
    #expect(!filter.take("a/0", now: 6))
    // Another kind is not hidden by them.
    #expect(filter.take("b/0", now: 6))
    #expect(
      filter.due(now: 10_000) == [
        .init(line: "a/0", times: 1, within: 10_000),
        .init(line: Line("a/more \(more - 1)"), times: more, within: 10_000, areOthers: true),
      ])
    // The next ones are written again.
    #expect(filter.take("a/later", now: 10_001))
    #expect(filter.told == [])
  }

  @Test("However many faults of however many kinds come, what is written of each kind is bounded")
  func storm() {
    let filter = Filter()
    var (written, counted) = (0, 0)
    let kinds = 8
    for number in 0..<50_000 {
      if filter.take(Line("\(number % kinds)/\(number)"), now: Int64(number / 10)) { written += 1 }
    }
    counted = (filter.told + filter.due(now: 10_000)).reduce(0) { $0 + $1.times }
    #expect(written == kinds * Filter.mostOfKind)
    #expect(written + counted == 50_000)
  }

  @Test("More kinds than are remembered are each told, with what was counted of the oldest")
  func kinds() {
    let filter = Filter()
    for number in 0...Filter.mostOfKind { _ = filter.take(Line("0/\(number)"), now: 0) }
    for number in 1...Filter.most { #expect(filter.take(Line("\(number)"), now: 3)) }
    #expect(
      filter.told.filter(\.areOthers) == [
        .init(line: Line("0/\(Filter.mostOfKind)"), times: 1, within: 3, areOthers: true)
      ])
  }

  @Test(
    "What is told of it",
    arguments: [
      (1, 40, false, "repeated 1 times in 1 s"), (512, 10_049, false, "repeated 512 times in 10 s"),
      (1, 10_000, true, "one more of its kind came in 10 s"),
      (2, 10_000, true, "this and another one of its kind came in 10 s"),
      (300, 9_600, true, "this and 299 others of its kind came in 10 s"),
    ])
  func text(times: Int, within: Int64, areOthers: Bool, text: String) {
    #expect(
      Repetition(line: "a", times: times, within: within, areOthers: areOthers).text == text)
  }
}
