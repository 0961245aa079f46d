import CEpoll
import Glibc
import NIOCore

/// Changes bytes on their way between a connection and its socket: TLS.
public protocol StreamFilter: AnyObject {
  /// Takes bytes that the connection sends.
  func send(_ plain: ByteBuffer)
  /// Takes bytes that came from the socket; throws if they are not what they should be.
  func receive(_ wire: ByteBuffer) throws
  /// The socket has no more bytes; throws if that is not how it should have ended.
  func end() throws
  /// The next bytes for the connection.
  func nextReceived() -> ByteBuffer?
  /// The next bytes for the socket.
  func nextToSend() -> ByteBuffer?
  /// True if the peer has ended the stream within it.
  var hasEnded: Bool { get }
  /// Ends the stream; there may be bytes for the socket left to say so.
  func close()
}

/// A connection: what comes in goes to ``received(_:)``, what goes out is put together with
/// ``send(_:)`` and leaves with ``flush()``. What the kernel does not take at once waits here.
///
/// Nothing that sends ever calls back: an error shows with the next event of the socket.
open class StreamSocket: PolledSocket {
  private enum AfterBacklog {
    case nothing, endOutput, close
  }

  private final var backlog = Backlog()
  private final var isBlocked = false
  /// True while something waits for room that is not in the backlog.
  private final var awaitsRoom = false
  private final var afterBacklog = AfterBacklog.nothing
  /// True when the peer sends no more.
  public final private(set) var inputHasEnded = false
  private final var isReading = true
  /// Changes bytes on their way.
  public final var filter: (any StreamFilter)?

  /// Above as many bytes that wait, whoever has more is to wait too...
  private static let highWater = 64 << 10
  /// ...until there are only so many.
  private static let lowWater = 32 << 10
  /// Reads in a row before others have their turn.
  private static let mostReads = 4

  // MARK: For subclasses

  /// Bytes came in. What is left of them is gone, unless it was taken. Empty memory may be left in the
  /// place of what was taken, to be read into again.
  open func received(_ bytes: inout ByteBuffer) {}

  /// All bytes of this moment came in.
  open func readCompleted() {}

  /// The peer sends no more; it may still read.
  open func inputEnded() { close() }

  /// What waited has become little enough for more.
  open func becameWritable() {}

  /// All was sent, and the peer was told that there is no more.
  open func outputEnded() {}

  /// The connection is broken; `error` is what happened, or nil if all that is known is that.
  open func failed(_ error: (any Error)?) { close() }

  /// True if bytes may still be of use that came before the connection broke.
  open var drainsAfterFailure: Bool { false }

  // MARK: Reading

  /// What came in and was not taken yet.
  public final var inbound = ByteBuffer()

  /// Puts bytes behind those that were not taken yet, and lets `process` take what it can of
  /// ``inbound``. Memory that nobody needs any more is left in the place of the bytes, to be read into
  /// again.
  @inlinable
  public final func gather(_ bytes: inout ByteBuffer, _ process: () -> Void) {
    if inbound.readableBytes == 0 {
      swap(&inbound, &bytes)
    } else {
      inbound.writeBuffer(&bytes)
    }
    process()
    if inbound.readableBytes == 0 {
      swap(&inbound, &bytes)
      if inbound.capacity > 0 { inbound = ByteBuffer() }
    } else {
      keepOnlyInbound()
    }
  }

  /// What waits for more to come keeps no memory that is far larger than itself.
  @usableFromInline
  final func keepOnlyInbound() {
    if inbound.readableBytes * 2 > inbound.storageCapacity { return }
    var copy = ByteBufferAllocator().buffer(capacity: inbound.readableBytes)
    copy.writeImmutableBuffer(inbound)
    inbound = copy
  }

  /// Takes all that came in and was not taken yet.
  public final func takeInbound() -> ByteBuffer {
    let rest = inbound
    inbound = ByteBuffer()
    return rest
  }

  /// Takes what comes, or leaves it with the kernel, so that the peer has to wait.
  public final func setReading(_ reads: Bool) {
    if reads == isReading { return }
    isReading = reads
    updateInterest()
  }

  private final func updateInterest() {
    var interest: Interest = .edges
    if isReading, !inputHasEnded { interest.insert(.reading) }
    if backlog.count > 0 || awaitsRoom { interest.insert(.writing) }
    watch(interest)
  }

  /// Begins with events.
  public final func start() {
    updateInterest()
  }

  public final override func ready(_ readiness: Readiness) {
    if readiness.isWritable {
      if backlog.count > 0 { drain() } else if awaitsRoom { foundRoom() }
    }
    guard isOpen else { return }
    if interest.contains(.reading) {
      if readiness.isReadable { receive(untilEnd: readiness.hasEnded || readiness.hasFailed) }
    } else if readiness.hasFailed, inputHasEnded || !drainsAfterFailure {
      failed(nil)
    }
  }

  /// Reads until nothing is left. A read that does not fill its memory has emptied the socket; only
  /// whether that was the end has to be asked for.
  private final func receive(untilEnd: Bool) {
    var reads = 0
    repeat {
      var bytes = reactor.takeInbox()
      let count = bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: Reactor.inboxSize) {
        max(0, read($0))
      }
      if count == 0 {
        let (code, hasEnded) = (lastError, lastError == 0)
        reactor.putBack(bytes)
        if hasEnded { return endInput() }
        if code != EAGAIN { failed(IOError(errnoCode: code, reason: "recv")) }
        break
      }
      // There may be more; however much memory there was, so much was asked for.
      let isFull = count == Reactor.inboxSize
      if filter == nil { received(&bytes) } else { receiveFiltered(&bytes) }
      reactor.putBack(bytes)
      guard isFull || untilEnd else { break }
      reads += 1
      if reads == Self.mostReads {
        // Others have their turn; what is left is reported anew.
        rearm()
        break
      }
    } while isOpen && interest.contains(.reading)
    if isOpen { readCompleted() }
  }

  private final var lastError: CInt = 0

  private final func read(_ memory: UnsafeMutableRawBufferPointer) -> Int {
    let count = StreamCalls.receive(
      descriptor, UnsafeMutableRawBufferPointer(rebasing: memory[..<Reactor.inboxSize]))
    lastError = count < 0 ? errno : 0
    return count
  }

  private final func endInput() {
    var problem: (any Error)?
    if let filter, !filter.hasEnded {
      do { try filter.end() } catch { problem = error }
    }
    inputHasEnded = true
    updateInterest()
    if let problem { failed(problem) }
    if isOpen { inputEnded() }
  }

  private final func receiveFiltered(_ bytes: inout ByteBuffer) {
    guard let filter else { return }
    var problem: (any Error)?
    do { try filter.receive(bytes) } catch { problem = error }
    forward(from: filter)
    // What was right before something was wrong is still what the peer sent.
    while isOpen, var plain = filter.nextReceived() { received(&plain) }
    guard isOpen else { return }
    if let problem { return failed(problem) }
    if filter.hasEnded { endInput() }
  }

  // MARK: Sending

  /// True if there is no need to wait before sending more.
  public final var isWritable: Bool { !isBlocked && isOpen }
  /// Bytes that the peer has not made room for.
  public final var unsent: Int { backlog.count }
  /// Bytes that the kernel has for the peer, which has not got them; 0 if it does not say. A call of the kernel.
  public final var unacknowledged: Int { isOpen ? max(0, Int(cepoll_unsent(descriptor))) : 0 }

  /// Adds bytes behind all that were sent before. They leave with ``flush()`` at the latest.
  public final func send(_ content: ByteBuffer) {
    if content.readableBytes == 0 || !isOpen { return }
    claim()
    reactor.outgoing.append(content)
    if reactor.outgoing.isFull { flush() }
  }

  /// Adds what `body` writes behind all that was sent before: only small things.
  @inlinable
  @inline(__always)
  @discardableResult
  public final func compose<Result>(_ body: (inout ByteBuffer) -> Result) -> Result {
    claim()
    let result = body(&reactor.outgoing.scratch)
    composed()
    return result
  }

  /// Something was put together.
  public final func composed() {
    if reactor.outgoing.isFull { flush() }
  }

  /// The memory for what is sent is one for all: another's must leave first.
  public final func claim() {
    if reactor.outgoing.isOwned(by: slot) { return }
    reactor.flushOutgoing()
    // What a closed connection sends is dropped.
    if isOpen { reactor.outgoing.claim(slot) }
  }

  /// Sends what was put together.
  public final func flush() {
    guard reactor.outgoing.isOwned(by: slot) else { return }
    if isOpen {
      if filter == nil { transmit() } else { transmitFiltered() }
    }
    reactor.outgoing.discard()
  }

  private final func transmit() {
    var taken = 0
    if backlog.count == 0 {
      taken = reactor.outgoing.write(to: descriptor)
      if taken == reactor.outgoing.count { return }
      if taken < 0 {
        // Whatever it is, it is told with the next event too.
        if errno != EAGAIN { return }
        taken = 0
      }
    }
    reactor.outgoing.forEachPiece(after: taken) { backlog.append($0) }
    backlogGrew()
  }

  private final func backlogGrew() {
    if backlog.count > Self.highWater { isBlocked = true }
    updateInterest()
  }

  private final func transmitFiltered() {
    guard let filter else { return }
    reactor.outgoing.forEachPiece(after: 0) { filter.send($0) }
    forward(from: filter)
  }

  /// Sends what a filter has for the socket.
  private final func forward(from filter: any StreamFilter) {
    while let wire = filter.nextToSend() { backlog.append(wire) }
    guard isOpen, backlog.count > 0 else { return }
    if !backlog.write(to: descriptor) { backlog.removeAll() }
    backlogGrew()
  }

  /// Goes on sending what waited.
  private final func drain() {
    if !backlog.write(to: descriptor) { backlog.removeAll() }
    if backlog.count == 0 { updateInterest() }
    if isBlocked, backlog.count < Self.lowWater {
      isBlocked = false
      becameWritable()
    }
    if backlog.count == 0 { finish() }
  }

  /// How sending past the memory of this process went.
  public enum DirectSend {
    /// So many bytes are on their way.
    case sent(Int)
    /// There is no room; ``becameWritable()`` comes when there is.
    case wait
    /// The connection is broken, which its next event tells, or there was nothing to send.
    case failed
  }

  /// Lets `body` move bytes to the socket, behind all that was sent before: it returns how many, or less than
  /// 0 for an error in `errno`. Not with a filter.
  public final func sendDirectly(_ body: (CInt) -> Int) -> DirectSend {
    precondition(filter == nil, "a filter sees all bytes")
    flush()
    guard isOpen else { return .failed }
    if backlog.count > 0 {
      isBlocked = true
      return .wait
    }
    let moved = body(descriptor)
    if moved > 0 { return .sent(moved) }
    guard moved < 0, errno == EAGAIN else { return .failed }
    isBlocked = true
    awaitsRoom = true
    updateInterest()
    return .wait
  }

  private final func foundRoom() {
    awaitsRoom = false
    isBlocked = false
    updateInterest()
    becameWritable()
  }

  /// Says that nothing more is sent, when all that was is on its way; then ``outputEnded()``.
  public final func endOutput() {
    afterBacklog = .endOutput
    flush()
    if backlog.count == 0 { finish() }
  }

  /// Closes when all that was sent is on its way.
  public final func closeAfterOutput() {
    afterBacklog = .close
    flush()
    if backlog.count == 0 { finish() }
  }

  private final func finish() {
    guard isOpen else { return }
    let next = afterBacklog
    afterBacklog = .nothing
    switch next {
    case .nothing: break
    case .endOutput:
      filter?.close()
      if let filter { forward(from: filter) }
      shutdown(descriptor, CInt(SHUT_WR))
      outputEnded()
    case .close: close()
    }
  }

  public final override func willClose() {
    guard let filter else { return }
    filter.close()
    // If there is no room for them, the peer does without the last words.
    while let wire = filter.nextToSend() { backlog.append(wire) }
    _ = backlog.write(to: descriptor)
    self.filter = nil
  }

  /// Makes the peer see, when the connection is closed, that it was not an orderly end.
  public final func breakOff() {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }
}
