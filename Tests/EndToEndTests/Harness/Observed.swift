// Waiting for something to happen, with a deadline: the only way in which these tests wait.

import Dispatch
import Synchronization

/// What was waited for did not happen in time.
struct Expired: Error, CustomStringConvertible {
  let description: String
}

/// A value that one side changes while others wait for it to become what they need.
final class Observed<Value: Sendable>: Sendable {
  private struct Waiter: Sendable {
    /// Resumes and returns true if the value is what is waited for.
    let offer: @Sendable (Value) -> Bool
    let expire: @Sendable (Value) -> Void
  }

  private struct State: Sendable {
    var value: Value
    var waiters: [Int: Waiter] = [:]
    var last = 0
  }

  private let state: Mutex<State>

  init(_ value: Value) {
    state = Mutex(State(value: value))
  }

  /// The value at this moment.
  var value: Value { state.withLock { $0.value } }

  /// Changes the value and resumes those for whom it is now right.
  func change(_ body: (inout Value) -> Void) {
    state.withLock { state in
      body(&state.value)
      for (id, waiter) in state.waiters where waiter.offer(state.value) {
        state.waiters[id] = nil
      }
    }
  }

  /// Returns what `find` finds in the value, as soon as it finds something.
  func wait<Found: Sendable>(
    for what: String, within limit: Duration, _ find: @escaping @Sendable (Value) -> Found?
  ) async throws -> Found {
    try await withCheckedThrowingContinuation { continuation in
      let id: Int? = state.withLock { state in
        if let found = find(state.value) {
          continuation.resume(returning: found)
          return nil
        }
        state.last += 1
        state.waiters[state.last] = Waiter(
          offer: { value in
            guard let found = find(value) else { return false }
            continuation.resume(returning: found)
            return true
          },
          expire: { value in
            continuation.resume(
              throwing: Expired(description: "no \(what) within \(limit); there is \(value)"))
          })
        return state.last
      }
      guard let id else { return }
      DispatchQueue.global().asyncAfter(deadline: .now() + limit.inSeconds) { [self] in
        state.withLock { state in
          state.waiters.removeValue(forKey: id)?.expire(state.value)
        }
      }
    }
  }
}

extension Duration {
  /// The length in seconds.
  var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) / 1e18
  }
}

/// How long anything may take before it is taken to hang.
let patience = Duration.seconds(90)

/// Repeats a question until it has an answer; for things that cannot report by themselves.
func eventually<Answer>(
  _ what: String, within limit: Duration = patience, _ ask: () async throws -> Answer?
) async throws -> Answer {
  let end = ContinuousClock.now + limit
  while true {
    if let answer = try await ask() { return answer }
    guard ContinuousClock.now < end else {
      throw Expired(description: "no \(what) within \(limit)")
    }
    try await Task.sleep(for: .milliseconds(10))
  }
}
