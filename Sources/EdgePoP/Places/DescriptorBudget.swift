// How the files that this process may have open are shared out. Connections are files too; what clients may take is
// what nothing else needs, so that however many come, upstreams, disks, logs and the admin API have theirs.

/// Shares of the files that may be open. Pure.
struct DescriptorBudget: Sendable, Equatable {
  /// What a PoP is made of, as far as that needs files.
  struct Needs: Sendable, Equatable {
    /// Event loops.
    var loops = 1
    /// Addresses for clients.
    var addresses = 1
    /// Files of disk stores.
    var diskFiles = 0
    /// Connections to upstreams, if all are at their limit.
    var upstreams = 256
  }

  /// Files that may be open.
  let limit: Int
  /// Connections of clients.
  let clients: Int
  /// Kept for everything else.
  var reserve: Int { limit - clients }

  /// There are too few files, or too few for what was asked for.
  enum Problem: Error, Sendable, Equatable, CustomStringConvertible {
    /// Not even enough to begin.
    case tooFew(limit: Int, least: Int, disks: Int)
    /// Not enough for as many clients as were asked for.
    case clients(wanted: Int, limit: Int, room: Int)

    /// What there is, what is needed, and how to get it.
    var description: String {
      switch self {
      case .tooFew(let limit, let least, let disks):
        let what = disks > 0 ? " (\(disks) of them for disks)" : ""
        return
          "only \(limit) files may be open, and at least \(least) are needed\(what): raise the limit with "
          + "'ulimit -n', or LimitNOFILE= of a systemd service"
      case .clients(let wanted, let limit, let room):
        return
          "clientConnections \(wanted): there is room for \(room), as only \(limit) files may be open: lower it, or "
          + "raise the limit with 'ulimit -n', or LimitNOFILE= of a systemd service"
      }
    }
  }

  /// Standard streams, logs, names, the hand-over, what event loops of libraries need.
  private static let base = 28
  private static let admin = 16
  private static let (leastAdmin, leastUpstreams, leastClients) = (4, 4, 4)

  /// Files that are needed whatever comes.
  private static func fixed(_ needs: Needs) -> Int {
    // A loop has an epoll, a bell, its sockets that listen, and one connection more than there may be.
    base + needs.loops * (3 + needs.addresses) + needs.addresses * 2 + needs.diskFiles
  }

  /// The files without which a PoP does not begin.
  static func least(_ needs: Needs) -> Int {
    fixed(needs) + leastAdmin + leastUpstreams + leastClients
  }

  /// Shares out a limit. `wanted` is how many clients were asked for.
  init(limit: Int, needs: Needs, wanted: Int? = nil) throws(Problem) {
    self.limit = limit
    let (fixed, least) = (Self.fixed(needs), Self.least(needs))
    guard limit >= least else {
      throw .tooFew(limit: limit, least: least, disks: needs.diskFiles)
    }
    let spare = limit - fixed
    let admin = max(Self.leastAdmin, min(Self.admin, spare / 8))
    let upstreams = max(Self.leastUpstreams, min(needs.upstreams, (spare - admin) / 4))
    let room = spare - admin - upstreams
    if let wanted {
      // Who asks for more than is left beside a fair share for upstreams knows how many of those there are.
      let most = spare - Self.leastAdmin - Self.leastUpstreams
      guard wanted <= most else { throw .clients(wanted: wanted, limit: limit, room: most) }
      clients = wanted
    } else {
      clients = room
    }
  }
}
