import EdgeCache

/// The upstream connections that belong to one connection of a client, because upstreams may know the client by them
/// (``FieldSection/hasConnectionCredentials``). They live as long as that, or until the upstream closes them; nobody
/// else's request ever goes on them.
final class BoundConnections {
  private let loop: LoopContext
  private var connections: [UpstreamConnection] = []
  private var isOver = false

  /// None yet.
  init(on loop: LoopContext) { self.loop = loop }

  /// True if there is one to an upstream of that group. O(connections × group).
  func reach(_ group: UpstreamGroup) -> Bool {
    connections.contains { group.has($0.upstream) }
  }

  /// Takes the one that is idle to an upstream of that group, to be used; nil if there is none.
  func take(_ group: UpstreamGroup) -> UpstreamConnection? {
    let idle = connections.first { $0.isIdle && group.has($0.upstream) }
    if let idle { loop.pools[idle.upstream].takeBack(idle) }
    return idle
  }

  /// Keeps one that is idle; false if the client is gone, and it is to be closed.
  func keep(_ connection: UpstreamConnection) -> Bool {
    if isOver { return false }
    if !connections.contains(where: { $0 === connection }) { connections.append(connection) }
    loop.pools[connection.upstream].keep(connection, now: loop.now)
    return true
  }

  /// One was closed.
  func closed(_ connection: UpstreamConnection) {
    connections.removeAll { $0 === connection }
    loop.pools[connection.upstream].takeBack(connection)
  }

  /// The client's connection is closed, and so are these.
  func end() {
    isOver = true
    let all = connections
    connections = []
    for connection in all { connection.cutOff() }
  }
}
