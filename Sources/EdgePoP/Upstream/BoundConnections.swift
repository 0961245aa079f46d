import EdgeCache

/// The upstream connections that belong to one connection of a client, because upstreams may know the client by them
/// (``FieldSection/hasConnectionCredentials``). They live as long as that, or until the upstream closes them; nobody
/// else's request ever goes on them.
///
/// Where a proxy says that its requests come from several clients, each has its own
/// (``ClientIdentity/clientMark(of:)``).
final class BoundConnections {
  private let loop: LoopContext
  private var connections: [(connection: UpstreamConnection, client: String)] = []

  /// None yet.
  init(on loop: LoopContext) { self.loop = loop }

  /// True if the client with that mark has one to an upstream of a group. O(connections × group).
  func reach(_ group: UpstreamGroup, for client: String) -> Bool {
    connections.contains { $0.client == client && group.has($0.connection.upstream) }
  }

  /// Takes the one of the client with that mark that is idle to an upstream of a group, to be used; nil if there is
  /// none.
  func take(_ group: UpstreamGroup, for client: String) -> UpstreamConnection? {
    let idle = connections.first {
      $0.client == client && $0.connection.isIdle && group.has($0.connection.upstream)
    }?.connection
    if let idle { loop.pools[idle.upstream].takeBack(idle) }
    return idle
  }

  /// Keeps one that is idle for the client with that mark.
  func keep(_ connection: UpstreamConnection, for client: String) {
    if !connections.contains(where: { $0.connection === connection }) {
      connections.append((connection, client))
    }
    loop.pools[connection.upstream].keep(connection, now: loop.now)
  }

  /// One was closed.
  func closed(_ connection: UpstreamConnection) {
    connections.removeAll { $0.connection === connection }
    loop.pools[connection.upstream].takeBack(connection)
  }

  /// The client's connection is closed, and so are these.
  func end() {
    for (connection, _) in connections { connection.cutOff() }
    connections = []
  }
}
