import EdgeCache
import EdgeFleet
import EdgeSocket
import Synchronization

// Who may order purges here, and how many: for the admin API and for PURGE of clients.

/// Decides on leave, and counts what was refused.
final class AdminGate: Sendable {
  /// What becomes of a request.
  enum Verdict: Sendable {
    /// It may go on, on behalf of somebody.
    case granted(PurgeService.Author)
    /// There is no token, or one that nobody has: 401.
    case unknown
    /// It has a token that is not good for this: 403.
    case forbidden(name: String)
    /// It comes from no address on the list, and there are no tokens: 403.
    case notListed
    /// The address counts for nothing, for the request came by way of a proxy: 403.
    case proxied
    /// Too many came: 429.
    case tooMany
  }

  private struct State: Sendable {
    var unauthorized: UInt64 = 0
    var rateLimited: UInt64 = 0
    /// Purges that may still come at once, by name, and when that was so.
    var left: [String: (count: Double, at: Int64)] = [:]
  }

  private let access: AdminAccess?
  private let allowed: [AddressRange]
  private let purgesPerSecond: Double
  private let state = Mutex(State())

  init(access: AdminAccess?, allowed: [AddressRange], purgesPerSecond: Int) {
    (self.access, self.allowed) = (access, allowed)
    self.purgesPerSecond = Double(purgesPerSecond)
  }

  /// True if anybody may send PURGE to where clients connect.
  var takesPurgesOfClients: Bool { access != nil || !allowed.isEmpty }

  /// Requests that were refused: for want of a token, and because too many came.
  var refused: (unauthorized: UInt64, rateLimited: UInt64) {
    state.withLock { ($0.unauthorized, $0.rateLimited) }
  }

  /// Judges a request to the admin API with these values of Authorization. Without tokens everybody may do
  /// everything: then the API is open to this machine alone.
  func judge(_ authorization: [String], from address: String, right: AdminAccess.Right) -> Verdict {
    guard let access else {
      return limited(PurgeService.Author(name: "local", address: address), right)
    }
    guard authorization.count == 1,
      let holder = access.holder(presenting: authorization[0].utf8)
    else { return refuse() }
    guard holder.rights.contains(right) else {
      _ = refuse()
      return .forbidden(name: holder.name)
    }
    return limited(
      PurgeService.Author(name: holder.name, address: address, token: holder.token), right)
  }

  /// Judges PURGE of a client: from an address on the list, or with a token. `client` is who it is for certain, nil if
  /// that cannot be known; `address` is what is known of it.
  func judgeClient(
    _ authorization: [String], from client: ClientIdentity?, at address: String
  ) -> Verdict {
    if authorization.isEmpty {
      if let client, allowed.contains(where: { $0.contains(client.address) }) {
        return limited(PurgeService.Author(name: "purge-from", address: client.address), .purge)
      }
      if client == nil, !allowed.isEmpty {
        _ = refuse()
        return .proxied
      }
    }
    if access == nil {
      _ = refuse()
      return client == nil ? .proxied : .notListed
    }
    return judge(authorization, from: address, right: .purge)
  }

  private func refuse() -> Verdict {
    state.withLock { $0.unauthorized += 1 }
    return .unknown
  }

  /// As many purges as come in a second may come at once.
  private func limited(_ author: PurgeService.Author, _ right: AdminAccess.Right) -> Verdict {
    guard right == .purge else { return .granted(author) }
    let now = Monotonic.coarse()
    return state.withLock { state in
      let (count, at) = state.left[author.name] ?? (purgesPerSecond, now)
      let left = min(purgesPerSecond, count + Double(now - at) / 1e9 * purgesPerSecond)
      guard left >= 1 else {
        state.rateLimited += 1
        state.left[author.name] = (left, now)
        return .tooMany
      }
      state.left[author.name] = (left - 1, now)
      return .granted(author)
    }
  }
}
