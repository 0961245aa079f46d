import NIOCore
import Testing

@testable import EdgeFleet

@Suite("Usable cores")
struct UsableCoresTests {
  @Test(
    "The mask of a thread's status says how many there are",
    arguments: [
      ("Cpus_allowed:\t3\n", 2),
      ("Name:\tx\nCpus_allowed:\tff,ffffffff\nCpus_allowed_list:\t0-39\n", 40),
      ("Cpus_allowed:\t00000000,00000002\n", 1), ("Cpus_allowed:\tA\n", 2),
      ("Cpus_allowed:\t0\n", nil),
      ("Cpus_allowed_list:\t0-3\n", nil), ("", nil),
    ] as [(String, Int?)])
  func masks(status: String, count: Int?) {
    #expect(UsableCores.allowed(Array(status.utf8)) == count)
  }

  @Test("There is at least one, and no more than the machine has")
  func here() {
    #expect((1...max(1, System.coreCount)).contains(UsableCores.count))
  }
}
