import EdgeCache
import EdgeFleet
import Logging
import NIOCore
import Synchronization

// Between tiers of PoPs: a request says which purges the asking PoP has applied, and the one that answers applies
// those first. Or what was purged at the edge would come back from the parent, which has not heard of it yet.

/// Knows what is to be told to other PoPs, and sees to it that what they tell is true here, too.
final class TierFence: Sendable {
  /// Which purges somebody has applied.
  struct Place: Sendable, Hashable {
    /// The PoP whose list it is, or the stream.
    let list: String
    let cursor: PurgeCursor
  }

  private let service: PurgeService
  private let peers: [PurgeFleet.Peer]
  private let isBus: Bool
  /// Addresses of PoPs: nobody else is believed.
  private let addresses: Set<String>
  private let waiting = Mutex<[String: [(Place, @Sendable (Bool) -> Void)]]>([:])

  init(_ service: PurgeService, peers: [PurgeFleet.Peer], addresses: Set<String>) {
    self.service = service
    self.peers = peers
    self.addresses = addresses
    isBus = peers.contains { $0.id == PurgeFleet.bus }
  }

  /// What this PoP has applied, as it is told to others.
  var applied: String {
    let purges = service.store.purges
    if isBus {
      guard let place = purges.cursor(of: PurgeFleet.bus) else { return "" }
      return "\(PurgeFleet.bus);\(place.epoch);\(place.sequence)"
    }
    let place = purges.place
    return "\(service.popID);\(place.epoch);\(place.sequence)"
  }

  /// What a request of another PoP says; nil if it says nothing, or is not to be believed.
  func place(_ fields: FieldSection, from address: String) -> Place? {
    guard let value = fields.only(.purgesApplied), addresses.contains(address) else { return nil }
    let parts = fields.text(value).split(separator: ";", omittingEmptySubsequences: false)
    guard parts.count == 3, let epoch = UInt64(parts[1]), let sequence = UInt64(parts[2]),
      peers.contains(where: { $0.id == parts[0] })
    else { return nil }
    return Place(
      list: String(parts[0]), cursor: PurgeCursor(epoch: epoch, sequence: sequence))
  }

  /// True if all of that has been applied here.
  func hasApplied(_ place: Place) -> Bool {
    guard let own = service.store.purges.cursor(of: place.list) else { return false }
    if place.list == PurgeFleet.bus {
      return (own.epoch, own.sequence) >= (place.cursor.epoch, place.cursor.sequence)
    }
    return own.epoch == place.cursor.epoch && own.sequence >= place.cursor.sequence
  }

  /// Applies what is missing; `completion` is called on some thread, with false if that is not possible now. All
  /// who wait for one list wait for one question.
  func catchUp(with place: Place, _ completion: @escaping @Sendable (Bool) -> Void) {
    let isFirst = waiting.withLock { waiting in
      defer { waiting[place.list, default: []].append((place, completion)) }
      return waiting[place.list] == nil
    }
    guard isFirst, let peer = peers.first(where: { $0.id == place.list }) else { return }
    Task { await run(peer) }
  }

  private func run(_ peer: PurgeFleet.Peer) async {
    let isRead = await read(peer)
    let all = waiting.withLock { waiting in
      defer { waiting[peer.id] = nil }
      return waiting[peer.id] ?? []
    }
    for (place, completion) in all {
      if hasApplied(place) {
        completion(true)
      } else if isRead, place != all.first?.0 {
        // It came meanwhile, and may know more than was read.
        catchUp(with: place, completion)
      } else {
        completion(false)
      }
    }
  }

  /// Reads a list to its end; false if it cannot be had.
  private func read(_ peer: PurgeFleet.Peer) async -> Bool {
    do {
      while true {
        let cursor = service.store.purges.cursor(of: peer.id)
        let page = try await PurgeFleet.ask(peer, cursor, .zero)
        guard await service.catchUp(page, from: peer.id) != nil else { return false }
        if page.hasForgotten {
          await service.purgeEverythingSoftly(
            because: "another PoP knows no more what was purged while this one could not be reached"
          )
        }
        if !page.isPartial { return true }
      }
    } catch {
      return false
    }
  }
}
