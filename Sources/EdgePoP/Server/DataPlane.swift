import EdgeFleet
import EdgeSocket
import Glibc

/// The event loops of a PoP, and the sockets on which they accept clients.
struct DataPlane: Sendable {
  private let loops: [Confined<LoopContext>]
  private let taken: [TakenAddress]
  private let shared: PoPShared

  /// Addresses that clients connect to, with the ports that were really bound.
  var addresses: [SocketEndpoint] { taken.map(\.endpoint) }

  /// Starts the loops. Nobody is accepted before ``accept()``.
  ///
  /// Throws ``ReactorProblem`` when a loop cannot be started, and then nothing is left behind.
  static func start(_ addresses: [TakenAddress], _ shared: PoPShared) async throws -> DataPlane {
    var loops: [Confined<LoopContext>] = []
    do {
      for number in 0..<shared.loopCount {
        loops.append(
          try await Reactor.start(name: "edge-loop-\(number)") { reactor in
            let loop = LoopContext(reactor: reactor, shared: shared, number: number)
            loop.tick()
            return loop
          })
      }
    } catch {
      await DataPlane(loops: loops, taken: [], shared: shared).stop()
      throw error
    }
    shared.places.setLoops(
      loops.map { loop in { loop.mailbox.execute { loop.value.closeForOthers() } } })
    shared.upstreamPlaces.setLoops(
      loops.map { loop in
        { news, upstream in loop.mailbox.execute { loop.value.heard(news, of: upstream) } }
      })
    return DataPlane(loops: loops, taken: addresses, shared: shared)
  }

  /// Lets clients connect at addresses that nobody has had, for whom nobody else would accept. Throws ``StartProblem``.
  func listen() throws(StartProblem) {
    for address in taken where !address.isHandedOver { try address.begin() }
  }

  /// Accepts clients from now on. Throws ``StartProblem``.
  func accept() async throws {
    for address in taken { try address.begin() }
    await takeBack()
  }

  /// Copies of the sockets that listen, by the names of their addresses.
  func copies() async -> [(name: String, sockets: [CInt])] {
    var all = taken.map { (name: $0.name, sockets: [CInt]()) }
    for loop in loops {
      for copy in await loop.run({ $0.copyListeners() }) ?? [] {
        all[copy.address].sockets.append(copy.descriptor)
      }
    }
    return all
  }

  /// Accepts clients by sockets that listen already.
  func takeBack() async {
    var shares: [[(address: Int, descriptor: CInt)]] = Array(repeating: [], count: loops.count)
    for (index, address) in taken.enumerated() {
      for (number, descriptor) in address.take().enumerated() {
        shares[number % loops.count].append((index, descriptor))
      }
    }
    for (loop, share) in zip(loops, shares) {
      await loop.run { loop in
        for (address, descriptor) in share { loop.accept(descriptor, address: address) }
      }
    }
  }

  /// Accepts nobody, and leaves the sockets, which go on listening, with their addresses.
  func pause() async {
    for loop in loops {
      let given = await loop.run { $0.giveListeners() } ?? []
      for socket in given { taken[socket.address].put([socket.descriptor]) }
    }
  }

  /// Waits until each loop has done what it was doing.
  func finishTurns() async {
    for loop in loops { await loop.run { _ in } }
  }

  /// Breaks off what is sent from files.
  func cutOffFiles() async {
    for loop in loops { await loop.run { $0.cutOffFiles() } }
  }

  /// What all loops have counted. O(loops).
  var counters: Counters {
    get async {
      var sum = Counters()
      for loop in loops { sum.add(await loop.run { $0.counted } ?? Counters()) }
      return sum
    }
  }

  /// From now on each response ends its connection; clients are still let in.
  func stopKeepingAlive() async {
    for loop in loops { await loop.run { $0.stopKeepingAlive() } }
  }

  /// How a drain went: connections of clients that ended in time, and those of which something had to be cut.
  struct Drained: Sendable {
    var finished = 0
    var cut = 0
  }

  /// Lets nobody connect any more, serves who has, and closes what is left when the time is over; those who are told so
  /// then have `last` to read it.
  func drain(within limit: Duration, idle: Duration, last: Duration) async -> Drained {
    let before = await counters
    for address in taken { address.close() }
    let rest = min(idle, limit / 2).nanoseconds
    for loop in loops { await loop.run { $0.drain(idle: rest) } }
    await waitUntilEmpty(within: limit)
    var drained = Drained()
    for loop in loops { drained.cut += await loop.run { $0.endUnfinished() } ?? 0 }
    await waitUntilEmpty(within: last)
    let after = await counters
    for loop in loops { await loop.run { $0.closeAll() } }
    let all = UInt64(before.openConnections) + after.connections - before.connections
    drained.finished = max(0, Int(all) - drained.cut)
    return drained
  }

  private func waitUntilEmpty(within limit: Duration) async {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
      if await isEmpty { break }
      try? await Task.sleep(for: .milliseconds(20))
    }
  }

  /// Waits until nobody can connect any more, while it drains.
  func waitForListeners() async {
    for loop in loops {
      while await loop.run({ $0.isAccepting }) ?? false {
        try? await Task.sleep(for: .milliseconds(5))
      }
    }
  }

  /// True when there are no clients, and none can come.
  private var isEmpty: Bool {
    get async {
      for loop in loops
      where await loop.run({ $0.isAccepting || $0.counters.openConnections > 0 }) ?? false {
        return false
      }
      return true
    }
  }

  /// Ends the loops.
  func stop() async {
    shared.places.setLoops([])
    shared.upstreamPlaces.setLoops([])
    for loop in loops { await loop.run { $0.end() } }
  }
}

extension Duration {
  /// In whole nanoseconds, as far as they can be told so.
  var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, isOver) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return isOver ? .max : product &+ attoseconds / 1_000_000_000
  }
}
