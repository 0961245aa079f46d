import NIOCore
import Synchronization

@testable import EdgeCache

// The core without sockets: what a shell does between one client and one upstream, as plain calls.

/// A store, a clock that only tests move, and one route.
final class CoreWorld {
  let store: Store
  var now = Instant(seconds: 1_700_000_000)
  var route = RequestRoute(cached: 0, passThrough: 0)
  var policy = SitePolicy(ownFields: [Array("edge-cache-control".utf8)])
  /// Validations that nobody asked for, in the order in which they began.
  var background: [CoreExchange] = []

  /// A world around a store that others may share.
  init(store: Store) {
    self.store = store
  }

  convenience init(limits: StoreLimits = StoreLimits(memory: 8 << 20)) {
    self.init(store: Store(limits: limits, secret: HashSecret(1, 2)))
  }

  /// The key of a URL.
  func key(_ url: String) -> CacheKey {
    guard let key = CacheKey(url: url.utf8, secret: store.secret) else { fatalError(url) }
    return key
  }

  /// Starts an exchange for a request as text; lines end in `↵`.
  func begin(_ request: String) -> CoreExchange {
    let exchange = CoreExchange(self, CoreExchange.parseRequest(request))
    exchange.handle(.start)
    return exchange
  }
}

/// What a client has received.
struct ReceivedResponse {
  /// The bytes of the head.
  var head = ByteBuffer()
  var content: [UInt8] = []
  var framing = MessageFraming.none
  var isComplete = false
  var isAborted = false
  /// Names and values of trailer fields.
  var trailers: [String] = []
  /// Heads that were sent; anything but one at the end is a bug.
  var heads = 0
  /// What was sent from the store.
  var stored: StoredResponse?
  /// Set if the answer was one of our own.
  var errorStatus: Int?

  /// The head, taken apart.
  var parsed: ResponseHead? {
    var parser = ResponseParser()
    guard case .head(let head, _)? = try? parser.parse(head, toHead: true) else { return nil }
    return head
  }

  var text: String { String(decoding: content, as: UTF8.self) }
}

/// One client's request on its way through a ``Transaction``.
final class CoreExchange {
  /// A flag that any thread may raise.
  final class Signal: Sendable {
    private let flag = Atomic<Bool>(false)
    func raise() { flag.store(true, ordering: .releasing) }
    func take() -> Bool { flag.exchange(false, ordering: .acquiringAndReleasing) }
  }

  let world: CoreWorld
  private(set) var transaction: Transaction
  private(set) var received = ReceivedResponse()
  /// Requests that went upstream, as heads.
  private(set) var forwarded: [RequestHead] = []
  private(set) var forwards: [Transaction.Forward] = []
  /// True while an upstream response is due or on its way.
  private(set) var awaitsUpstream = false
  private(set) var isHeld = false
  private(set) var isGone = false
  private(set) var cancellations = 0
  private(set) var interims = 0
  var isWritable = true
  private let news: Signal
  private let resumption: Signal

  init(_ world: CoreWorld, _ request: RequestHead) {
    self.world = world
    let news = Signal()
    let resumption = Signal()
    self.news = news
    self.resumption = resumption
    let key = CacheKey(request, isSecure: false, secret: world.store.secret)
      .applying(world.policy.query, secret: world.store.secret)
    transaction = Transaction(
      request: request, key: key, directives: world.route.directives(request.fields),
      route: world.route, policy: SitePolicy.Shared(world.policy), store: world.store)
    transaction.listen(wake: { news.raise() }, resume: { resumption.raise() })
  }

  /// Gets a piece for the request of another exchange.
  init(_ piece: PieceOrder, for other: CoreExchange) {
    world = other.world
    let news = Signal()
    let resumption = Signal()
    self.news = news
    self.resumption = resumption
    transaction = Transaction(
      piece, for: other.transaction.request,
      directives: world.route.directives(other.transaction.request.fields), route: world.route,
      policy: SitePolicy.Shared(world.policy), store: world.store)
    transaction.listen(wake: { news.raise() }, resume: { resumption.raise() })
    transaction.handle(.start, now: world.now)
    perform()
  }

  var status: CacheStatus { transaction.status }
  var isDone: Bool { transaction.isDone }
  var isSolo: Bool { transaction.isSolo }
  var isOver: Bool { received.isComplete || received.isAborted || isGone }
  /// The member of Cache-Status that was last known.
  var statusText: String { status.text(name: Array("edge".utf8)) }

  func handle(_ event: Transaction.Event) {
    if case .start = event {
      let look = FirstLook.take(
        request: transaction.request, key: transaction.key,
        directives: world.route.directives(transaction.request.fields), route: world.route,
        store: world.store, now: world.now)
      transaction.handle(.begin(look), now: world.now)
      perform()
      if case .answerAndValidate(let stored, _) = look, transaction.request.method == .get {
        let validation = CoreExchange(world, transaction.request)
        world.background.append(validation)
        validation.handle(.begin(.validate(stored)))
      }
      return
    }
    if let action = directAction(event) { return perform(action) }
    transaction.handle(event, now: world.now)
    perform()
  }

  /// What goes to the client at once.
  private func directAction(_ event: Transaction.Event) -> Transaction.Action? {
    switch event {
    case .upstreamHead(let head):
      transaction.passes(head, now: world.now) ? .sendUpstreamHead(head, status) : nil
    case .upstreamContent(let content):
      transaction.passes(content) ? .sendContent(content) : nil
    case .upstreamEnd(let trailers):
      transaction.passesEnd() ? trailers.map { .sendTrailers($0) } ?? .sendEnd : nil
    default: nil
    }
  }

  /// Takes news in, if there are any; true if there were.
  @discardableResult
  func poll() -> Bool {
    var had = false
    if resumption.take() {
      isHeld = false
      had = true
    }
    if news.take() {
      handle(.flightNews)
      had = true
    }
    return had
  }

  func perform() {
    while let action = transaction.nextAction(clientIsWritable: isWritable, now: world.now) {
      perform(action)
    }
  }

  /// Takes at most one action, for clients that read slowly.
  func performOne() -> Bool {
    var performed = false
    while let action = transaction.nextAction(clientIsWritable: true, now: world.now) {
      perform(action)
      performed = true
      // Counting is part of the step that it counts.
      switch action {
      case .countStored, .countImpatience: continue
      default: return true
      }
    }
    return performed
  }

  private var context: ResponseContext {
    ResponseContext(
      name: CacheName(Array("edge".utf8)), closes: false,
      minorVersion: transaction.request.minorVersion)
  }

  private func perform(_ action: Transaction.Action) {
    let now = world.now
    switch action {
    case .listen: handle(.listening)
    case .consult:
      let found = (world.store.lower as? TestDisk)?.read(transaction.key, transaction.request)
      transaction.handle(
        .consulted(
          found.flatMap { read in
            world.store.promote(
              read.response, stamp: read.stamp, purpose: .keeping, now: now
            ) { true }
          }), now: now)
    case .forward(let forward):
      forwards.append(forward)
      var buffer = ByteBuffer()
      _ = buffer.writeHead {
        ForwardedRequest.write(
          transaction.request, forward,
          client: ClientIdentity(address: "192.0.2.1", isSecure: false),
          cacheName: Array("edge".utf8), upstreamAuthority: "up.example", to: &$0)
      }
      forwarded.append(Self.parseRequest(buffer))
      awaitsUpstream = true
    case .cancelUpstream:
      awaitsUpstream = false
      isHeld = false
      cancellations += 1
    case .holdUpstream: isHeld = true
    case .countStored, .countImpatience: break
    case .sendInterim: interims += 1
    case .sendStored(let response, let status):
      received.stored = response
      let delivery = Delivery(request: transaction.request, response: response, now: now)
      beginHead()
      received.head.writeHead {
        ResponseWriter.stored(response, delivery, status, context, now: now, to: &$0)
      }
      delivery.forEachPiece(of: response) { received.content += Array($0.readableBytesView) }
      if let trailers = delivery.trailers {
        var sent = ByteBuffer()
        sent.writeHead { ContentEncoder.lastChunk(trailers, to: &$0) }
        receive(trailers: sent)
      }
      received.isComplete = true
    case .sendFlightHead(let head, let status, let whole):
      beginHead()
      received.framing = received.head.writeHead {
        ResponseWriter.flight(
          head, status, context, whole: whole, now: now, to: &$0)
      }
      if !whole { received.isComplete = true }
    case .sendUpstreamHead(let head, let status):
      beginHead()
      received.framing = received.head.writeHead {
        ResponseWriter.passedThrough(
          head, status, context, now: now, to: &$0)
      }
    case .sendContent(let content): received.content += Array(content.readableBytesView)
    case .sendEnd: received.isComplete = true
    case .sendTrailers(let trailers):
      if received.framing == .chunked {
        var sent = ByteBuffer()
        sent.writeHead { ContentEncoder.lastChunk(trailers, to: &$0) }
        receive(trailers: sent)
      }
      received.isComplete = true
    case .tunnel: received.isComplete = true
    case .sendError(let code, let status):
      beginHead()
      received.errorStatus = code
      received.head.writeHead {
        ResponseWriter.error(
          code, reason: "test", status, context, sendsContent: false, now: now, to: &$0)
      }
      received.isComplete = true
    case .abortClient, .leaveClientBehind: received.isAborted = true
    }
  }

  private func receive(trailers sent: ByteBuffer) {
    let lines = String(buffer: sent).split(separator: "\r\n").dropFirst()
    received.trailers += lines.map(String.init)
  }

  private func beginHead() {
    received.heads += 1
    received.head.clear()
  }

  // MARK: What the two sides do

  /// The upstream answers with this head; lines end in `↵`.
  func upstreamHead(_ text: String) {
    handle(.upstreamHead(Self.parseResponse(text, toHead: transaction.request.method == .head)))
  }

  func upstreamContent(_ bytes: ByteBuffer) { handle(.upstreamContent(bytes)) }
  func upstreamContent(_ bytes: [UInt8]) { upstreamContent(ByteBuffer(bytes: bytes)) }
  func upstreamContent(_ text: String) { upstreamContent(Array(text.utf8)) }

  func upstreamEnd(trailers: FieldSection? = nil) {
    awaitsUpstream = false
    handle(.upstreamEnd(trailers))
  }

  /// Some of the request, or all of it, goes to the upstream.
  func requestLeft(whole: Bool) { transaction.requestLeft(whole: whole) }

  func upstreamFails(_ failure: UpstreamFailure, mayRetry: Bool = false) {
    awaitsUpstream = false
    switch failure {
    case .connect, .connectTimeout, .queueFull, .queueTimeout, .dnsTimeout, .dnsError,
      .outOfDescriptors, .outOfPorts, .outOfMemory:
      break
    default: transaction.requestLeft(whole: true)
    }
    handle(.upstreamFailed(failure, mayRetry: mayRetry))
  }

  /// A whole answer at once, as far as it is wanted.
  func answer(_ head: String, _ content: String = "") {
    let request = forwards.count
    upstreamHead(head)
    if awaitsUpstream, forwards.count == request, !content.isEmpty { upstreamContent(content) }
    if awaitsUpstream, forwards.count == request { upstreamEnd() }
  }

  func leave() {
    isGone = true
    handle(.clientGone)
  }

  // MARK: Text

  static func parseRequest(_ text: String) -> RequestHead {
    parseRequest(ByteBuffer(bytes: wire(text + "↵↵")))
  }

  static func parseRequest(_ bytes: ByteBuffer) -> RequestHead {
    var parser = RequestParser()
    guard case .head(let head, _)? = try? parser.parse(bytes) else {
      fatalError("not a request: \(String(buffer: bytes))")
    }
    return head
  }

  static func parseResponse(_ text: String, toHead: Bool = false) -> ResponseHead {
    var parser = ResponseParser()
    let bytes = ByteBuffer(bytes: wire(text + "↵↵"))
    guard case .head(let head, _)? = try? parser.parse(bytes, toHead: toHead) else {
      fatalError("not a response: \(text)")
    }
    return head
  }
}
