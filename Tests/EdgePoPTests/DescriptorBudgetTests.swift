import Testing

@testable import EdgePoP

// How the files that may be open are shared out.

@Suite("Shares of open files")
struct DescriptorBudgetTests {
  private typealias Needs = DescriptorBudget.Needs

  /// A limit, what is needed, how many clients are asked for: how many get a place, or why none can be had.
  private static let rows: [(limit: Int, needs: Needs, wanted: Int?, clients: Int?, says: String)] =
    [
      (1024, Needs(), nil, 731, ""),
      (1024, Needs(loops: 2), nil, 728, ""),
      (1_048_576, Needs(loops: 16, upstreams: 5000), nil, 1_043_466, ""),
      // Few files: upstreams have a quarter of what is left.
      (64, Needs(loops: 1), nil, 20, ""),
      (46, Needs(loops: 1), nil, 4, ""),
      (
        45, Needs(loops: 1), nil, nil,
        "only 45 files may be open, and at least 46 are needed: raise"
      ),
      (8, Needs(), nil, nil, "only 8 files"),
      (0, Needs(), nil, nil, "ulimit -n"),
      (64, Needs(loops: 16), nil, nil, "at least 106 are needed"),
      (1024, Needs(diskFiles: 2000), nil, nil, "(2000 of them for disks)"),
      (4096, Needs(diskFiles: 2000), nil, 1790, ""),
      // Who names a number gets it, if it leaves something for all else.
      (1024, Needs(), 100, 100, ""),
      (1024, Needs(), 982, 982, ""),
      (1024, Needs(), 983, nil, "clientConnections 983: there is room for 982, as only 1024 files"),
      (1024, Needs(), 1_000_000, nil, "LimitNOFILE="),
    ]

  @Test("What is left for clients", arguments: rows.indices)
  func shares(index: Int) {
    let (limit, needs, wanted, clients, says) = Self.rows[index]
    do throws(DescriptorBudget.Problem) {
      let budget = try DescriptorBudget(limit: limit, needs: needs, wanted: wanted)
      #expect(budget.clients == clients)
      #expect(budget.reserve == limit - budget.clients)
    } catch {
      #expect(clients == nil)
      #expect(error.description.contains(says), "\(error)")
    }
  }

  @Test("More files are never fewer places, and there is always something for upstreams")
  func monotonic() throws {
    for loops in [1, 4, 64] {
      var last = 0
      for limit in 400..<3000 {
        let budget = try DescriptorBudget(limit: limit, needs: .init(loops: loops, upstreams: 512))
        #expect(budget.clients >= last)
        #expect(budget.reserve >= 40)
        last = budget.clients
      }
    }
  }
}
