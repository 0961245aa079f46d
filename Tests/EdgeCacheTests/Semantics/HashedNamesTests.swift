import Foundation
import Testing

@testable import EdgeCache

/// The rule about hashed names against a list of real ones: `make hashed-names`.
///
/// The list has a name on a line, in columns between tabs: `yes`, `no`, or `no?` (unrelated names that
/// nobody looked at), where it comes from, how its build tool names files, the path.
@Suite struct HashedNamesTests {
  private static let list = ProcessInfo.processInfo.environment["EDGECACHE_HASHED_NAMES"]

  private struct Share {
    var taken = 0
    var all = 0

    var ratio: Double { all == 0 ? 1 : Double(taken) / Double(all) }

    mutating func add(_ isTaken: Bool) {
      all += 1
      if isTaken { taken += 1 }
    }
  }

  @Test(.enabled(if: list != nil)) func realNames() throws {
    let text = try String(contentsOfFile: try #require(Self.list), encoding: .utf8)
    var (hashed, sourceMaps) = (Share(), Share())
    var patterns: [String: Share] = [:]
    var wrong: [String] = []
    var unchecked: [String] = []
    for line in text.split(separator: "\n").dropFirst() {
      let columns = line.split(separator: "\t", omittingEmptySubsequences: false)
      guard columns.count == 4 else { continue }
      let path = Array(columns[3].utf8)
      let isTaken = HashedURL.matches(path.span)
      switch columns[0] {
      case "yes":
        // A source map is none by decision: see docs/decisions/hashed-urls.md.
        if columns[3].hasSuffix(".map") {
          sourceMaps.add(isTaken)
        } else {
          hashed.add(isTaken)
          patterns[String(columns[2]), default: Share()].add(isTaken)
        }
      case "no": if isTaken { wrong.append(String(columns[3])) }
      default: if isTaken { unchecked.append(String(columns[3])) }
      }
    }
    let mean = patterns.values.reduce(0) { $0 + $1.ratio } / Double(max(patterns.count, 1))
    for (pattern, share) in patterns.sorted(by: { $0.value.ratio < $1.value.ratio }) {
      print(Self.percent(share.ratio), "\(share.taken) of \(share.all)", pattern)
    }
    print("recall", Self.percent(hashed.ratio), "of \(hashed.all) names without source maps")
    print("mean of \(patterns.count) patterns", Self.percent(mean))
    print("source maps taken: \(sourceMaps.taken) of \(sourceMaps.all)")
    print("wrongly taken:", wrong)
    print("taken of those that nobody looked at:", unchecked)
    #expect(hashed.ratio >= 0.97)
    #expect(mean >= 0.90)
    #expect(wrong.count <= 3)
    #expect(sourceMaps.taken == 0)
  }

  private static func percent(_ ratio: Double) -> String {
    String(format: "%6.2f %%", ratio * 100)
  }
}
