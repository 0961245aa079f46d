import EdgeCache
import EdgeFleet
import NIOCore
import Testing

@testable import EdgePoP

// A response that is not stored has its connection to the upstream for as long as its client takes to read it. That is
// nobody else's trouble while there are connections; where others wait for one, who reads slowly gives way.

@Suite("Slow readers")
struct SlowReaderTests {
  private let connector = SlowConnector()

  /// A client that reads no more, of a response that is long and not stored.
  private func reader(_ number: Int, in pop: MemoryPoP) async throws -> (Wire, UpstreamPeer) {
    let wire = pop.connect()
    wire.send(TestPoP.request("/\(number)"))
    let upstream = connector.accept(number, in: pop)
    upstream.send("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 1000000\r\n\r\n")
    pop.turn { _ in }
    try await wire.pause()
    upstream.send(String(repeating: "x", count: 1000))
    pop.turn { _ in }
    return (wire, upstream)
  }

  @Test("Where others wait for a place, who reads nothing loses its own; no more of them than wait")
  func places() async throws {
    let pop = try connector.pop {
      ($0.upstreamConnections, $0.connect) = (4, .seconds(100))
    }
    var readers: [(wire: Wire, upstream: UpstreamPeer)] = []
    for number in 0..<4 { readers.append(try await reader(number, in: pop)) }
    let began = NIODeadline.now()
    for second in stride(from: Int64(1), through: 40, by: 1) {
      pop.turn { $0.checkTime(began + .seconds(second)) }
    }
    #expect(readers.allSatisfy { !$0.upstream.isClosed }, "nobody waits")
    let others = (4..<6).map { number in
      let wire = pop.connect()
      wire.send(TestPoP.request("/\(number)"))
      return wire
    }
    #expect(connector.attempts.count == 4)
    pop.turn { $0.checkTime(began + .seconds(41)) }
    #expect(connector.attempts.count == 6)
    #expect(readers.count { $0.upstream.isClosed } == 2)
    #expect(readers.count { $0.wire.end == .broken } == 2)
    #expect(pop.statistics().limits["slowestReader"] == 2)
    for (number, wire) in others.enumerated() {
      let upstream = connector.accept(4 + number, in: pop)
      upstream.send("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok")
      pop.turn { _ in }
      #expect(try await wire.readResponse().text == "ok")
    }
    pop.turn { $0.checkTime(began + .seconds(60)) }
    #expect(readers.count { $0.upstream.isClosed } == 2)
    await pop.stop()
  }

  @Test("Who has read on since, or whose upstream is the slow one, keeps its place")
  func fast() async throws {
    let pop = try connector.pop { $0.upstreamConnections = 1 }
    let (wire, upstream) = try await reader(0, in: pop)
    let other = pop.connect()
    other.send(TestPoP.request("/1"))
    let began = NIODeadline.now()
    pop.turn { $0.checkTime(began + .seconds(1)) }
    try await wire.resume()
    for second in stride(from: Int64(2), through: 14, by: 1) {
      pop.turn { $0.checkTime(began + .seconds(second)) }
    }
    #expect(!upstream.isClosed && other.total == 0)
    await pop.stop()
  }

  @Test(
    "How fast a response is taken counts over ten to twenty seconds, whatever the bursts",
    arguments: [
      ([], nil), ([0], nil), ([0, 100], nil), ([0, 0, 0, 0, 0, 0], 0),
      ([0, 4000, 4000, 4000, 4000, 4000], 400), ([0, 0, 0, 0, 0, 9000], 900),
      ([0, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000], 500),
      ([0, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000], 0),
      ([5000, 4000, 4000, 4000, 4000, 4000], 0),
    ] as [([Int], Int?)])
  func pace(taken: [Int], rate: Int?) {
    var pace = ReadingPace()
    var last: Int?
    for (number, count) in taken.enumerated() {
      last = pace.note(
        taken: count, received: 0, now: .uptimeNanoseconds(1) + .seconds(2 * Int64(number)),
        over: .seconds(10))
    }
    #expect(last == rate)
    // What a response shared by many was read for counts as well.
    pace.reset()
    for (number, count) in taken.enumerated() {
      last = pace.note(
        taken: 0, received: count, now: .uptimeNanoseconds(1) + .seconds(2 * Int64(number)),
        over: .seconds(10))
    }
    #expect(last == rate)
  }

  @Test(
    "A client that takes what the kernel has for it has not stalled; one that takes nothing has, in time",
    arguments: [
      // What the kernel has, every ten seconds; after how many of these it is closed.
      (Array(repeating: 100, count: 14), 6), ([100, 90] + Array(repeating: 80, count: 20), 13),
      ((0..<20).map { 100 - $0 }, nil), (Array(repeating: 0, count: 14), 6),
      ([100, 100, 100, 100, 100, 100, 100, 99, 99, 99, 99, 99, 99, 99, 99], 6),
    ] as [([Int], Int?)])
  func stall(inKernel: [Int], closed: Int?) {
    let began = NIODeadline.now()
    var timing = ConnectionTiming(limits: ClientLimits(.init(), else: ShellLimits()), now: began)
    timing.requestBegan(hasContent: false)
    var end: Int?
    var asked = 0
    _ = timing.check(.busy, now: began, isReceiving: false, unsent: 5, isScarce: false)
    for (number, left) in inKernel.enumerated() where end == nil {
      let verdict = timing.check(
        .busy, now: began + .seconds(10 * Int64(number)) + .milliseconds(1), isReceiving: false,
        unsent: 5,
        inKernel: { () -> Int in
          asked += 1
          return left
        }(), isScarce: false)
      if verdict == .close(.clientStall) { end = number }
    }
    #expect(end == closed)
    #expect(asked <= 4)
  }
}
