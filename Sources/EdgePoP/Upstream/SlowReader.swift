/// A connection to an upstream on which a response is read slowly.
struct SlowReader {
  let connection: UpstreamConnection
  /// Bytes a second.
  let rate: Int
}

extension LoopContext {
  /// Ends responses that are read slowly where others wait for their places: the slowest first, and no more of them
  /// than there are others.
  func endSlowReaders() {
    guard !slowReaders.isEmpty else { return }
    let found = slowReaders
    slowReaders = []
    for index in pools.indices where pools[index].wanted > 0 {
      let readers = found.filter { $0.connection.upstream == index }.sorted { $0.rate < $1.rate }
      let slowest = readers.count { $0.rate < limits.slowestReader }
      let count = min(
        pools[index].wanted, max(slowest, pools[index].excess(slowReaders: readers.count)))
      for reader in readers.prefix(count) { reader.connection.endForOthers() }
    }
  }
}
