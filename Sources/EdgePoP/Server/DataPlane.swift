import EdgeFleet
import EdgeSocket
import Glibc

/// The event loops of a PoP, and the sockets on which they accept clients.
struct DataPlane: Sendable {
  private let loops: [Confined<LoopContext>]
  private let sockets: [Listeners.Opened]

  /// Addresses that clients connect to, with the ports that were really bound.
  var addresses: [SocketEndpoint] { sockets.map(\.address) }

  /// Takes the addresses and starts the loops. Nobody is accepted before ``accept()``, whose connections
  /// the kernel keeps until then.
  ///
  /// Throws ``StartProblem`` when an address cannot be bound, or ``ReactorProblem`` when a loop cannot be
  /// started, and then nothing is left behind.
  static func start(_ endpoints: [SocketEndpoint], _ shared: PoPShared) async throws -> DataPlane {
    var sockets: [Listeners.Opened] = []
    var loops: [Confined<LoopContext>] = []
    do {
      for endpoint in endpoints {
        sockets.append(try Listeners.open(endpoint, count: shared.loopCount))
      }
      for number in 0..<shared.loopCount {
        loops.append(
          try await Reactor.start(name: "edge-loop-\(number)") { reactor in
            let loop = LoopContext(reactor: reactor, shared: shared)
            loop.tick()
            return loop
          })
      }
      return DataPlane(loops: loops, sockets: sockets)
    } catch {
      await DataPlane(loops: loops, sockets: sockets).abandon()
      throw error
    }
  }

  /// Ends what never accepted anybody.
  func abandon() async {
    for descriptor in sockets.flatMap(\.descriptors) { close(descriptor) }
    await stop()
  }

  /// Accepts clients from now on.
  func accept() async {
    for (number, loop) in loops.enumerated() {
      let own = sockets.map { $0.descriptors[number] }
      await loop.run { loop in
        for descriptor in own { Listeners.accept(descriptor, loop) }
      }
    }
  }

  /// What all loops have counted. O(loops).
  var counters: Counters {
    get async {
      var sum = Counters()
      for loop in loops { sum.add(await loop.run { $0.counters } ?? Counters()) }
      return sum
    }
  }

  /// Accepts no more, lets what runs come to an end for as long as ``ShellLimits/drain`` says, and closes the
  /// rest.
  func drain(within limit: Duration) async {
    for loop in loops { await loop.run { $0.drain() } }
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
      if await counters.openConnections == 0 { break }
      try? await Task.sleep(for: .milliseconds(20))
    }
    for loop in loops { await loop.run { $0.closeAll() } }
  }

  /// Ends the loops.
  func stop() async {
    for loop in loops { await loop.run { $0.end() } }
  }
}
