/// A connection to an upstream on which a response is read slowly.
struct SlowReader {
  let connection: UpstreamConnection
  /// What the response is for: the connection may have got to another one before all slow readers are found.
  private(set) weak var exchange: Exchange?
  /// Bytes a second.
  let rate: Int

  /// Ends the response, if it is still there.
  func end() {
    if let exchange, connection.exchange === exchange { connection.endForOthers() }
  }
}

extension LoopContext {
  /// Ends responses that are read slowly where others wait for their places, on whatever loop: the slowest first, and no
  /// more of them than there are others.
  func endSlowReaders() {
    let found = slowReaders
    slowReaders = []
    for index in pools.indices {
      let readers = found.filter { $0.connection.upstream == index }.sorted { $0.rate < $1.rate }
      guard pools[index].isNews(slowReaders: readers.count) else { continue }
      let slowest = readers.count { $0.rate < limits.slowestReader }
      let count = withPool(index) {
        $0.excess(slowReaders: readers.count, slowest: slowest, &$1)
      }
      for reader in readers.prefix(count) { reader.end() }
    }
  }
}
