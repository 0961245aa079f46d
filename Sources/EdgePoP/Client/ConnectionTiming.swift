import NIOCore

/// When a client connection has taken too long over something. Pure: the time comes in.
struct ConnectionTiming {
  enum Verdict: Hashable {
    case fine
    /// Close without a word.
    case close(ReachedLimit)
    /// Answer 408.
    case requestTimeout(ReachedLimit)
  }

  /// Those of the request that was asked last.
  var limits: ClientLimits
  private let accepted: NIODeadline

  private var hasServed = false
  /// When the connection became idle.
  private var idleSince: NIODeadline
  /// When the head that is arriving began.
  private var headSince: NIODeadline?
  private var contentSince: NIODeadline?
  private var lastContent: NIODeadline
  private var contentBytes = 0
  private var lingerSince: NIODeadline?
  private var lastUnsent = 0
  private var unsentSince: NIODeadline
  /// Bytes that the kernel had for the client when it took nothing any more.
  private var inKernel: Int?
  private var lastMove: NIODeadline

  init(limits: ClientLimits, now: NIODeadline) {
    self.limits = limits
    accepted = now
    idleSince = now
    lastContent = now
    unsentSince = now
    lastMove = now
  }

  /// True if the connection has lived for long enough.
  var isOld: Bool { NIODeadline.coarse() - accepted > limits.age }

  mutating func headBegan() {
    if headSince == nil { headSince = .coarse() }
  }

  mutating func requestBegan(hasContent: Bool) {
    headSince = nil
    hasServed = true
    guard hasContent else { return }
    let now = NIODeadline.coarse()
    contentSince = now
    lastContent = now
    contentBytes = 0
  }

  mutating func contentCame(_ count: Int) {
    lastContent = .coarse()
    contentBytes += count
  }

  mutating func contentEnded() {
    contentSince = nil
  }

  mutating func requestEnded() {
    contentSince = nil
    idleSince = .coarse()
  }

  mutating func lingers() {
    lingerSince = .coarse()
  }

  /// Something moved in a tunnel.
  mutating func moved() {
    lastMove = .coarse()
  }

  /// What a connection does between two responses.
  func standing(isWithinHead: Bool) -> ClientStanding {
    if hasServed, !isWithinHead {
      return .idle(since: Int64(clamping: idleSince.uptimeNanoseconds))
    }
    return .head(since: Int64(clamping: (headSince ?? idleSince).uptimeNanoseconds))
  }

  /// What it does after the last response.
  var leaving: ClientStanding {
    .leaving(since: Int64(clamping: (lingerSince ?? accepted).uptimeNanoseconds))
  }

  /// Judges the connection. `isReceiving` says that content is asked for and taken, `unsent` how many bytes the client
  /// has not taken yet, `inKernel` how many more the kernel has for it, and `isScarce` that others wait for what it holds.
  mutating func check(
    _ phase: ClientConnection.Phase, now: NIODeadline, isReceiving: Bool, unsent: Int,
    inKernel: @autoclosure () -> Int = 0, isScarce: @autoclosure () -> Bool
  ) -> Verdict {
    if unsent == 0 || unsent != lastUnsent {
      if unsent != lastUnsent { lastMove = now }
      lastUnsent = unsent
      unsentSince = now
      self.inKernel = nil
    } else if let before = self.inKernel {
      if now - unsentSince > limits.stall {
        // With large buffers a client may read on for long before the kernel takes more.
        let left = inKernel()
        if left >= before { return .close(.clientStall) }
        self.inKernel = left
        unsentSince = now
        lastMove = now
      }
    } else {
      self.inKernel = inKernel()
    }
    switch phase {
    case .head:
      if let headSince {
        return now - headSince > limits.head ? .requestTimeout(.head) : .fine
      }
      // While a response is still on its way to the client, the connection is not idle.
      if unsent > 0 { idleSince = now }
      let limit = hasServed ? limits.keepAlive : limits.firstByte
      if now - idleSince <= limit { return .fine }
      return .close(hasServed ? .keepAlive : .firstByte)
    case .busy:
      guard let contentSince else { return .fine }
      guard isReceiving else {
        // The upstream is the slow one: the client is not to blame.
        lastContent = now
        self.contentSince = now
        contentBytes = 0
        return .fine
      }
      if now - lastContent > limits.content { return .requestTimeout(.contentStall) }
      let elapsed = now - contentSince
      let slowest = limits.slowestContent
      let least = Int(elapsed.nanoseconds / 1_000_000_000) * slowest.rate
      if isScarce(), elapsed > slowest.grace, contentBytes < least {
        return .requestTimeout(.slowestContent)
      }
      return .fine
    case .tunnel:
      // The protocol has changed before the request was here.
      if contentSince != nil, isReceiving, now - lastContent > limits.content {
        return .close(.contentStall)
      }
      return now - lastMove > limits.tunnel ? .close(.tunnelIdle) : .fine
    case .lingering:
      guard let lingerSince else { return .close(.linger) }
      return unsent == 0 && now - lingerSince > limits.linger ? .close(.linger) : .fine
    case .closed: return .fine
    }
  }
}
