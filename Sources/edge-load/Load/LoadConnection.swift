// One connection under load: one request at a time, over a socket of its own. It stays the same
// through reconnects, so that the number of connections is what was asked for.
//
// Invariant: between `start` and exactly one of `complete`, `fail` there is one request under way,
// and only then may the connection be handed back to its loop.

import EdgeSocket

/// A request that a connection is to send.
struct PlannedRequest {
  /// The bytes of the head.
  var head: [UInt8]
  /// What the run wants to remember of it until the response is there.
  var mark: RequestMark
  /// When it was due; latency counts from here. Nanoseconds of the run's clock.
  var intended: Int64
}

/// A connection of the load generator; confined to its loop's thread.
final class LoadConnection {
  /// What a connection is for.
  enum Role {
    /// It carries the load.
    case load
    /// It makes one request before the run and then stays open, to be a connection that rests.
    case resting
  }

  private enum State {
    case disconnected, connecting, idle, exchanging, finished
  }

  /// Which of the plan's targets it is connected to.
  let target: Int
  /// What it is for.
  let role: Role
  /// Whether the first attempt to connect has ended; the loop's clock starts when all have.
  var isSettled = false
  /// Whether the loop has it among its free connections.
  var isQueued = false
  /// Whether the last attempt to connect has failed.
  private(set) var isRefused = false
  /// When a connection that was refused is tried again; nil when it is not to be.
  var retryTime: Int64?

  /// Strong, as it is used several times for each response; the loop lets go of its connections.
  private let loop: LoadLoop
  private let index: Int
  private var state = State.disconnected
  private var socket: ClientSocket?
  /// Tells events of a socket from those of an earlier one that are still in the same batch.
  private var generation: UInt32 = 0
  private var addressIndex = 0
  private var request: PlannedRequest?
  private var deadline = Int64.max
  private var isRetry = false
  private var reader = ResponseReader()
  private var sentHead = 0
  private var sentContent = 0
  private var awaitsRoom = false
  /// Responses on the present connection: zero means that a close is no keep-alive race.
  private var responses = 0
  private var sawBytes = false

  /// A connection to a target, given by its index in the plan; `index` is its number in the loop.
  init(loop: LoadLoop, index: Int, target: Int, role: Role = .load) {
    (self.loop, self.index, self.target, self.role) = (loop, index, target, role)
  }

  // MARK: For the loop

  /// Whether it is connected and has nothing to do.
  var isIdle: Bool { state == .idle }

  /// Whether it can take a request: `start` connects first if need be.
  var isFree: Bool { state == .idle || state == .disconnected }

  /// Connects; the loop is told once it has worked or not.
  func connect(now: Int64) {
    if state == .finished { return }
    retryTime = nil
    state = .connecting
    deadline = now + loop.plan.timeout.nanoseconds
    let addresses = loop.addresses[target]
    guard addressIndex < addresses.count else { return connectFailed(now: now) }
    let source = loop.source(of: index, role)
    let socket = ClientSocket.connecting(to: addresses[addressIndex], source: source)
    guard let socket else { return connectFailed(now: now) }
    self.socket = socket
    generation &+= 1
    loop.poller.add(socket.descriptor, token: token, [.reading, .writing])
    awaitsRoom = true
  }

  /// Begins a request. Only for a free connection.
  func start(_ request: PlannedRequest, now: Int64) {
    self.request = request
    isRetry = false
    if state == .idle { send(now: now) } else { connect(now: now) }
  }

  /// Fails what is under way if its time is up.
  func checkDeadline(_ now: Int64) {
    guard deadline <= now else { return }
    switch state {
    case .exchanging: fail(.timeout, now: now)
    case .connecting: connectFailed(now: now)
    case .disconnected, .idle, .finished: break
    }
  }

  /// Ends the connection for good.
  func finish() {
    drop()
    state = .finished
  }

  // MARK: Events

  private var token: UInt64 { UInt64(generation) << 32 | UInt64(index) }

  /// Something happened at a socket of this connection.
  func handle(_ event: Readiness, now: Int64) {
    guard event.token == token else { return }
    switch state {
    case .connecting:
      guard event.isWritable else { return }
      if socket?.isConnected == true { connected(now: now) } else { connectFailed(now: now) }
    case .exchanging:
      if event.isWritable, awaitsRoom { continueSending() }
      if event.isReadable { receive() }
    case .idle:
      receive()
    case .disconnected, .finished: break
    }
  }

  private func connected(now: Int64) {
    addressIndex = 0
    isRefused = false
    responses = 0
    setAwaitsRoom(false)
    state = .idle
    if request != nil { send(now: now) } else { loop.connected(self, now: now) }
  }

  private func connectFailed(now: Int64) {
    drop()
    if addressIndex + 1 < loop.addresses[target].count {
      addressIndex += 1
      return connect(now: now)
    }
    addressIndex = 0
    isRefused = true
    let failed = request
    request = nil
    loop.connectFailed(self, failed, now: now)
  }

  // MARK: Sending

  private func send(now: Int64) {
    state = .exchanging
    sawBytes = false
    deadline = now + loop.plan.timeout.nanoseconds
    (sentHead, sentContent) = (0, 0)
    reader.begin(toHead: loop.requests.isHead, wantsTag: request?.mark.wantsTag ?? false)
    continueSending()
  }

  private func continueSending() {
    guard let socket, let head = request?.head else { return }
    let content = loop.requests.content
    while sentHead < head.count || sentContent < content.count {
      let isHead = sentHead < head.count
      let outcome =
        isHead
        ? socket.send(head, from: sentHead, more: !content.isEmpty)
        : socket.send(content, from: sentContent, more: false)
      switch outcome {
      case .moved(let count):
        if isHead { sentHead += count } else { sentContent += count }
      case .wouldBlock: return setAwaitsRoom(true)
      // The peer may have answered before it closed; reading finds out.
      case .ended, .failed: return setAwaitsRoom(false)
      }
    }
    setAwaitsRoom(false)
  }

  private func setAwaitsRoom(_ awaits: Bool) {
    guard awaits != awaitsRoom, let socket else { return }
    awaitsRoom = awaits
    loop.poller.change(socket.descriptor, token: token, awaits ? [.reading, .writing] : .reading)
  }

  // MARK: Receiving

  /// Reads what is there. A few rounds at most: other connections want their turn.
  private func receive() {
    guard let socket else { return }
    for _ in 0..<8 {
      let skippable = reader.discardable
      if state == .exchanging, skippable > 0 {
        switch socket.discard(atMost: skippable) {
        case .moved(let count):
          loop.received(count)
          reader.discarded(count)
          if reader.isComplete { return complete(surplus: false) }
          if count < skippable { return }
        case .wouldBlock: return
        case .ended, .failed: return closed()
        }
      } else {
        switch socket.receive(into: &loop.buffer) {
        case .moved(let count):
          loop.received(count)
          sawBytes = true
          guard state == .exchanging else { return fail(.malformed, now: Monotonic.now()) }
          do {
            let bytes = loop.buffer
            let taken = try reader.read(bytes.span.extracting(0..<count))
            if reader.isComplete { return complete(surplus: taken < count) }
          } catch {
            return fail(.malformed, now: Monotonic.now())
          }
          if count < loop.buffer.count && reader.discardable == 0 { return }
        case .wouldBlock: return
        case .ended, .failed: return closed()
        }
      }
    }
  }

  private func closed() {
    let now = Monotonic.now()
    guard state == .exchanging else {
      if role == .resting { return loop.restingClosed(self) }
      return reconnect(now: now)
    }
    if reader.connectionClosed() {
      complete(surplus: false)
    } else if !sawBytes, responses > 0, !isRetry {
      // The peer's idle timeout met our request: RFC 9112 §9.3.1 lets us try once more.
      isRetry = true
      reconnect(now: now)
    } else {
      fail(sawBytes ? .truncated : .closed, now: now)
    }
  }

  private func complete(surplus: Bool) {
    guard let request else { return }
    let now = Monotonic.now()
    self.request = nil
    responses += 1
    state = .idle
    deadline = .max
    if role == .resting { return loop.rested(self) }
    if surplus {
      loop.record(.malformed, request)  // More than the framing announced: not to be trusted.
      return reconnect(now: now)
    }
    loop.record(request, of: target, reader.summary, now: now)
    if loop.plan.newConnections {
      drop()
      loop.ready(self, now: now)
    } else if reader.summary.keepsAlive, sentContent == loop.requests.content.count {
      loop.ready(self, now: now)
    } else {
      reconnect(now: now)
    }
  }

  private func fail(_ error: LoadError, now: Int64) {
    // What a connection asks that is to rest is no request of the run.
    loop.record(error, role == .resting ? nil : request)
    request = nil
    if role == .resting { return loop.restingClosed(self) }
    reconnect(now: now)
  }

  private func reconnect(now: Int64) {
    drop()
    if request == nil && loop.plan.newConnections {
      return loop.ready(self, now: now)
    }
    loop.tally.reconnects += 1
    if request != nil || loop.wantsMore(target, now) {
      connect(now: now)
    } else {
      state = .finished
      loop.finished(self)
    }
  }

  private func drop() {
    state = .disconnected
    deadline = .max
    socket?.close()
    socket = nil
    awaitsRoom = false
  }
}
