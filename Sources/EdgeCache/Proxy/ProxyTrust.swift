// Whose word is taken for who the client is. A field that tells of a client's address can be written by anybody; it is worth
// what its writer is worth. So a connection's peer decides: a proxy of the operator's own is believed, and so is another PoP
// of the fleet that asks this one as its parent; nobody else is.

/// The proxies that are believed.
public struct ProxyTrust: Sendable {
  /// What is believed of a connection's peer.
  public enum Level: Sendable, Hashable {
    /// Nothing.
    case none
    /// That its client's connection is secured: a TLS terminator on this machine.
    case terminator
    /// What it says, if it is known for a PoP by what else its requests have: one that has this PoP as its parent.
    case pop
    /// What it says: a proxy of the operator's own.
    case proxy
  }

  private let proxies: [AddressPrefix]
  private let children: Set<IPAddress>
  private let pops: Set<IPAddress>

  /// Trust in some proxies, in PoPs that have this one as their parent, and in what those say of further PoPs.
  public init(
    proxies: [AddressPrefix] = [], children: Set<IPAddress> = [], pops: Set<IPAddress> = []
  ) {
    self.proxies = proxies
    self.children = Set(children.map(\.unmapped))
    self.pops = Set(pops.map(\.unmapped))
  }

  /// What is believed of a peer. O(proxies).
  public func level(of peer: IPAddress) -> Level {
    if isProxy(peer) { return .proxy }
    if children.contains(peer.unmapped) { return .pop }
    return peer.isLoopback ? .terminator : .none
  }

  /// True if an address in the list that a peer of that level gives is no client, but one more that is believed.
  func isPassed(_ hop: IPAddress, on level: Level) -> Bool {
    isProxy(hop) || level == .pop && pops.contains(hop.unmapped)
  }

  /// True if another PoP listens on that address.
  func isPoP(_ address: IPAddress) -> Bool { pops.contains(address.unmapped) }

  private func isProxy(_ address: IPAddress) -> Bool {
    for proxy in proxies where proxy.contains(address) { return true }
    return false
  }
}
