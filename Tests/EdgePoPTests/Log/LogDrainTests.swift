import Glibc
import Seeds
import Testing

@testable import EdgePoP

// A log on a disk that blocks, fails, is full, and is full in the middle of a line, and files that are changed
// meanwhile: histories from a seed. Whatever happens, each file has whole lines in order, and what is missing is counted.

/// Files in memory that are moved away and take only so much.
private struct SimulatedFiles: LogSink {
  var files: [[UInt8]] = [[]]
  var random: SeededRandom
  /// Bytes that there is room for.
  var room = Int.max
  var isBlocked = false
  var canOpen = true
  /// True if the file was moved away since it was opened.
  var isMoved = false
  var canTakeBack = true
  private var hasOpened = false

  init(seed: UInt64) { random = SeededRandom(seed: seed) }

  mutating func write(_ block: LogBlock, from start: Int, to end: Int) -> LogWrite {
    if start == end { return .wrote(0) }
    if isBlocked { return .wait }
    let count = min(end - start, room, Int.random(in: 1...64, using: &random))
    guard count > 0 else { return .failed(ENOSPC) }
    files[files.count - 1] += block.withBytes(from: start) { Array($0.prefix(count)) }
    room -= count
    return .wrote(count)
  }

  mutating func open() -> LogOpening {
    if !canOpen { return .failed(ENOSPC) }
    hasOpened = isMoved
    return isMoved ? .opened : .same
  }

  mutating func change() {
    guard hasOpened else { return }
    (hasOpened, isMoved) = (false, false)
    files.append([])
  }

  mutating func takeBack(_ count: Int) -> Bool {
    if canTakeBack {
      files[files.count - 1].removeLast(count)
      if room < 1 << 20 { room += count }
    }
    return canTakeBack
  }
}

@Suite struct LogDrainTests {
  /// A block of lines with these numbers.
  private static func block(_ numbers: Range<Int>, _ random: inout SeededRandom) -> LogBlock {
    let block = LogBlock(capacity: LogBacklog.blockSize)
    for number in numbers {
      block.put(text: "line \(number) ")
      block.put(text: String(repeating: "x", count: Int.random(in: 0..<30, using: &random)))
      block.put(".")
      block.endLine()
    }
    return block
  }

  /// The number of a line that is whole.
  private static func number(_ line: Substring) -> Int? {
    line.wholeMatch(of: /line (\d+) x*\./).flatMap { Int($0.1) }
  }

  @Test("Lines are whole and in order, and none is missing that is not counted", arguments: 0..<400)
  func histories(seed: Int) {
    var random = SeededRandom(seed: UInt64(seed))
    var files = SimulatedFiles(seed: UInt64(seed) + 1000)
    files.canTakeBack = seed % 3 != 0
    var (backlog, drain) = (LogBacklog(limit: 2000), LogDrain())
    var count = 0

    func write() {
      if drain.isIdle {
        guard let block = backlog.take() else { return }
        drain.begin(block)
      }
      if let finished = drain.write(to: &files).finished { backlog.wrote(finished) }
    }

    for _ in 0..<300 {
      switch Int.random(in: 0..<12, using: &random) {
      case 0...3:
        let more = Int.random(in: 1...8, using: &random)
        _ = backlog.add(Self.block(count..<count + more, &random))
        count += more
      case 4: files.room = Int.random(in: 0...100, using: &random)
      case 5: files.room = .max
      case 6: files.isBlocked.toggle()
      case 7: files.isMoved = true
      case 8:
        files.canOpen = Bool.random(using: &random)
        _ = drain.change(&files)
      default: write()
      }
    }
    (files.room, files.isBlocked) = (seed % 2 == 0 ? .max : 50, false)
    for _ in 0..<20_000 where !(drain.isIdle && backlog.isEmpty) { write() }
    backlog.drop(lines: drain.abandon(&files))
    backlog.abandon()

    var last = -1
    var written = 0
    for (index, file) in files.files.enumerated() {
      var lines = String(decoding: file, as: UTF8.self).split(
        separator: "\n", omittingEmptySubsequences: false)
      // What no file has room for, and cannot be taken back, is at its end.
      let rest = lines.removeLast()
      #expect(rest.isEmpty || !files.canTakeBack, "seed \(seed), file \(index): \(rest)")
      for line in lines {
        guard let number = Self.number(line) else {
          Issue.record("seed \(seed), file \(index): a line is not whole: \(line)")
          return
        }
        #expect(number > last, "seed \(seed)")
        last = number
        written += 1
      }
    }
    #expect(written + Int(backlog.dropped) == count, "seed \(seed)")
    #expect(seed % 2 == 1 || backlog.isEmpty)
  }

  @Test("However little blocks have, what waits takes little more memory than it has bytes")
  func compact() {
    var backlog = LogBacklog(limit: 1 << 20)
    for number in 0..<10_000 {
      let block = backlog.takeSpare() ?? LogBlock(capacity: LogBacklog.blockSize)
      block.put(text: "line \(number)")
      block.endLine()
      _ = backlog.add(block)
    }
    #expect(backlog.count <= 2)
    var text = ""
    while let block = backlog.take() { text += block.text }
    #expect(text == (0..<10_000).map { "line \($0)\n" }.joined())
    #expect(backlog.dropped == 0)
  }

  @Test("A block that does not fit is dropped whole and counted; the bound is exact")
  func bound() {
    var random = SeededRandom(seed: 1)
    let one = Self.block(0..<3, &random)
    var backlog = LogBacklog(limit: one.count + 20)
    let exact = LogBlock(line: String(repeating: "a", count: 19))
    #expect(exact.count == 20)
    let added = [one, exact, LogBlock(line: "")].map { backlog.add($0) }
    #expect(added == [true, true, false])
    #expect(backlog.dropped == 1)
    // What is being written still counts.
    let taken = backlog.take()
    let isAdded = backlog.add(LogBlock(line: ""))
    #expect(taken === one && !isAdded)
    backlog.wrote(one)
    let isAddedNow = backlog.add(LogBlock(line: ""))
    #expect(isAddedNow)
    #expect(backlog.dropped == 2)
  }
}
