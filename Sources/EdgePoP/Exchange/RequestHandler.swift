import EdgeCache
import EdgeSocket

// What a request gets, from its head on: an answer of our own, a stored response, or an exchange that gets one.
// Whatever version of HTTP it came with. A hit ends here, in the stack in which its head was read.

/// Serves requests.
enum RequestHandler {
  /// Serves one request, whose ``ServedRequest`` was made a moment ago. Its content, if there is any, goes to
  /// ``ServedRequest/exchange`` from then on. O(variants of the key).
  static func handle<Stream: ClientStream>(
    _ head: borrowing RequestHead, for stream: Stream, on loop: LoopContext
  ) {
    loop.handles(&stream.served)
    answer(head, for: stream, on: loop)
    loop.handled(&stream.served, head, from: stream.identity)
  }

  private static func answer<Stream: ClientStream>(
    _ head: borrowing RequestHead, for stream: Stream, on loop: LoopContext
  ) {
    if head.method == .other, loop.shared.gate.takesPurgesOfClients,
      let method = ClientPurge.method(head)
    {
      return ClientPurge.perform(method, head, for: stream, on: loop)
    }
    if head.method == .trace { return stream.answer(.traceRefused) }
    if head.method == .options, let hops = head.fields.first(.maxForwards),
      head.fields.text(hops) == "0"
    {
      return stream.answer(.lastRecipient)
    }
    if LoopDetection.hasPassed(head.fields, cacheName: loop.shared.cacheName.bytes) {
      return stream.answer(.loop)
    }
    if head.fields.contains(.purgesApplied),
      let place = loop.shared.tiers.place(head.fields, from: stream.identity.address)
    {
      stream.served.isOfPoP = true
      // It may have applied purges that have not come here yet.
      if !head.hasContent, !loop.shared.tiers.hasApplied(place) {
        return hold(head.detached(), of: stream, on: loop, for: place)
      }
    }
    serve(head, for: stream, on: loop)
  }

  /// Lets a request wait until the purges have been applied that the PoP which asks has applied.
  private static func hold<Stream: ClientStream>(
    _ head: RequestHead, of stream: Stream, on loop: LoopContext, for place: TierFence.Place
  ) {
    let wait = RequestWait(
      on: loop, atMost: loop.limits.fence, of: .fence, else: false
    ) { isDone in
      stream.served.wait = nil
      // What cannot be told from what was purged is validated.
      serve(head, for: stream, on: loop, isHeld: true, isUnsynced: !isDone)
      stream.flush()
    }
    stream.served.wait = wait
    let waiting = Confined(wait, to: loop.reactor)
    loop.shared.tiers.catchUp(with: place) { isDone in
      waiting.mailbox.execute { waiting.value.end(isDone) }
    }
  }

  private static func serve<Stream: ClientStream>(
    _ head: borrowing RequestHead, for stream: Stream, on loop: LoopContext,
    isHeld: Bool = false, isUnsynced: Bool = false
  ) {
    let store = loop.store
    var key = CacheKey(
      head, isSecure: stream.identity.isSecured(head), secret: store.secret,
      storage: &loop.keyStorage)
    guard var route = loop.shared.routing.route(&key, secret: store.secret) else {
      return stream.answer(.unknownHost)
    }
    stream.served.site = route.site
    if let own = loop.shared.routing.clientLimits(key, route) { stream.adopt(own) }
    if case .length(let count) = head.framing,
      count > loop.shared.routing.limits(key, route).largestRequest
    {
      loop.counters.count(.largestRequest)
      return stream.answer(.contentTooLarge)
    }
    // A proxy that is believed may say what is asked for in other words than the request line, which is the key.
    if stream.identity.mayBeBelieved, stream.identity.believes(head), head.hasOtherTarget {
      (route.cached, route.refusal) = (nil, .passThrough)
    }
    if let bound = stream.bound {
      let mark = stream.identity.clientMark(of: head)
      route.isBound = mark.map { reaches(bound, route, of: $0, loop) } ?? false
    }
    var directives = route.directives(head.fields)
    if isUnsynced { directives.noCache = true }
    // One that was held is answered as things are when that is over.
    let now = isHeld ? loop.now : stream.served.started
    var look = FirstLook.take(
      request: head, key: key, directives: directives, route: route, store: store, now: now)
    // What can be read without waiting is as good as in memory.
    var purpose = ReadPurpose.sending
    if case .consult = look {
      purpose = store.readPurpose(key.hash, directives: directives)
      if let below = loop.look(key, head.fields, purpose: purpose) {
        stream.served.isFromDisk = true
        look = FirstLook.take(
          request: head, key: key, directives: directives, route: route, store: store,
          now: now, below: below)
      }
    }
    switch consume look {
    case .answer(let stored, let status) where stored.pieced == nil:
      key.giveBack(to: &loop.keyStorage)
      stream.sendStored(stored, status, request: head, key: nil, now: now)
    case .answerAndValidate(let stored, let status):
      if stored.pieced == nil {
        stream.sendStored(stored, status, request: head, key: nil, now: now)
      } else {
        begin(.answer(stored, status), head, key, directives, route, for: stream, on: loop)
      }
      // It holds on to itself by what it waits for; nobody else waits for it.
      if head.method == .get {
        exchange(for: head.detached(), key, CacheControl(), route, stream.identity, nil, loop)
          .begin(.validate(stored))
      }
    case let look:
      begin(look, head, key, directives, route, for: stream, on: loop, reading: purpose)
    }
  }

  /// True if a request on this route would go on a connection that belongs to its client.
  @inline(never)
  private static func reaches(
    _ bound: BoundConnections, _ route: RequestRoute, of client: String, _ loop: LoopContext
  ) -> Bool {
    [route.cached, route.passThrough].contains {
      $0.map { bound.reach(loop.shared.routing.groups[$0], for: client) } ?? false
    }
  }

  private static func begin<Stream: ClientStream>(
    _ look: consuming FirstLook, _ head: borrowing RequestHead, _ key: CacheKey,
    _ directives: CacheControl, _ route: RequestRoute, for stream: Stream, on loop: LoopContext,
    reading purpose: ReadPurpose = .sending
  ) {
    let exchange = exchange(
      for: head.detached(), key, directives, route, stream.identity, stream, loop)
    stream.served.exchange = exchange
    exchange.begin(look, reading: purpose)
  }

  private static func exchange(
    for request: consuming RequestHead, _ key: CacheKey, _ directives: CacheControl,
    _ route: RequestRoute, _ identity: ClientIdentity, _ stream: (any ClientStream)?,
    _ loop: LoopContext
  ) -> Exchange {
    let client = identity.asToldBy(request)
    let isBelieved = identity.believes(request)
    let id = RequestID(of: request, isBelieved: isBelieved, from: &loop.requestIDs)
    request.removeForwardingFields(
      isBelieved: isBelieved, passesMethods: route.passesMethodOverride)
    // With memory of its own: that of the loop may be far larger than this key.
    return Exchange(
      request: request, id: id, key: key.compacted, directives: directives, route: route,
      loop: loop, client: client, stream: stream)
  }
}
