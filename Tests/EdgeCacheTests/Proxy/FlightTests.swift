import NIOCore
import Synchronization
import Testing

@testable import EdgeCache

/// Collapsed forwarding (RFC 9111 §4): a leader, followers, and all the ways to part.
@Suite struct FlightTests {
  private let head = "HTTP/1.1 200 OK↵ETag: \"a\"↵Cache-Control: max-age=60"
  private let chunked = "↵Transfer-Encoding: chunked"

  private func get(_ world: CoreWorld, _ fields: String = "") -> CoreExchange {
    world.begin("GET / HTTP/1.1↵Host: a\(fields)")
  }

  private func small(_ largest: Int = 1000) -> CoreWorld {
    var limits = StoreLimits(memory: 1 << 20)
    limits.largestResponse = largest
    limits.relayWindow = 400
    limits.relayBuffer = 100
    return CoreWorld(limits: limits)
  }

  private func isClean(_ world: CoreWorld) -> Bool {
    world.store.statistics.flights == 0 && world.store.statistics.reservedBytes == 0
  }

  /// One request goes upstream; all get the whole content, whenever they joined.
  @Test func followersWhileStreaming() {
    let world = CoreWorld()
    let leader = get(world)
    let early = get(world)
    leader.upstreamHead(head + chunked)
    early.poll()
    let late = get(world)
    leader.upstreamContent("one ")
    let later = get(world)
    leader.upstreamContent("two ")
    for follower in [early, late, later] { follower.poll() }
    #expect(early.received.text == "one two " && later.received.text == "one two ")
    leader.upstreamContent("three")
    leader.upstreamEnd()
    for follower in [early, late, later] {
      follower.poll()
      #expect(follower.received.text == "one two three" && follower.received.isComplete)
      #expect(follower.status.isCollapsed && follower.forwards.isEmpty)
      #expect(follower.status.forward == .uriMiss && follower.received.heads == 1)
    }
    #expect(leader.received.text == "one two three" && !leader.status.isCollapsed)
    #expect(get(world).status.isHit && isClean(world))
    #expect([leader, early, late, later].allSatisfy { $0.isDone })
  }

  /// Where not all of those who wait may ask for themselves, those who came first do.
  @Test func firstComeFirstServed() {
    let flight = Flight(
      key: CoreWorld().key("http://a/"), sequence: 1, hint: .any, isSolo: false,
      limits: StoreLimits(memory: 1 << 20))
    let woken = Mutex<[Int]>([])
    for number in 0..<40 {
      let reader = flight.subscribe { woken.withLock { $0.append(number) } }
      let step = reader.map { flight.next($0, mayLeave: true) }
      let waits = if case .wait = step { true } else { false }
      #expect(waits, "reader \(number)")
    }
    flight.letLeave()
    #expect(woken.withLock { $0 } == Array(0..<40))
  }

  /// The cookie that comes with a response is for the one client whose request brought it.
  @Test func cookiesAreTheLeaders() {
    let world = CoreWorld()
    let leader = get(world)
    let follower = get(world)
    leader.upstreamHead(head + chunked + "↵Set-Cookie: a=b")
    let late = get(world)
    leader.upstreamContent("one")
    leader.upstreamEnd()
    for follower in [follower, late] { follower.poll() }
    #expect(leader.received.parsed?.fields.text(.setCookie) == "a=b")
    for other in [follower, late, get(world)] {
      #expect(other.received.text == "one" && other.received.isComplete)
      #expect(other.received.parsed?.fields.contains(.setCookie) == false)
    }
    // The same with a validation.
    world.now = world.now.adding(seconds: 60)
    let validator = get(world)
    let waiter = get(world)
    validator.answer("HTTP/1.1 304 Not Modified↵Set-Cookie: c=d")
    waiter.poll()
    #expect(validator.received.parsed?.fields.text(.setCookie) == "c=d")
    for other in [waiter, get(world)] {
      #expect(other.received.text == "one" && other.forwards.isEmpty)
      #expect(other.received.parsed?.fields.contains(.setCookie) == false)
    }
    #expect(isClean(world))
  }

  /// A follower that leaves, and one that does not read, hold up nobody.
  @Test func leaverAndStalledReader() {
    let world = CoreWorld()
    let leader = get(world)
    let leaver = get(world)
    let stalled = get(world)
    let reader = get(world)
    stalled.isWritable = false
    leader.upstreamHead(head + chunked)
    for number in 0..<10 {
      leader.upstreamContent("\(number)")
      for follower in [leaver, stalled, reader] where !follower.isGone { follower.poll() }
      if number == 4 { leaver.leave() }
    }
    #expect(!leader.isHeld && leaver.received.text == "01234" && stalled.received.text == "")
    leader.upstreamEnd()
    reader.poll()
    #expect(reader.received.text == "0123456789" && reader.received.isComplete)
    stalled.isWritable = true
    stalled.perform()
    #expect(stalled.received.text == "0123456789" && stalled.received.isComplete && isClean(world))
  }

  /// The leader's client may leave at any time; what arrives is stored and followed all the same.
  @Test(arguments: 0..<3) func leadersClientLeaves(_ when: Int) {
    let world = CoreWorld()
    let leader = get(world)
    let follower = get(world)
    if when == 0 { leader.leave() }
    leader.upstreamHead(head + chunked)
    if when == 1 { leader.leave() }
    leader.upstreamContent("content")
    if when == 2 { leader.leave() }
    #expect(leader.awaitsUpstream)
    leader.upstreamEnd()
    follower.poll()
    #expect(follower.received.text == "content" && follower.received.isComplete)
    #expect(get(world).status.isHit && isClean(world) && leader.isDone)
    #expect(leader.received.isComplete == false)
  }

  /// Nobody is left: what may be stored is still fetched, what may not is let go.
  @Test(arguments: [true, false]) func everybodyLeaves(_ isStorable: Bool) {
    let world = CoreWorld()
    let leader = get(world)
    let follower = get(world)
    leader.leave()
    follower.leave()
    leader.answer(isStorable ? head + chunked : "HTTP/1.1 200 OK" + chunked, "content")
    #expect(leader.cancellations == (isStorable ? 0 : 1))
    #expect(get(world).status.isHit == isStorable && leader.isDone)
  }

  /// A leader whose client left early does not wait for itself to read content that is too long.
  @Test func nobodyReadsWhatIsTooLong() {
    let world = small(50)
    let leader = get(world)
    leader.leave()
    leader.upstreamHead(head + chunked)
    for _ in 0..<20 where leader.awaitsUpstream {
      leader.upstreamContent(String(repeating: "x", count: 20))
    }
    #expect(
      !leader.isHeld && leader.cancellations == 1 && isClean(world) && leader.isDone)
  }

  /// A response that is overdue delays its own leader alone: one of those who wait asks once more, for all of them.
  @Test func overdue() {
    let world = CoreWorld()
    let leader = get(world)
    let followers = (0..<4).map { _ in get(world) }
    leader.handle(.upstreamOverdue)
    for follower in followers { follower.poll() }
    #expect(followers.map(\.forwards.count) == [1, 0, 0, 0])
    let late = get(world)
    #expect(late.forwards.isEmpty, "it joins those who left")
    followers[0].answer(head + chunked, "second")
    for follower in followers.dropFirst() + [late] {
      follower.poll()
      #expect(follower.received.text == "second" && follower.status.isCollapsed)
    }
    #expect(!followers[0].status.isCollapsed && leader.awaitsUpstream)
    leader.answer(head + chunked, "first")
    #expect(leader.received.text == "first" && get(world).status.isHit && isClean(world))
  }

  /// Whoever left an overdue response waits for the next one to its end, however long that takes.
  @Test func overdueTwice() {
    let world = CoreWorld()
    let first = get(world)
    let (second, follower) = (get(world), get(world))
    first.handle(.upstreamOverdue)
    second.poll()
    follower.poll()
    let third = get(world)
    second.handle(.upstreamOverdue)
    follower.poll()
    third.poll()
    #expect([second, follower, third].map(\.forwards.count) == [1, 0, 1])
    first.upstreamFails(.firstByteTimeout)
    second.upstreamFails(.firstByteTimeout)
    follower.poll()
    #expect([first, second, follower].allSatisfy { $0.received.errorStatus == 504 })
    third.answer(head + chunked, "third")
    #expect(third.received.text == "third" && isClean(world))
  }

  /// Whoever has something stored knows that the response may be shared, and waits; others need not for long.
  @Test(arguments: [true, false]) func slow(_ isStored: Bool) {
    let world = CoreWorld()
    if isStored {
      get(world).answer(
        "HTTP/1.1 200 OK↵ETag: \"a\"↵Cache-Control: max-age=1↵Content-Length: 3", "old")
      world.now = world.now.adding(seconds: 20)
    }
    let leader = get(world)
    let follower = get(world)
    leader.handle(.upstreamSlow)
    follower.poll()
    #expect(follower.awaitsUpstream == !isStored)
    leader.answer(head + chunked, "new")
    follower.poll()
    if !isStored { follower.answer(head + chunked, "own") }
    #expect(follower.received.text == (isStored ? "new" : "own"))
    #expect(isClean(world))
  }

  /// Something stale is sent in the place of what is overdue, where it may be; what comes later is stored.
  @Test(arguments: [
    ("", true), ("↵Cache-Control: stale-if-error=60", true),
    ("↵Cache-Control: must-revalidate", false),
    ("↵Cache-Control: no-cache", false), ("↵Cache-Control: stale-if-error=1", false),
  ])
  func overdueWhileStale(_ fields: String, _ standsIn: Bool) {
    let world = CoreWorld()
    get(world).answer(
      "HTTP/1.1 200 OK↵ETag: \"a\"↵Cache-Control: max-age=1\(fields)↵Content-Length: 3", "old")
    world.now = world.now.adding(seconds: 20)
    let leader = get(world)
    let follower = get(world)
    let asks = world.begin("GET / HTTP/1.1↵Host: a↵Cache-Control: no-cache")
    for exchange in [leader, asks] { exchange.handle(.upstreamOverdue) }
    follower.poll()
    #expect(leader.received.text == (standsIn ? "old" : ""))
    #expect(leader.received.isComplete == standsIn)
    #expect(follower.received.text == (standsIn ? "old" : "") && !asks.received.isComplete)
    if standsIn {
      #expect(leader.statusText.contains("fwd=stale") && leader.statusText.contains("ttl=-"))
      #expect(leader.statusText.contains("detail=first-byte-timeout"))
      #expect(follower.statusText.contains("detail=first-byte-timeout"))
    }
    leader.answer(head + chunked, "new")
    #expect(leader.received.heads == 1 && leader.received.text == (standsIn ? "old" : "new"))
    let next = get(world)
    #expect(next.received.text == "new" && next.status.isHit)
    for exchange in [asks, follower] where exchange.awaitsUpstream {
      exchange.answer(head + chunked, "again")
      #expect(exchange.received.text == "again")
    }
    #expect(isClean(world) && leader.isDone && follower.isDone)
  }

  /// Nothing that was purged meanwhile stands in for what is overdue, and a 304 may still come.
  @Test(arguments: [true, false]) func overduePurgedOrValidated(_ isPurged: Bool) {
    let world = CoreWorld()
    get(world).answer(
      "HTTP/1.1 200 OK↵ETag: \"a\"↵Cache-Control: max-age=1↵Content-Length: 3", "old")
    world.now = world.now.adding(seconds: 20)
    let leader = get(world)
    if isPurged { _ = world.store.purge(.everything) }
    leader.handle(.upstreamOverdue)
    #expect(leader.received.isComplete == !isPurged)
    leader.answer("HTTP/1.1 304 Not Modified↵ETag: \"a\"↵Cache-Control: max-age=60")
    #expect(leader.received.heads == 1 && leader.received.text == "old")
    #expect(get(world).status.isHit == !isPurged)
  }

  /// After the stale response went out, whatever becomes of the request, the client has one response.
  @Test(arguments: ["fails", "no-store", "leaves", "503"]) func overdueAndThen(_ what: String) {
    let world = CoreWorld()
    get(world).answer(
      "HTTP/1.1 200 OK↵ETag: \"a\"↵Cache-Control: max-age=1↵Content-Length: 3", "old")
    world.now = world.now.adding(seconds: 20)
    let leader = get(world)
    leader.handle(.upstreamOverdue)
    leader.handle(.upstreamOverdue)
    switch what {
    case "fails": leader.upstreamFails(.closed, mayRetry: false)
    case "leaves":
      leader.leave()
      leader.answer(head + chunked, "new")
    case "503": leader.answer("HTTP/1.1 503 Busy" + chunked, "busy")
    default: leader.answer("HTTP/1.1 200 OK↵Cache-Control: no-store" + chunked, "new")
    }
    #expect(leader.received.heads == 1 && leader.received.text == "old")
    #expect(leader.isDone && isClean(world))
  }

  /// A challenge by which a connection will be known is the leader's alone; the others get one of their own.
  @Test func challenge() {
    let world = CoreWorld()
    let leader = get(world)
    let followers = (0..<2).map { _ in get(world) }
    let challenge =
      "HTTP/1.1 401 Unauthorized↵WWW-Authenticate: NTLM↵Cache-Control: max-age=60↵Content-Length: 0"
    leader.answer(challenge)
    for follower in followers {
      follower.poll()
      #expect(follower.forwards.count == 1)
      follower.answer(challenge)
    }
    #expect(!get(world, "↵Authorization: NTLM x").forwards[0].isForStore && isClean(world))
  }

  /// Ranges are cut out of a response to a request for the whole as it arrives, for a leader and for followers.
  @Test func rangesOfWhatArrives() {
    let world = CoreWorld()
    get(world).answer(
      "HTTP/1.1 200 OK↵ETag: \"a\"↵Cache-Control: max-age=1↵Content-Length: 3", "old")
    world.now = world.now.adding(seconds: 20)
    let leader = get(world, "↵Range: bytes=2-3")
    let last = get(world, "↵Range: bytes=-3")
    let middle = get(world, "↵Range: bytes=1-6")
    let after = get(world, "↵Range: bytes=10-")
    let whole = get(world)
    let all = [leader, last, middle, after, whole]
    #expect(all.map(\.forwards.count) == [1, 0, 0, 0, 0])
    leader.upstreamHead(head + "↵Content-Length: 10")
    for exchange in all { exchange.poll() }
    #expect(all.map { $0.received.parsed?.status } == [206, 206, 206, 416, 200])
    #expect(after.received.isComplete)
    for chunk in ["0", "12", "345"] {
      leader.upstreamContent(chunk)
      for exchange in all where !exchange.isOver { exchange.poll() }
    }
    #expect(all.map(\.received.text) == ["23", "", "12345", "", "012345"])
    #expect(leader.received.isComplete && leader.awaitsUpstream)
    leader.upstreamContent("6789")
    leader.upstreamEnd()
    for exchange in all where !exchange.isOver { exchange.poll() }
    #expect(all.map(\.received.text) == ["23", "789", "123456", "", "0123456789"])
    #expect(all.allSatisfy { $0.received.isComplete && $0.isDone })
    #expect(get(world).received.text == "0123456789" && isClean(world))
  }

  /// A client with a range may leave, and a response that breaks off is broken off for it too.
  @Test(arguments: [true, false]) func rangeOfWhatBreaksOff(_ leaves: Bool) {
    let world = CoreWorld()
    get(world).answer(
      "HTTP/1.1 200 OK↵ETag: \"a\"↵Cache-Control: max-age=1↵Content-Length: 3", "old")
    world.now = world.now.adding(seconds: 20)
    let leader = get(world, "↵Range: bytes=2-8")
    let follower = get(world, "↵Range: bytes=1-2")
    leader.upstreamHead(head + "↵Content-Length: 10")
    leader.upstreamContent("0123")
    follower.poll()
    if leaves { leader.leave() }
    leader.upstreamFails(.closed)
    #expect(follower.received.text == "12" && follower.received.isComplete)
    #expect(leader.received.isAborted == !leaves && leader.received.text == "23")
    #expect(leader.isDone && isClean(world))
  }

  /// The upstream breaks off: whoever got the head sees it, and nothing is stored.
  @Test func truncation() {
    let world = CoreWorld()
    let leader = get(world)
    let follower = get(world)
    leader.upstreamHead(head + "↵Content-Length: 9")
    leader.upstreamContent("con")
    follower.poll()
    leader.upstreamFails(.truncated)
    leader.poll()
    follower.poll()
    for exchange in [leader, follower] {
      #expect(exchange.received.isAborted && !exchange.received.isComplete)
      #expect(exchange.received.text == "con")
    }
    #expect(!get(world).status.isHit && world.store.statistics.responses == 0)
  }

  /// The upstream fails before the head: all are told, and none asks again by itself.
  @Test func failure() {
    let world = CoreWorld()
    let leader = get(world)
    let followers = [get(world), get(world)]
    leader.upstreamFails(.firstByteTimeout)
    for exchange in [leader] + followers {
      exchange.poll()
      #expect(exchange.received.errorStatus == 504)
      #expect(exchange.status.detail == .failed(.firstByteTimeout))
    }
    #expect(followers.allSatisfy { $0.forwards.isEmpty } && isClean(world))
  }

  /// One retry where it is allowed; followers notice nothing.
  @Test func retry() {
    let world = CoreWorld()
    let leader = get(world)
    let follower = get(world)
    leader.upstreamFails(.closed, mayRetry: true)
    #expect(leader.forwards.count == 2 && !follower.poll())
    leader.upstreamFails(.closed, mayRetry: true)
    follower.poll()
    #expect(leader.forwards.count == 2)
    #expect(leader.received.errorStatus == 502 && follower.received.errorStatus == 502)
    let post = world.begin("POST / HTTP/1.1↵Host: a")
    post.upstreamFails(.closed, mayRetry: true)
    #expect(post.forwards.count == 1)
  }

  /// A response that may not be shared sends the followers off by themselves.
  @Test(arguments: ["private", "no-store", "max-age=60↵Vary: *"])
  func refusal(_ directives: String) {
    let world = CoreWorld()
    let leader = get(world)
    let followers = [get(world), get(world)]
    let reply = "HTTP/1.1 200 OK↵Cache-Control: \(directives)↵Content-Length: 1"
    leader.answer(reply, "L")
    #expect(leader.received.text == "L")
    for (number, follower) in followers.enumerated() {
      #expect(follower.forwards.isEmpty)
      follower.poll()
      #expect(follower.forwards.count == 1 && !follower.status.isCollapsed)
      follower.answer(reply, "\(number)")
      #expect(follower.received.text == "\(number)" && follower.received.heads == 1)
    }
    #expect(isClean(world))
  }

  /// Followers of another variant wait for one of them.
  @Test func otherVariants() {
    let world = CoreWorld()
    let reply = head + "↵Vary: A↵Content-Length: 1"
    let leader = get(world, "↵A: 1")
    let same = get(world, "↵A: 1")
    let others = (0..<5).map { _ in get(world, "↵A: 2") }
    let third = get(world, "↵A: 3")
    leader.upstreamHead(reply)
    for exchange in [same] + others + [third] { exchange.poll() }
    #expect(others[0].awaitsUpstream && third.awaitsUpstream)
    #expect(others.dropFirst().allSatisfy { $0.forwards.isEmpty && $0.status.isCollapsed })
    leader.upstreamContent("1")
    leader.upstreamEnd()
    others[0].answer(reply, "2")
    third.answer(reply, "3")
    for exchange in [same] + others { exchange.poll() }
    #expect(same.received.text == "1" && third.received.text == "3")
    #expect(others.allSatisfy { $0.received.text == "2" && $0.received.isComplete })
    #expect(isClean(world))
  }

  /// A response that must always be validated is for its own request alone (§5.2.2.4).
  @Test func noCacheIsNotShared() {
    let world = CoreWorld()
    let leader = get(world)
    let follower = get(world)
    leader.answer("HTTP/1.1 200 OK↵ETag: \"a\"↵Cache-Control: no-cache↵Content-Length: 1", "1")
    follower.poll()
    #expect(follower.forwards.count == 1 && follower.forwards.last?.validates.isEmpty == false)
    follower.answer("HTTP/1.1 304 Not Modified")
    #expect(follower.received.text == "1" && isClean(world))
  }

  /// A response that grows stale while it arrives is shared no longer; the next one is.
  @Test func staleWhileStreaming() {
    let world = CoreWorld()
    let leader = get(world)
    leader.upstreamHead(head + chunked)
    world.now = world.now.adding(seconds: 60)
    let next = get(world)
    let follower = get(world)
    #expect(next.awaitsUpstream && !next.status.isCollapsed && follower.status.isCollapsed)
    leader.upstreamEnd()
    next.answer(head + chunked, "new")
    follower.poll()
    #expect(follower.received.text == "new" && isClean(world))
  }

  /// Validations collapse, too: one question, whoever waits gets the stored response.
  @Test func validationCollapses() {
    let world = CoreWorld()
    get(world).answer(head + "↵Content-Length: 3", "one")
    world.now = world.now.adding(seconds: 60)
    let leader = get(world)
    let followers = [
      get(world), get(world, "↵If-None-Match: \"a\""), get(world, "↵Range: bytes=0-0"),
    ]
    leader.answer("HTTP/1.1 304 Not Modified↵Cache-Control: max-age=60")
    for follower in followers {
      follower.poll()
      #expect(follower.status.isCollapsed && follower.status.forward == .stale)
      #expect(follower.status.ttl == 60 && follower.forwards.isEmpty)
    }
    #expect(followers.map { $0.received.parsed?.status } == [200, 304, 206])
    #expect(leader.received.text == "one" && isClean(world))
  }

  /// A 304 that now varies is for those whom it selects.
  @Test func validationThatVaries() {
    let world = CoreWorld()
    get(world).answer(head + "↵Content-Length: 3", "one")
    world.now = world.now.adding(seconds: 60)
    let leader = get(world, "↵A: 1")
    let same = get(world, "↵A: 1")
    let other = get(world, "↵A: 2")
    leader.answer("HTTP/1.1 304 Not Modified↵Vary: A↵Cache-Control: max-age=60")
    same.poll()
    other.poll()
    #expect(same.received.text == "one" && other.forwards.count == 1)
    other.answer(head + "↵Vary: A↵Content-Length: 3", "two")
    #expect(other.received.text == "two" && isClean(world))
  }

  /// The upstream fails while a stale response may stand in: for all who wait.
  @Test(arguments: [true, false]) func staleForAll(_ answers: Bool) {
    let world = CoreWorld()
    get(world).answer(head + "↵Content-Length: 3", "one")
    world.now = world.now.adding(seconds: 60)
    let leader = get(world)
    let follower = get(world)
    if answers {
      leader.answer("HTTP/1.1 503 Busy↵Content-Length: 1", "x")
    } else {
      leader.upstreamFails(.connect)
    }
    follower.poll()
    for exchange in [leader, follower] {
      #expect(exchange.received.text == "one" && exchange.status.ttl == 0)
    }
    #expect(isClean(world))
  }

  // MARK: Content that is too long

  /// The length comes to light on the way: nothing is stored, and whoever keeps up gets all of it.
  @Test func relay() {
    let world = small(50)
    let leader = get(world)
    let follower = get(world)
    leader.upstreamHead(head + chunked)
    let piece = String(repeating: "x", count: 30)
    for _ in 0..<40 {
      leader.upstreamContent(piece)
      follower.poll()
    }
    #expect(world.store.statistics.reservedBytes == 0)
    leader.upstreamEnd()
    follower.poll()
    for exchange in [leader, follower] {
      #expect(exchange.received.content.count == 1200 && exchange.received.isComplete)
    }
    #expect(!get(world).status.isHit && world.store.statistics.responses == 0)
  }

  /// The upstream waits for a reader that is a window behind, and no longer than that; nobody is cut off.
  @Test func relayWindow() {
    let world = small(50)
    let leader = get(world)
    let slow = get(world)
    leader.upstreamHead(head + chunked)
    slow.poll()
    slow.isWritable = false
    var sent = 0
    while !leader.isHeld, sent < 40 {
      leader.upstreamContent(String(repeating: "x", count: 30))
      slow.poll()
      sent += 1
    }
    #expect(leader.isHeld && sent == 14 && leader.received.content.count == sent * 30)
    slow.isWritable = true
    slow.perform()
    leader.poll()
    #expect(!leader.isHeld && slow.received.content.count == sent * 30)
    // One that leaves is not waited for.
    slow.isWritable = false
    while !leader.isHeld, sent < 80 {
      leader.upstreamContent(String(repeating: "x", count: 30))
      sent += 1
    }
    #expect(leader.isHeld && sent == 28)
    slow.leave()
    leader.poll()
    #expect(!leader.isHeld)
    leader.upstreamEnd()
    #expect(leader.received.isComplete && leader.received.content.count == sent * 30)
    #expect(isClean(world))
  }

  /// Nobody reads fast enough: the upstream is held, and read again when somebody has caught up.
  @Test func relayHolds() {
    let world = small(50)
    let leader = get(world)
    leader.isWritable = false
    leader.upstreamHead(head + chunked)
    var sent = 0
    while !leader.isHeld, sent < 40 {
      leader.upstreamContent(String(repeating: "x", count: 30))
      sent += 1
    }
    #expect(leader.isHeld && sent <= 5)
    leader.isWritable = true
    leader.perform()
    leader.poll()
    #expect(!leader.isHeld && leader.received.content.count == sent * 30)
    leader.isWritable = false
    while !leader.isHeld, sent < 40 {
      leader.upstreamContent(String(repeating: "x", count: 30))
      sent += 1
    }
    leader.leave()
    leader.poll()
    #expect(!leader.isHeld)
    leader.upstreamContent("x")
    #expect(leader.cancellations == 1 && isClean(world))
  }

  /// Nobody joins content that will not be stored; who comes later leads by itself.
  @Test func relayIsNotJoined() {
    let world = small(50)
    let leader = get(world)
    leader.upstreamHead(head + chunked)
    leader.upstreamContent(String(repeating: "x", count: 60))
    let next = get(world)
    #expect(next.awaitsUpstream && !next.status.isCollapsed)
    leader.upstreamEnd()
    next.answer(head + "↵Content-Length: 1", "x")
    #expect(isClean(world))
  }

  /// Those who ask for the same range share one request; those who ask for another do not wait for it.
  @Test func sameRange() {
    let world = CoreWorld()
    let range = "↵Range: bytes=0-3"
    let leader = get(world, range)
    let same = [get(world, range), get(world, range)]
    let other = get(world, "↵Range: bytes=4-7")
    let whole = get(world)
    let conditional = get(world, range + "↵If-None-Match: \"x\"")
    #expect(same.allSatisfy { $0.forwards.isEmpty && $0.status.isCollapsed })
    #expect([other, whole, conditional].allSatisfy { $0.awaitsUpstream && !$0.status.isCollapsed })
    let part =
      "HTTP/1.1 206 Partial Content↵ETag: \"a\"↵Cache-Control: max-age=60↵Content-Range: bytes "
    leader.upstreamHead(part + "0-3/10↵Content-Length: 4")
    let late = get(world, range)
    leader.upstreamContent("0123")
    leader.upstreamEnd()
    for exchange in same + [late] {
      exchange.poll()
      #expect(exchange.received.text == "0123" && exchange.received.isComplete)
      #expect(exchange.received.parsed?.status == 206 && exchange.forwards.isEmpty)
      #expect(exchange.received.parsed?.fields.text(.contentRange) == "bytes 0-3/10")
    }
    other.answer(part + "4-7/10↵Content-Length: 4", "4567")
    conditional.answer(part + "0-3/10↵Content-Length: 4", "0123")
    #expect(get(world, range).status.isHit && get(world, "↵Range: bytes=2-5").status.isHit)
    whole.answer(head + "↵Content-Length: 10", "0123456789")
    #expect(get(world).received.text == "0123456789" && isClean(world))
  }

  /// A range that the origin does not answer with it sends those who waited off by themselves.
  @Test func sameRangeRefused() {
    let world = CoreWorld()
    let leader = get(world, "↵Range: bytes=90-")
    let same = get(world, "↵Range: bytes=90-")
    leader.answer("HTTP/1.1 416 Range Not Satisfiable↵Content-Range: bytes */10↵Content-Length: 0")
    same.poll()
    #expect(same.forwards.count == 1 && !same.status.isCollapsed)
    same.answer("HTTP/1.1 416 Range Not Satisfiable↵Content-Range: bytes */10↵Content-Length: 0")
    #expect(same.received.parsed?.status == 416 && isClean(world))
    // And of one that sends all of it, everybody else gets what was asked for.
    let first = get(world, "↵Range: bytes=0-1")
    let second = get(world, "↵Range: bytes=0-1")
    first.answer(head + "↵Content-Length: 3", "all")
    second.poll()
    #expect(first.received.text == "all" && first.received.parsed?.status == 200)
    #expect(second.received.text == "al" && second.received.parsed?.status == 206)
    #expect(second.forwards.isEmpty && isClean(world))
  }

  /// Beyond the limit there is another leader.
  @Test func followerLimit() {
    var limits = StoreLimits(memory: 1 << 20)
    limits.followers = 3
    let world = CoreWorld(limits: limits)
    let exchanges = (0..<9).map { _ in get(world) }
    #expect(exchanges.filter { $0.awaitsUpstream }.count == 3)
    for exchange in exchanges where exchange.awaitsUpstream {
      exchange.answer(head + "↵Content-Length: 1", "x")
    }
    for exchange in exchanges {
      exchange.poll()
      #expect(exchange.received.text == "x")
    }
    #expect(isClean(world) && world.store.statistics.responses == 1)
  }
}
