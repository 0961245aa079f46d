import EdgeFleet
import Foundation
import Glibc
import Logging
import Synchronization
import Testing

@testable import EdgePoP

// The thread that writes, with real files and pipes.

@Suite struct LogWriterTests {
  /// A directory of a test's own.
  private static func inDirectory(_ body: (String) async throws -> Void) async throws {
    let path = "/tmp/edgecache-log-\(UInt64.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await body(path)
  }

  private static func text(_ path: String) throws -> String {
    try String(contentsOfFile: path, encoding: .utf8)
  }

  private final class News: Sendable {
    let all = Mutex<[LogNews]>([])
    var value: [LogNews] { all.withLock { $0 } }
  }

  private static func writer(
    _ file: LogFile, limit: Int = 1 << 20, _ news: News = News()
  ) throws -> LogWriter {
    try LogWriter(file, name: "test", limit: limit) { one in news.all.withLock { $0.append(one) } }
  }

  @Test("What waits at the end is written")
  func end() async throws {
    try await Self.inDirectory { directory in
      let path = directory + "/log"
      let writer = try Self.writer(try LogFile(path: path))
      for number in 0..<1000 { writer.add(LogBlock(line: "\(number)")) }
      #expect(await writer.close(within: .seconds(60)) == 0)
      #expect(try Self.text(path) == (0..<1000).map { "\($0)\n" }.joined())
    }
  }

  @Test("A file that ends within a line is gone on with in a new one")
  func unfinished() async throws {
    try await Self.inDirectory { directory in
      let path = directory + "/log"
      for (before, expected) in [("half", "half\na\n"), ("whole\n", "whole\na\n"), ("", "a\n")] {
        try before.write(toFile: path, atomically: true, encoding: .utf8)
        let writer = try Self.writer(try LogFile(path: path))
        writer.add(LogBlock(line: "a"))
        await writer.close(within: .seconds(60))
        #expect(try Self.text(path) == expected)
      }
    }
  }

  @Test("A file that was moved away is opened anew, and one that cannot be opened stays")
  func reopening() async throws {
    try await Self.inDirectory { directory in
      let path = directory + "/log"
      let news = News()
      let writer = try Self.writer(try LogFile(path: path), news)
      writer.add(LogBlock(line: "a"))
      try await eventually("a line") { try Self.text(path) == "a\n" }
      rename(path, path + ".1")
      writer.reopen()
      try await eventually("a new file") { news.value == [.reopened] }
      writer.add(LogBlock(line: "b"))
      try await eventually("a line") { try Self.text(path) == "b\n" }
      // The same file again.
      writer.reopen()
      try await eventually("that it was looked at") { news.value.count == 2 }
      rename(path, path + ".2")
      mkdir(path, 0o700)
      writer.reopen()
      try await eventually("an error") { news.value.last == .notReopened(EISDIR) }
      writer.add(LogBlock(line: "c"))
      await writer.close(within: .seconds(60))
      #expect(try Self.text(path + ".1") == "a\n")
      #expect(try Self.text(path + ".2") == "b\nc\n")
    }
  }

  @Test("What a full device takes none of is counted when the end comes, and told before")
  func full() async throws {
    let news = News()
    let writer = try Self.writer(try LogFile(path: "/dev/full"), news)
    for number in 0..<1000 { writer.add(LogBlock(line: "\(number)")) }
    try await eventually("that it is known") { writer.trouble == ENOSPC }
    #expect(news.value == [.failing(ENOSPC)])
    #expect(await writer.close(within: .milliseconds(50)) == 1000)
    #expect(writer.dropped == 1000)
  }

  @Test(
    "A file that another process has put in the place of this one is written to without being told")
  func replaced() async throws {
    try await Self.inDirectory { directory in
      let path = directory + "/log"
      let writer = try Self.writer(try LogFile(path: path))
      writer.add(LogBlock(line: "first"))
      try await eventually("a line") { try Self.text(path) == "first\n" }
      rename(path, path + ".1")
      // While there is none, none is made.
      writer.add(LogBlock(line: "second"))
      try await eventually("a line") { try Self.text(path + ".1") == "first\nsecond\n" }
      #expect(access(path, F_OK) != 0)
      try "other\n".write(toFile: path, atomically: true, encoding: .utf8)
      var count = 0
      try await eventually("a line in the new file") {
        writer.add(LogBlock(line: "more"))
        count += 1
        return try Self.text(path) != "other\n"
      }
      await writer.close(within: .seconds(60))
      let all = try Self.text(path + ".1") + Self.text(path)
      #expect(all.split(separator: "\n").count { $0 == "more" } == count)
    }
  }

  @Test("Two logs to one pipe do not tear each other's lines")
  func shared() async throws {
    var ends: [CInt] = [0, 0]
    #expect(pipe(&ends) == 0)
    let writers = try (0..<2).map { _ in
      try Self.writer(LogFile(standard: ends[1]), limit: 8 << 20)
    }
    let (reader, lines) = (ends[0], 3000)
    let reading = Task.detached {
      var bytes: [UInt8] = []
      var some = [UInt8](repeating: 0, count: 65536)
      while case let count = read(reader, &some, some.count), count > 0 { bytes += some[..<count] }
      return bytes
    }
    for number in 0..<lines {
      for (index, writer) in writers.enumerated() {
        let fill = String(repeating: "\(index)", count: 20 + number % 400)
        writer.add(LogBlock(line: "[\(fill)]"))
      }
    }
    for writer in writers { #expect(await writer.close(within: .seconds(60)) == 0) }
    close(ends[1])
    let found = String(decoding: await reading.value, as: UTF8.self).split(separator: "\n")
    #expect(found.count == 2 * lines)
    #expect(found.allSatisfy { $0.wholeMatch(of: /\[(0+|1+)\]/) != nil })
    close(reader)
  }

  @Test("A pipe that nobody reads holds up nobody, and the end does not wait for it")
  func unread() async throws {
    var ends: [CInt] = [0, 0]
    #expect(pipe(&ends) == 0)
    let news = News()
    let writer = try Self.writer(LogFile(standard: ends[1]), limit: 100_000, news)
    let line = String(repeating: "x", count: 999)
    for _ in 0..<1000 { writer.add(LogBlock(line: line)) }
    #expect(writer.dropped >= 1000 - 100 - 65 - 1)
    #expect(news.value == [.dropping])
    #expect(writer.trouble == 0)
    let lost = await writer.close(within: .milliseconds(50))
    // What the pipe took is not lost; what a thread that hangs has in hand is.
    #expect(lost == writer.dropped && lost <= 1000 && lost >= 1000 - 65)
    // Lets the thread end.
    close(ends[0])
  }

  @Test("Once a pipe is read again, all is well again, and what was dropped is told")
  func readAgain() async throws {
    try await Self.inDirectory { directory in
      let path = directory + "/pipe"
      #expect(mkfifo(path, 0o600) == 0)
      // Nobody reads it at the start.
      let early = News()
      let patient = try Self.writer(try LogFile(path: path), limit: 100_000, early)
      patient.add(LogBlock(line: "early"))
      try await eventually("that it was told") { early.value == [.failing(ENXIO)] }
      let reader = open(path, O_RDONLY | O_NONBLOCK)
      try await eventually("that it is written") { early.value.last == .recovered(dropped: 0) }
      await patient.close(within: .seconds(60))
      var first = [UInt8](repeating: 0, count: 6)
      #expect(read(reader, &first, 6) == 6)
      let news = News()
      let writer = try Self.writer(try LogFile(path: path), limit: 100_000, news)
      let line = String(repeating: "x", count: 999)
      for _ in 0..<1000 { writer.add(LogBlock(line: line)) }
      #expect(news.value == [.dropping])
      let dropped = writer.dropped
      var bytes: [UInt8] = []
      try await eventually("that all is written") {
        var some = [UInt8](repeating: 0, count: 65536)
        let count = read(reader, &some, some.count)
        if count > 0 { bytes += some[..<count] }
        return news.value.last == .recovered(dropped: dropped)
      }
      await writer.close(within: .seconds(60))
      var some = [UInt8](repeating: 0, count: 65536)
      while case let count = read(reader, &some, some.count), count > 0 { bytes += some[..<count] }
      close(reader)
      #expect(bytes.count == 1000 * (1000 - Int(dropped)))
      #expect(bytes.count { $0 == 10 } == 1000 - Int(dropped))
    }
  }

  @Test("A reader that is gone is told, and ends nothing")
  func gone() async throws {
    var ends: [CInt] = [0, 0]
    #expect(pipe(&ends) == 0)
    close(ends[0])
    let news = News()
    let writer = try Self.writer(LogFile(standard: ends[1]), news)
    writer.add(LogBlock(line: "a"))
    try await eventually("that it was told") { news.value == [.failing(EPIPE)] }
    #expect(await writer.close(within: .milliseconds(10)) >= 0)
    try await eventually("that the line is counted") { writer.dropped == 1 }
    close(ends[1])
  }

  @Test("The log of events has lines of loggers; faults that are repeated are counted at the end")
  func events() async throws {
    try await Self.inDirectory { directory in
      let path = directory + "/log"
      let log = try OperationalLog(try LogFile(path: path), .text)
      var logger = log.logger(.info)
      logger[metadataKey: "pop"] = "a"
      logger.debug("not this")
      log.write(plain: "listening on nothing")
      logger.info("b", metadata: ["z": "1", "c": "x y"])
      logger.info("b", metadata: ["z": "1", "c": "x y"])
      for _ in 0..<100 { logger.error("no", metadata: ["pop": "b"]) }
      await log.close(within: .seconds(60))
      let lines = try Self.text(path).split(separator: "\n")
      #expect(lines.count == 5)
      #expect(lines[0] == "listening on nothing")
      #expect(lines[1].hasSuffix("Z info b pop=a c=\"x y\" z=1"), "\(lines[1])")
      #expect(lines[3].hasSuffix("Z error no pop=b"))
      #expect(lines[4].contains("Z error no: repeated 99 times in "), "\(lines[4])")
    }
  }
}
