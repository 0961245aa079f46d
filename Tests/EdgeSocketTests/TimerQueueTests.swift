import Testing

@testable import EdgeSocket

@Suite("Timers")
struct TimerQueueTests {
  @Test("are due in the order of their time, equal ones in the order in which they were added")
  func order() {
    var queue = TimerQueue()
    var log: [Int] = []
    for (index, due) in [30, 10, 20, 10, 30].enumerated() {
      _ = queue.add(due: Int64(due)) { log.append(index) }
    }
    #expect(queue.nextDue == 10)
    while let body = queue.takeDue(20) { body() }
    #expect(log == [1, 3, 2])
    #expect(queue.nextDue == 30)
    while let body = queue.takeDue(100) { body() }
    #expect(log == [1, 3, 2, 0, 4])
    #expect(queue.nextDue == nil)
  }

  @Test("that were cancelled do not happen; cancelling twice or late does nothing")
  func cancel() {
    var queue = TimerQueue()
    var log: [Int] = []
    let ids = (0..<6).map { index in queue.add(due: Int64(index / 2)) { log.append(index) } }
    queue.cancel(ids[1])
    queue.cancel(ids[1])
    queue.cancel(ids[4])
    while let body = queue.takeDue(0) { body() }
    queue.cancel(ids[0])
    while let body = queue.takeDue(9) { body() }
    #expect(log == [0, 2, 3, 5])
  }
}
