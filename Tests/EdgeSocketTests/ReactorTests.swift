import EdgeSocket
import Synchronization
import Testing

/// What happened, told from several threads.
private final class Log<Entry: Sendable>: Sendable {
  private let list = Mutex<[Entry]>([])

  func add(_ entry: Entry) { list.withLock { $0.append(entry) } }
  var entries: [Entry] { list.withLock { $0 } }
}

@Suite("Reactors")
struct ReactorTests {
  @Test("run tasks of all threads, each thread's in its order")
  func tasks() async throws {
    let loopback = try await Loopback.start()
    let logs = (0..<4).map { _ in Log<Int>() }
    await withTaskGroup(of: Void.self) { group in
      for log in logs {
        group.addTask {
          for number in 0..<5000 { loopback.stage.mailbox.execute { log.add(number) } }
        }
      }
    }
    await loopback.stage.run { _ in }
    for log in logs { #expect(log.entries == Array(0..<5000)) }
    await loopback.stop()
  }

  @Test("run a task that a task leaves, without waiting for anything else")
  func tasksOfTasks() async throws {
    let loopback = try await Loopback.start()
    let log = Log<Int>()
    @Sendable func again() {
      log.add(log.entries.count)
      if log.entries.count < 1000 { loopback.stage.mailbox.execute { again() } }
    }
    let began = ContinuousClock.now
    loopback.stage.mailbox.execute { again() }
    while log.entries.count < 1000, ContinuousClock.now - began < .seconds(60) {
      try await Task.sleep(for: .milliseconds(1))
    }
    #expect(log.entries.count == 1000)
    await loopback.stop()
  }

  @Test("keep time: what is cancelled does not happen, the rest in its order")
  func timers() async throws {
    let loopback = try await Loopback.start()
    let log = Log<Int>()
    let began = ContinuousClock.now
    await withCheckedContinuation { continuation in
      loopback.stage.mailbox.execute {
        let reactor = loopback.stage.value.reactor
        _ = reactor.schedule(after: 60_000_000) {
          log.add(2)
          continuation.resume()
        }
        let never = reactor.schedule(after: 30_000_000) { log.add(9) }
        _ = reactor.schedule(after: 20_000_000) {
          log.add(1)
          reactor.cancel(never)
        }
      }
    }
    #expect(log.entries == [1, 2])
    #expect(ContinuousClock.now - began >= .milliseconds(50))
    await loopback.stop()
  }

  @Test("hold nothing any more when they have ended, not what was to be done later either")
  func letGo() async throws {
    final class Marker {}
    struct Weak: Sendable { nonisolated(unsafe) weak var marker: Marker? }
    let loopback = try await Loopback.start()
    let weak = await loopback.stage.run { stage in
      let marker = Marker()
      _ = stage.reactor.schedule(after: 3_600_000_000_000) { withExtendedLifetime(marker) {} }
      return Weak(marker: marker)
    }
    await loopback.stop()
    let began = ContinuousClock.now
    while weak?.marker != nil, ContinuousClock.now - began < .seconds(60) {
      try await Task.sleep(for: .milliseconds(1))
    }
    #expect(weak?.marker == nil)
  }

  @Test("tell what their setup threw, and are gone then")
  func setupThrows() async {
    struct Refusal: Error {}
    await #expect(throws: Refusal.self) {
      _ = try await Reactor.start(name: "test") { _ -> Int in throw Refusal() }
    }
  }
}
