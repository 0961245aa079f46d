import EdgeFleet
import EdgeSocket
import Glibc
import Logging

/// The addresses of a PoP, taken at its start: free ones, or those of the PoP that it follows.
struct Addresses: Sendable {
  /// Where clients connect.
  let clients: [TakenAddress]
  /// Where the admin API is.
  let admin: TakenAddress
  /// Where a successor asks for them.
  let desk: HandOverDesk
  /// The PoP that waits to hear that this one can serve.
  private let predecessor: Predecessor?
  /// For how many milliseconds a PoP that gave addresses may still use its disks; nil if there is none.
  let diskPatience: Int?
  /// True if a PoP handed over what it served with.
  var areTakenOver: Bool { predecessor != nil }

  /// Takes the addresses. `count` sockets are to listen for clients on each of theirs. Waits for a PoP that has them
  /// and is about to end, or, with `takesOver`, for any PoP. Throws ``StartProblem``.
  static func take(
    _ pop: FleetConfiguration.PoP, count: Int, takesOver: Bool, logger: Logger
  ) throws(StartProblem) -> Addresses {
    var taking = Taking(takesOver: takesOver, logger: logger)
    let wanted = pop.listen.map { ($0, "--listen") } + [(pop.admin, "--admin")]
    for (endpoint, flag) in wanted where endpoint.port != 0 {
      taking.wanted.append(
        .init(name: Listeners.name(try Listeners.resolve(endpoint)), endpoint: endpoint, flag: flag)
      )
    }
    try taking.checkNames()
    var taken: [TakenAddress] = []
    do throws(StartProblem) {
      for place in taking.wanted { try taking.ask(for: place) }
      for endpoint in pop.listen {
        taken.append(try taking.take(endpoint, count: count, flag: "--listen"))
      }
      taken.append(try taking.take(pop.admin, count: 1, flag: "--admin"))
    } catch {
      taking.close()
      // So it goes on at once.
      taking.predecessor?.socket.close()
      throw error
    }
    taking.close()
    let desk = HandOverDesk()
    // The names of those that were handed over are free when the other PoP accepts nobody any more.
    for address in taken where !address.isHandedOver && !desk.open(address.name) {
      // Who has begun at the same moment and was faster has the address, too.
      if let other = LocalSocket.connect(HandOverDesk.name(address.name)), other.isTrusted {
        desk.close()
        taking.predecessor?.socket.close()
        throw StartProblem(
          "cannot listen on \(address.endpoint): another edge-pop, process \(other.peer?.process ?? 0), is just "
            + "starting there")
      }
      tellOfName(address, logger)
    }
    if taking.predecessor == nil { desk.start() }
    let admin = taken.removeLast()
    return Addresses(
      clients: taken, admin: admin, desk: desk, predecessor: taking.predecessor,
      diskPatience: taking.diskPatience)
  }

  private static func tellOfName(_ address: TakenAddress, _ logger: Logger) {
    logger.warning(
      "another process has the name of an address: no edge-pop can take it over from this one",
      metadata: ["address": "\(address.name)"])
  }

  /// Tells who handed over that this PoP can serve; when this returns it may, for nobody else accepts clients any more.
  /// Throws ``StartProblem`` if the other one goes on, which has waited for too long.
  func confirm(_ logger: Logger) throws(StartProblem) {
    guard let predecessor else { return }
    defer { predecessor.socket.close() }
    predecessor.socket.write(line: HandOverReply.confirmation)
    let limits = HandOverLimits.standard
    let answer = predecessor.socket.readLine(
      within: limits.acknowledgement.milliseconds, atMost: limits.questionLength)
    switch answer {
    case .line(HandOverReply.acknowledgement): break
    case .ended:
      // Only who ends says nothing.
      logger.notice(
        "the edge-pop that was taken over from has ended",
        metadata: ["process": "\(predecessor.process)"])
    case .line, .late:
      throw StartProblem(
        "this edge-pop took too long to begin: process \(predecessor.process), from which it was to take over, goes on; "
          + "see what took so long (disks, most likely), or raise drainTimeout of that one")
    }
    for address in clients + [admin] where address.isHandedOver && !desk.open(address.name) {
      Self.tellOfName(address, logger)
    }
    desk.start()
  }

  /// Gives everything up that is not used yet; who handed over goes on.
  func abandon() {
    desk.close()
    for address in clients + [admin] { address.close() }
    predecessor?.socket.close()
  }
}

/// A PoP that has handed over its sockets.
struct Predecessor: Sendable {
  let socket: LocalSocket
  let process: Int
}

/// Addresses on their way to a PoP.
private struct Taking {
  struct Place {
    let name: String
    let endpoint: SocketEndpoint
    let flag: String
  }

  let takesOver: Bool
  let logger: Logger
  var wanted: [Place] = []
  var predecessor: Predecessor?
  var diskPatience: Int?
  /// Sockets that were handed over, by the names of addresses.
  private var handed: [String: [CInt]] = [:]
  /// Processes that were asked already.
  private var asked: Set<pid_t> = []
  private let limits = HandOverLimits.standard

  init(takesOver: Bool, logger: Logger) { (self.takesOver, self.logger) = (takesOver, logger) }

  /// Throws ``StartProblem`` if an address is wanted twice.
  func checkNames() throws(StartProblem) {
    var seen: Set<String> = []
    for place in wanted where !seen.insert(place.name).inserted {
      throw StartProblem(
        "cannot listen on \(place.endpoint): it is given twice (--listen, --admin)")
    }
  }

  /// Asks the PoP that has an address, if one has, for all that it has of what is wanted.
  mutating func ask(for place: Place) throws(StartProblem) {
    guard handed[place.name] == nil,
      let other = LocalSocket.connect(HandOverDesk.name(place.name)), other.isTrusted,
      let process = other.peer?.process, asked.insert(process).inserted
    else { return }
    other.setPatience(milliseconds: limits.question.milliseconds)
    other.write(line: HandOverRequest(takesOver: takesOver, addresses: wanted.map(\.name)).line)
    let answer = readLine(of: other, within: limits.question.milliseconds)
    switch answer.flatMap(HandOverReply.init(line:)) {
    case .serving(let process):
      throw refusal(
        place,
        "edge-pop, process \(process), serves there; stop it first, take it over with --take-over, or choose "
          + "another with \(place.flag)")
    case .starting(let process):
      throw refusal(
        place,
        "edge-pop, process \(process), is just starting there; choose another with \(place.flag)")
    case .elsewhere(let process, let addresses):
      throw refusal(
        place,
        "edge-pop, process \(process), which has it, serves clients at \(addresses.joined(separator: ", ")): whoever "
          + "takes over has one of these at least. Stop it first, or give this one another admin address"
      )
    case .wait(let process, let milliseconds, let ending):
      if let predecessor {
        let others = handed.keys.sorted().joined(separator: ", ")
        throw refusal(
          place,
          "edge-pop, process \(process), serves there, and process \(predecessor.process) at \(others): only "
            + "one can be taken over at a time. Stop one of them first, or give each a successor with its addresses alone"
        )
      }
      logger.notice(
        "another edge-pop has these addresses, and gives them to this one",
        metadata: [
          "process": "\(process)",
          "within": "\(DurationText.print(.milliseconds(milliseconds)))",
        ])
      if !ending.isEmpty {
        logger.warning(
          "the edge-pop that is taken over from has addresses that this one has not: they end",
          metadata: ["process": "\(process)", "addresses": "\(ending.joined(separator: ", "))"])
      }
      let time = milliseconds + limits.grace.milliseconds
      diskPatience = max(diskPatience ?? 0, time)
      try receive(from: other, place, process: process, within: time)
    case .given, .sockets, nil:
      // It has just ended, or is something else: whether the address is free is seen when it is taken.
      return
    }
  }

  private mutating func receive(
    from other: LocalSocket, _ place: Place, process: Int, within limit: Int
  ) throws(StartProblem) {
    let answer = readLine(of: other, within: limit)
    switch answer.flatMap(HandOverReply.init(line:)) {
    case .sockets(let list):
      for item in list {
        guard let sockets = other.receiveDescriptors(item.count) else {
          close()
          throw refusal(
            place,
            "edge-pop, process \(process), has not handed over its sockets; is the limit of open files high "
              + "enough?")
        }
        handed[item.address, default: []] += sockets
      }
      predecessor = Predecessor(socket: other, process: process)
    case .given, nil: return
    case .serving, .starting, .elsewhere, .wait:
      throw refusal(
        place, "edge-pop, process \(process), does not say what it does; is it of the same version?"
      )
    }
  }

  private func readLine(of other: LocalSocket, within milliseconds: Int) -> String? {
    other.readLine(within: milliseconds, atMost: limits.questionLength).text
  }

  private func refusal(_ place: Place, _ reason: String) -> StartProblem {
    StartProblem("cannot listen on \(place.endpoint): \(reason)")
  }

  /// Takes an address, or what was handed over of it.
  mutating func take(
    _ endpoint: SocketEndpoint, count: Int, flag: String
  ) throws(StartProblem) -> TakenAddress {
    let name = endpoint.port == 0 ? nil : Listeners.name(try Listeners.resolve(endpoint))
    guard let name, let sockets = handed.removeValue(forKey: name) else {
      return try Listeners.take(endpoint, count: count, flag: flag)
    }
    let taken = TakenAddress(
      endpoint, name: name, sockets: sockets, flag: flag, isHandedOver: true)
    if flag == "--listen" { try taken.extend(to: count) }
    return taken
  }

  /// Closes what was handed over and is nobody's.
  mutating func close() {
    for descriptor in handed.values.joined() { Glibc.close(descriptor) }
    handed = [:]
  }
}
