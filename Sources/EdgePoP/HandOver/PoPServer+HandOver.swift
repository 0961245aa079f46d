import EdgeFleet
import EdgeSocket
import Glibc
import Logging

// What a PoP does for its successor. While it drains it has an admin address that it can do without. While it serves it
// goes on accepting until the successor can serve: both have the same sockets. What it does without from the offer on
// is what only one of them may have: the disks, and purges, of which the successor would not learn.

extension PoPServer: HandOverHost {
  var stage: Life.Stage { life.stage }

  var logger: Logger { options.logger }

  var clientNames: [String] { addresses.clients.map(\.name) }

  var adminName: String { addresses.admin.name }

  var handOverMilliseconds: Int { Int(clamping: drainLimit.nanoseconds / 1_000_000) }

  func giveAddresses() async {
    logger.info("another edge-pop follows: the addresses are given to it")
    life.giveAddresses()
    life.hurry()
    await admin.stop()
    // Who has connected is still being accepted.
    await clients.waitForListeners()
    // Whoever reads from a disk goes on, for as long as this PoP may; the successor waits for that.
    Task { await letGoOfDisks(within: nil) }
  }

  func offerSockets(of names: [String]) async -> [(name: String, sockets: [CInt])]? {
    guard life.beginOffer() else { return nil }
    // The successor needs the disks before it can serve. Until it does this PoP goes on without.
    await letGoOfDisks(within: drainLimit / 2)
    var copies = await clients.copies()
    // These may be closed meanwhile.
    let own = addresses.admin.sockets.map { fcntl($0, F_DUPFD_CLOEXEC, 0) }.filter { $0 >= 0 }
    copies.append((addresses.admin.name, own))
    var offered: [(name: String, sockets: [CInt])] = []
    for (name, sockets) in copies {
      if names.contains(name), !sockets.isEmpty {
        offered.append((name, sockets))
      } else {
        for descriptor in sockets { Glibc.close(descriptor) }
      }
    }
    return offered
  }

  /// Lets a successor have the disks. What is still sent from them when the time is over is broken off.
  private func letGoOfDisks(within limit: Duration?) async {
    guard let disk = storage.disk else { return }
    disk.retire()
    await clients.finishTurns()
    if await disk.letGo(within: limit) { return }
    logger.warning(
      "what was still sent from disks is broken off, for another edge-pop needs them")
    await clients.cutOffFiles()
    if await !disk.letGo(within: Self.lastReads) {
      logger.error(
        "a disk is stuck: the edge-pop that takes over cannot have it before this one ends")
    }
  }

  /// For reads that were under way.
  private static var lastReads: Duration { .seconds(2) }

  func pauseAccepting() async {
    await clients.pause()
    await admin.pause()
  }

  func handedOver() async {
    life.giveAddresses()
    for address in addresses.clients + [addresses.admin] { address.close() }
    life.hurry()
    life.end()
  }

  func takeBack() async -> Bool {
    guard life.takeBack() else { return false }
    await clients.takeBack()
    do {
      try await admin.resume()
    } catch {
      logger.error("the admin API cannot go on", metadata: ["reason": "\(error)"])
    }
    if storage.disk != nil {
      logger.error(
        "this edge-pop goes on without disks, which were given away: restart it to have them again")
    }
    return true
  }
}
