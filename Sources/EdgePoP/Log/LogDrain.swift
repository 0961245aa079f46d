// Writing a log, block by block, as a pure state machine over whatever it is written to. Whole lines: a write that
// took half a line is gone on with before anything else is written, however long that takes; and if a file is given up
// for a new one in the middle of a line, the line is written whole to the new one.

/// What a log is written to.
protocol LogSink {
  /// Writes as much as goes of a block from one place to another.
  mutating func write(_ block: LogBlock, from start: Int, to end: Int) -> LogWrite
  /// Opens what is to be written to from now on, beside what is there.
  mutating func open() -> LogOpening
  /// Writes to what was opened, and closes what was there.
  mutating func change()
  /// Takes the last bytes that were written away again; false if that cannot be done.
  @discardableResult
  mutating func takeBack(_ count: Int) -> Bool
  /// True if what is written to has another file in its place by now.
  var isReplaced: Bool { get }
}

extension LogSink {
  var isReplaced: Bool { false }
}

/// How a write went.
enum LogWrite: Hashable, Sendable {
  /// So many bytes were taken.
  case wrote(Int)
  /// Nobody reads at present.
  case wait
  /// It failed, with an `errno`: no room, an error of the disk, nobody there to read.
  case failed(CInt)
}

/// How opening a log went.
enum LogOpening: Hashable, Sendable {
  /// There is another file.
  case opened
  /// It is the one that is written to already.
  case same
  /// It failed, with an `errno`.
  case failed(CInt)
}

/// Writes a log.
struct LogDrain {
  /// The block that is being written, and how far.
  private var current: (block: LogBlock, written: Int)?

  /// True if there is nothing to go on with.
  var isIdle: Bool { current == nil }

  /// Begins with another block.
  mutating func begin(_ block: LogBlock) { current = (block, 0) }

  /// Writes some; returns the block when all of it was written.
  mutating func write(to sink: inout some LogSink) -> (result: LogWrite, finished: LogBlock?) {
    guard let (block, written) = current else { return (.wrote(0), nil) }
    let result = sink.write(block, from: written, to: block.count)
    guard case .wrote(let count) = result else {
      if case .failed = result { takeBackHalf(block, written, &sink) }
      return (result, nil)
    }
    current = written + count < block.count ? (block, written + count) : nil
    return (result, current == nil ? block : nil)
  }

  /// Half a line does not stay at the end of a file that takes no more: whoever moves that away has it whole in the next.
  private mutating func takeBackHalf(
    _ block: LogBlock, _ written: Int, _ sink: inout some LogSink
  ) {
    let start = block.lineStart(before: written)
    if start < written, sink.takeBack(written - start) { current = (block, start) }
  }

  /// Goes on in another file. The old one gets the rest of a line that it has the beginning of.
  mutating func change(_ sink: inout some LogSink) -> LogOpening {
    let opening = sink.open()
    guard case .opened = opening else { return opening }
    if let (block, written) = current { current = (block, endLine(block, written, &sink)) }
    sink.change()
    return opening
  }

  /// Where to go on in the new file.
  private func endLine(_ block: LogBlock, _ written: Int, _ sink: inout some LogSink) -> Int {
    let start = block.lineStart(before: written)
    if start == written { return written }
    let end = block.lineEnd(from: written)
    var place = written
    while place < end {
      guard case .wrote(let count) = sink.write(block, from: place, to: end), count > 0 else {
        sink.takeBack(place - start)
        return start
      }
      place += count
    }
    return end
  }

  /// Gives up: how many lines were not written whole. The beginning of one is taken back where that can be done.
  mutating func abandon(_ sink: inout some LogSink) -> UInt64 {
    guard let (block, written) = current else { return 0 }
    current = nil
    let start = block.lineStart(before: written)
    if start < written { sink.takeBack(written - start) }
    return block.lines(from: written)
  }
}
