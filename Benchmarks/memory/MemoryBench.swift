// Measures what the store costs in memory: `make bench-memory`, explained in docs/memory.md.
//
//   memory-bench stored COUNT        bytes for each stored response of 1 KB
//   memory-bench churn TURNOVERS     resident memory against the budget while everything changes
//
// The store is used as a server uses it: whole transactions, several at a time on two threads, and
// content in chunks that are slices of receive buffers.

import EdgeMemory
import Glibc

@main
enum MemoryBench {
  static func main() {
    // DECAY_MS=-1 leaves the allocator as it is, for comparisons.
    let decay = getenv("DECAY_MS").flatMap { Int(String(cString: $0)) } ?? Allocator.decay
    if decay >= 0 { Allocator.configure(decay: decay) }
    let arguments = CommandLine.arguments.dropFirst()
    let number = arguments.dropFirst().first.flatMap { Int($0) }
    switch arguments.first {
    case "stored": StoredRun.run(count: number ?? 100_000)
    case "churn": ChurnRun.run(turnovers: number ?? 40)
    default: print("usage: memory-bench stored COUNT | churn TURNOVERS")
    }
  }
}
