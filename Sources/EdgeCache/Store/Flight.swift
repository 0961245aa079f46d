import NIOCore
import Synchronization

// Collapsed forwarding (RFC 9111 §4): one request upstream, any number of readers.
//
// The leader's upstream connection appends; every reader, the leader's own client among them, takes
// what has arrived at its own pace and is woken when there is more. A reader that leaves or stalls
// holds up nobody: content that may be stored is kept whole (and counted in the budget). Content that
// turns out not to be storable is relayed: what all readers have is dropped, and the upstream is held
// while the slowest of them is a window behind, so that none of them misses a byte. One for whom others have to wait
// must take some of it all the while, or is left behind.
//
// Invariant: no reader that has the head is at a place that was dropped.

/// One forwarded request and those who wait for its response.
public final class Flight: Sendable {
  /// A reader of a flight, by number.
  public typealias ReaderID = Int

  /// The cache key that is asked for.
  public let key: CacheKey
  /// The newest purge that had been applied when the request went upstream.
  public let sequence: UInt64
  /// The fields that select variants of this key, as far as known beforehand, with the values of
  /// the leader's request.
  let hint: VariantSelector
  /// The value of `Range` with which the request went upstream, if with any.
  let range: [UInt8]?
  /// True if nobody may join: the key is hit-for-miss, or the leader must not be waited for.
  let isSolo: Bool
  private let limits: StoreLimits
  private let state: Mutex<State>

  private struct Reader: Sendable {
    /// Bytes that it got so far.
    var position = 0
    var sawHead = false
    var isAsleep = true
    /// Since when others have had to wait for it, and where it was then.
    var delays: (since: Instant, position: Int)?
    let wake: @Sendable () -> Void
  }

  private enum Outcome: Sendable {
    case pending
    case streaming(FlightHead)
    case complete(FlightHead)
    case truncated(FlightHead)
    case stored(StoredResponse)
    case goAlone(StorageRefusal)
    case failed(UpstreamFailure)
  }

  private struct State: Sendable {
    var outcome = Outcome.pending
    var content = FlightContent()
    /// What counts the content once its fill does not.
    var lease: MemoryLease?
    var readers: [ReaderID: Reader] = [:]
    var nextReader = 0
    /// Readers that others did not wait for any longer, until they know.
    var leftBehind: Set<ReaderID> = []
    /// How far readers may be behind in content that is relayed.
    var window: Int
    /// What came behind the content.
    var trailers: FieldSection?
    /// Set when the content may not be stored after all.
    var refusal: StorageRefusal?
    var resume: (@Sendable () -> Void)?
    var isHeld = false
    var isOverdue = false
    /// How many of those who wait may still leave, once they may.
    var leavers = 0
  }

  init(
    key: CacheKey, sequence: UInt64, hint: VariantSelector, range: [UInt8]? = nil, isSolo: Bool,
    limits: StoreLimits
  ) {
    self.range = range
    self.isSolo = isSolo
    self.key = key
    self.sequence = sequence
    self.hint = hint
    self.limits = limits
    state = Mutex(State(window: limits.relayWindow))
  }

  // MARK: Readers

  /// Adds a reader, which `wake` tells of news, from any thread; nil when there are too many.
  public func subscribe(_ wake: @escaping @Sendable () -> Void) -> ReaderID? {
    state.withLock { state in
      guard state.readers.count <= limits.followers else { return nil }
      state.nextReader += 1
      state.readers[state.nextReader] = Reader(wake: wake)
      return state.nextReader
    }
  }

  /// The number of readers.
  public var readerCount: Int {
    state.withLock { $0.readers.count }
  }

  /// Takes the next step of a reader, with `mayLeave` of one that may ask for itself. O(chunks waiting).
  public func next(_ id: ReaderID, mayLeave: Bool = false) -> FlightStep {
    let (step, resume) = state.withLock { state -> (FlightStep, (@Sendable () -> Void)?) in
      guard var reader = state.readers[id] else {
        return (state.leftBehind.contains(id) ? .leftBehind : .truncated, nil)
      }
      let step = Self.step(&state, &reader, mayLeave: mayLeave)
      switch step {
      case .wait, .overdue: reader.isAsleep = true
      default: break
      }
      state.readers[id] = reader
      let resume = afterReading(&state)
      return (step, resume)
    }
    resume?()
    return step
  }

  /// Lets a reader that has the head go on from that place of the content.
  func seek(_ id: ReaderID, to position: Int) {
    state.withLock { $0.readers[id]?.position = position }
  }

  /// Removes a reader.
  public func unsubscribe(_ id: ReaderID) {
    let resume = state.withLock { state in
      state.readers[id] = nil
      state.leftBehind.remove(id)
      return afterReading(&state)
    }
    resume?()
  }

  private static func step(
    _ state: inout State, _ reader: inout Reader, mayLeave: Bool
  ) -> FlightStep {
    switch state.outcome {
    case .pending:
      if mayLeave, state.leavers > 0 {
        state.leavers -= 1
        return .mayLeave
      }
      return state.isOverdue ? .overdue : .wait
    case .stored(let response): return .stored(response)
    case .goAlone(let refusal): return .goAlone(refusal)
    case .failed(let failure): return .failed(failure)
    case .streaming(let head), .complete(let head), .truncated(let head):
      if !reader.sawHead {
        // Too late to join content whose beginning is gone.
        if state.content.start > 0 { return .goAlone(.tooLarge) }
        reader.sawHead = true
        return .head(head)
      }
    }
    if let piece = state.content.piece(from: reader.position) {
      reader.position += piece.readableBytes
      return .content(piece)
    }
    switch state.outcome {
    case .complete: return .end(state.trailers)
    case .truncated: return .truncated
    default: return .wait
    }
  }

  /// Drops what no reader needs and says whether the upstream is to be read again.
  private func afterReading(_ state: inout State) -> (@Sendable () -> Void)? {
    guard state.refusal != nil else { return nil }
    let mustWait = relay(&state)
    guard state.isHeld, !mustWait else { return nil }
    state.isHeld = false
    return state.resume
  }

  /// Drops what all readers have, and says whether the upstream must wait for them: for the fastest, or nobody
  /// would read what comes, and for the slowest, or it would miss what is dropped. O(readers).
  private func relay(_ state: inout State) -> Bool {
    let (slowest, fastest) = Self.span(state)
    state.content.drop(upTo: slowest)
    state.lease?.shrink(to: state.content.count)
    if state.readers.isEmpty { return false }
    return state.content.end - fastest >= min(limits.relayBuffer, state.window)
      || state.content.end - slowest >= state.window
  }

  /// Where the slowest reader is, and the fastest. O(readers).
  private static func span(_ state: borrowing State) -> (slowest: Int, fastest: Int) {
    var (slowest, fastest) = (state.content.end, 0)
    for reader in state.readers.values {
      slowest = min(slowest, reader.position)
      fastest = max(fastest, reader.position)
    }
    return (slowest, fastest)
  }

  // MARK: Readers that are left behind

  /// Goes on without those for whom others have waited for as long as they may, if they took little meanwhile. To be
  /// called about once a second; false if content that is relayed has no readers any more. O(readers).
  func leaveBehind(now: Instant) -> Bool {
    let departure = state.withLock { state -> Departure in
      guard state.refusal != nil else { return Departure(isRead: true) }
      var late: [ReaderID] = []
      // With little room there is little between who is fast and who is slow.
      let buffer = min(limits.relayBuffer, state.window / 2)
      let othersWait = state.content.end - Self.span(state).fastest < buffer
      for (id, reader) in state.readers {
        guard othersWait, state.content.end - reader.position >= state.window - buffer else {
          if reader.delays != nil { state.readers[id]?.delays = nil }
          continue
        }
        guard let delays = reader.delays else {
          state.readers[id]?.delays = (now, reader.position)
          continue
        }
        if now < delays.since.adding(seconds: limits.relayPatience) { continue }
        if reader.position - delays.position >= limits.relayWindow / 4 {
          state.readers[id]?.delays = (now, reader.position)
        } else {
          late.append(id)
        }
      }
      return leaveBehind(late, &state)
    }
    departure.tell()
    return departure.isRead
  }

  /// Goes on without anybody who reads it.
  func leaveAllBehind() {
    state.withLock { leaveBehind(Array($0.readers.keys), &$0) }.tell()
  }

  /// What is to be told after readers were left behind.
  private struct Departure {
    /// True if somebody reads on.
    var isRead: Bool
    var calls: [@Sendable () -> Void] = []

    func tell() { for call in calls { call() } }
  }

  private func leaveBehind(_ late: [ReaderID], _ state: inout State) -> Departure {
    var departure = Departure(isRead: state.readers.count > late.count)
    for id in late {
      if let reader = state.readers.removeValue(forKey: id) { departure.calls.append(reader.wake) }
      state.leftBehind.insert(id)
    }
    if !late.isEmpty, let resume = afterReading(&state) { departure.calls.append(resume) }
    return departure
  }

  /// True if others go on without this reader.
  func isLeftBehind(_ id: ReaderID) -> Bool { state.withLock { $0.leftBehind.contains(id) } }

  // MARK: The leader's side

  /// Tells what to call when the upstream may be read again after ``FillStep/hold``.
  public func onResume(_ resume: @escaping @Sendable () -> Void) {
    state.withLock { $0.resume = resume }
  }

  /// The head takes longer than it is worth waiting for in vain: some of those who do not know that they may share the
  /// response ask for themselves. Not all, or an upstream that is slow would get all requests that were held back.
  func letLeave() {
    let wakes = state.withLock { state in
      guard case .pending = state.outcome else { return [@Sendable () -> Void]() }
      state.leavers = limits.leavers
      return Self.wakeAll(&state)
    }
    for wake in wakes { wake() }
  }

  /// The head takes longer than others should wait for it: nobody joins any more, and those who wait are told.
  func becomeOverdue() {
    let wakes = state.withLock { state in
      guard case .pending = state.outcome else { return [@Sendable () -> Void]() }
      state.isOverdue = true
      return Self.wakeAll(&state)
    }
    for wake in wakes { wake() }
  }

  /// The response may be shared: readers get its head.
  public func begin(_ head: FlightHead) {
    finish { $0 = .streaming(head) }
  }

  /// Adds content, of which `window` bytes may wait for the slowest reader if it is relayed. O(readers that sleep).
  func append(_ chunk: ByteBuffer, window: Int) -> FillStep {
    let (step, wakes) = state.withLock { state -> (FillStep, [@Sendable () -> Void]) in
      state.content.append(chunk)
      guard state.refusal != nil else { return (.goOn, Self.wakeAll(&state)) }
      state.window = window
      if state.readers.isEmpty { return (.cancel, []) }
      state.isHeld = relay(&state)
      return (state.isHeld ? .hold : .goOn, Self.wakeAll(&state))
    }
    for wake in wakes { wake() }
    return step
  }

  /// Bytes received so far.
  var received: Int { state.withLock { $0.content.end } }

  /// The whole content, if it may be stored. O(1 MiB).
  func takeContent() -> Content? {
    let content = state.withLock { $0.refusal == nil ? $0.content : nil }
    return content?.content()
  }

  /// What is here of the content is counted by a lease from now on, for as long as there are readers.
  func hold(_ lease: MemoryLease) {
    state.withLock { $0.lease = lease }
  }

  /// Bytes of content that are here for readers; none if there are no readers.
  var waiting: Int { state.withLock { $0.readers.isEmpty ? 0 : $0.content.count } }

  /// The content will not be stored; readers still get it. The first reason stays.
  func refuse(_ refusal: StorageRefusal) {
    state.withLock { state in
      if state.refusal == nil { state.refusal = refusal }
      state.content.relay()
    }
  }

  /// Why the content will not be stored, if it will not.
  public var refusal: StorageRefusal? { state.withLock { $0.refusal } }

  /// The content is complete, with these trailer fields.
  func complete(_ trailers: FieldSection?) {
    if let trailers { state.withLock { $0.trailers = trailers } }
    finish { if case .streaming(let head) = $0 { $0 = .complete(head) } }
  }

  /// The response broke off.
  func truncate() {
    finish { if case .streaming(let head) = $0 { $0 = .truncated(head) } }
  }

  /// A validation found `response` good.
  func resolve(_ response: StoredResponse) {
    finish { if case .pending = $0 { $0 = .stored(response) } }
  }

  /// The response is not for sharing.
  func scatter(_ refusal: StorageRefusal) {
    finish { if case .pending = $0 { $0 = .goAlone(refusal) } }
  }

  /// The upstream failed before a head came.
  func fail(_ failure: UpstreamFailure) {
    finish { if case .pending = $0 { $0 = .failed(failure) } }
  }

  private func finish(_ change: (inout Outcome) -> Void) {
    let wakes = state.withLock { state in
      change(&state.outcome)
      return Self.wakeAll(&state)
    }
    for wake in wakes { wake() }
  }

  /// In the order in which they came: where there is not enough for all, who has waited longest has it.
  private static func wakeAll(_ state: inout State) -> [@Sendable () -> Void] {
    let asleep = state.readers.compactMap { $1.isAsleep ? $0 : nil }.sorted()
    return asleep.compactMap { id in
      state.readers[id]?.isAsleep = false
      return state.readers[id]?.wake
    }
  }

  // MARK: Joining

  /// The names that the response has; nil until it is known.
  var names: ResponseNames? {
    state.withLock { state in
      guard case .streaming(let head) = state.outcome else { return nil }
      return ResponseNames(head.head, at: key)
    }
  }

  /// What the response is selected by, once it is known.
  var selector: VariantSelector? {
    state.withLock { state in
      guard case .streaming(let head) = state.outcome else { return nil }
      return head.selector
    }
  }

  /// True if a request with these fields may wait for this flight. Not once its response is stale
  /// while it still arrives: those who come then had better share another.
  func mayJoin(_ request: FieldSection, now: Instant) -> Bool {
    if isSolo { return false }
    return state.withLock { state in
      if state.refusal != nil || state.readers.count > limits.followers { return false }
      switch state.outcome {
      case .pending: return !state.isOverdue && hint.matches(request)
      case .streaming(let head):
        return (head.part == nil || range != nil) && head.freshness.isFresh(now)
          && head.selector.matches(request)
      case .complete, .truncated, .stored, .goAlone, .failed: return false
      }
    }
  }
}
