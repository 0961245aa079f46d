import EdgeFleet
import EdgeSocket
import Glibc
import Logging

// What a PoP does for its successor. While it drains it has an admin address that it can do without. While it serves
// everything stays as it is until the successor says that it serves: what clients connect to goes on listening all the
// time, and who connects while nobody accepts is kept by the kernel.

extension PoPServer: HandOverHost {
  var stage: Life.Stage { life.stage }

  var handOverMilliseconds: Int { Int(clamping: drainLimit.nanoseconds / 1_000_000) }

  func giveAddresses() async {
    options.logger.info("another edge-pop follows: the addresses are given to it")
    life.hurry()
    await admin.stop()
    // Who has connected is still being accepted.
    await clients.waitForListeners()
    // Whoever reads from a disk goes on, for as long as this PoP may; the successor waits for that.
    Task { await letGoOfDisks(within: nil) }
  }

  func offerSockets(of names: [String]) async -> [(name: String, sockets: [CInt])] {
    options.logger.info("another edge-pop takes over")
    // The successor needs the disks before it can serve. Until they are free this PoP goes on serving without.
    await letGoOfDisks(within: drainLimit / 2)
    await clients.pause()
    await admin.pause()
    return (addresses.clients + [addresses.admin]).compactMap { address in
      guard names.contains(address.name) else { return nil }
      // Copies, for these may be closed meanwhile.
      let sockets = address.sockets.map { fcntl($0, F_DUPFD_CLOEXEC, 0) }.filter { $0 >= 0 }
      return sockets.isEmpty ? nil : (address.name, sockets)
    }
  }

  /// Lets a successor have the disks. What is still sent from them when the time is over is broken off.
  private func letGoOfDisks(within limit: Duration?) async {
    guard let disk = storage.disk else { return }
    disk.retire()
    await clients.finishTurns()
    if await disk.letGo(within: limit) { return }
    options.logger.warning(
      "what was still sent from disks is broken off, for another edge-pop needs them")
    await clients.cutOffFiles()
    if await !disk.letGo(within: Self.lastReads) {
      options.logger.error(
        "a disk is stuck: the edge-pop that takes over cannot have it before this one ends")
    }
  }

  /// For reads that were under way.
  private static var lastReads: Duration { .seconds(2) }

  func handedOver() async {
    for address in addresses.clients + [addresses.admin] { address.close() }
    life.hurry()
    life.end()
  }

  func takeBack() async {
    options.logger.error(
      "the edge-pop that was to take over has ended: this one goes on",
      metadata: [
        "advice":
          "see why it ended in its log; restart this one if it had disks, which it does without now"
      ])
    if life.isDraining { return }
    await clients.takeBack()
    do {
      try await admin.resume()
    } catch {
      options.logger.error("the admin API cannot go on", metadata: ["reason": "\(error)"])
    }
  }
}
