import Testing

@testable import EdgePoP

@Suite struct RepetitionFilterTests {
  /// A filter that does not mind where it is asked.
  private final class Filter {
    static let most = RepetitionFilter<String>.most
    private var filter = RepetitionFilter<String>()

    func take(_ line: String, now: Int64) -> Bool { filter.take(line, now: now) }
    func due(now: Int64, all: Bool = false) -> [RepetitionFilter<String>.Repetition] {
      filter.due(now: now, all: all)
    }
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
  }

  @Test("At the end all is told")
  func end() {
    let filter = Filter()
    #expect(filter.take("a", now: 0))
    #expect(!filter.take("a", now: 10))
    #expect(filter.due(now: 2_000, all: true) == [.init(line: "a", times: 1, within: 2_000)])
  }

  @Test("Only so many are remembered; the others are all told")
  func bound() {
    let filter = Filter()
    for number in 0..<Filter.most { #expect(filter.take("\(number)", now: 0)) }
    for _ in 0..<2 { #expect(filter.take("one more", now: 1)) }
    #expect(!filter.take("0", now: 1))
    _ = filter.due(now: 10_000)
    #expect(filter.take("one more", now: 10_001))
    #expect(!filter.take("one more", now: 10_002))
  }
}
