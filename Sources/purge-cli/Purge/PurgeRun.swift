// One purge as its operator sees it: a table that fills up while it runs, or a JSON document, then what is left
// to do. What some PoP has not acknowledged is kept before this ends.

import EdgeCache
import EdgeFleet
import FoundationEssentials
import NIOSSL

/// Follows a purge and reports on it.
struct PurgeRun {
  private let request: PurgeRequest
  private let fanOut: PurgeFanOut
  /// What the purge is ordered through; nil if it goes to each PoP directly.
  private let bus: PurgeBusFanOut?
  private let waits: Bool
  private let options: FleetOptions
  /// Nil for what changes nothing, and need not be kept.
  private let spool: Spool?
  private let receipt: String?
  private let verifies: Bool
  private let isSecure: Bool

  /// A purge that has not been sent yet.
  init(_ request: PurgeRequest, _ purging: PurgeOptions, _ options: FleetOptions) throws {
    var request = request
    if !request.isDryRun {
      request.author = Self.author
      // What is for some PoPs is not told to the others.
      request.isLocal = !options.pop.isEmpty
      if !request.isLocal { request = request.named() }
    }
    let bus = purging.dryRun ? nil : try options.bus()
    if purging.noWait, bus == nil {
      throw WrongUse("--no-wait goes only with a purgeBus in the configuration")
    }
    try purging.checkReceipt()
    if purging.receipt != nil, request.id == nil {
      throw WrongUse("--receipt: there are none of a dry run, nor of a purge for some PoPs (--pop)")
    }
    if purging.noWait, purging.receipt != nil || purging.verify {
      throw WrongUse("--receipt and --verify wait for the PoPs; leave out --no-wait")
    }
    // What has no name is not kept.
    let spool = request.id == nil ? nil : try purging.spool.open()
    try self.init(
      request, at: try options.targets(), spool, options, bus, try options.tls(),
      waits: !purging.noWait, receipt: purging.receipt,
      verifies: purging.verify && !purging.dryRun)
    guard purging.verify else { return }
    guard case .urls? = request.scopes.first, request.scopes.count == 1 else {
      throw WrongUse("--verify fetches URLs, so it goes only with scope url")
    }
    if let target = fanOut.targets.first(where: { $0.listen.isEmpty }) {
      throw WrongUse(
        "--verify needs to know where clients connect to \(target.name); use --config")
    }
  }

  /// A purge that some PoPs have not acknowledged.
  init(resuming kept: Spool.Kept, _ spool: Spool, _ options: FleetOptions) throws {
    // Where it goes is known, so there need be no configuration.
    let tls = kept.isSecure == false ? nil : try options.tls(isOptional: true)
    if kept.isSecure == true, tls == nil {
      throw WrongUse(
        "a pending purge was ordered over TLS; say with --ca FILE who certifies the admin API, or with "
          + "--config FILE")
    }
    try self.init(
      kept.request, at: kept.targets, spool, options, nil, tls, waits: true, receipt: nil,
      verifies: false)
  }

  private init(
    _ request: PurgeRequest, at targets: [PurgeFanOut.Target], _ spool: Spool?,
    _ options: FleetOptions, _ bus: PurgeBusFanOut?, _ tls: NIOSSLContext?, waits: Bool,
    receipt: String?, verifies: Bool
  ) throws {
    (self.request, self.options, self.spool) = (request, options, spool)
    (self.receipt, self.verifies, self.bus, self.waits) = (receipt, verifies, bus, waits)
    fanOut = PurgeFanOut(
      targets: targets, token: try options.token(), tls: tls, timeout: try options.patience())
    isSecure = tls != nil
  }

  private static var author: String {
    let environment = ProcessInfo.processInfo.environment
    return String((environment["USER"] ?? environment["LOGNAME"] ?? "?").prefix(64))
  }

  /// Sends the purge, prints the report and returns how to exit.
  func send() async throws -> ExitStatus {
    guard let bus else { return try await send(fanOut.send(request), request, since: .now) }
    var request = request
    let start = ContinuousClock.now
    let events: AsyncStream<PurgeFanOut.Event>
    do throws(RedisError) {
      // The stream names it.
      var order = request
      order.id = nil
      (request.id, events) = try await bus.send(order)
    } catch {
      return failed(error)
    }
    guard waits else {
      StandardOutput.print(
        options.json
          ? JSONForm.page.text(["id": "\(request.id ?? .zero)"])
          : "Ordered as \(request.id ?? .zero); see purge-cli status \(request.id ?? .zero).")
      return .everywhere
    }
    return try await send(events, request, since: start)
  }

  /// The stream is out of reach: the purge is kept, to be sent to each PoP directly.
  private func failed(_ error: RedisError) -> ExitStatus {
    writeToStandardError("purge-cli: \(error)\n")
    if let spool, let id = request.id, (try? keep(request, id, fanOut.targets)) != nil {
      writeToStandardError(
        "purge-cli: it is kept in \(spool.directory); purge-cli retry sends it to each PoP\n")
    }
    return .notEverywhere
  }

  private func send(
    _ events: AsyncStream<PurgeFanOut.Event>, _ request: PurgeRequest,
    since start: ContinuousClock.Instant
  ) async throws -> ExitStatus {
    // Whatever happens from here on, it is not forgotten; a stream does not forget by itself.
    let isKept = bus == nil ? request.id : nil
    if let id = isKept { try? keep(request, id, fanOut.targets) }
    let board = PurgeBoard(
      fanOut.targets, isShown: !options.json && Terminal.standardOutput.isInteractive)
    for await event in events { board.note(event) }
    board.clear()
    let results = board.results
    var problem: String?
    if let id = isKept {
      do {
        try keep(request, id, results.filter(\.isPending).map(\.target))
      } catch {
        problem = "\(error)"
      }
    }
    let checks = verifies ? await ContentCheck.run(request, results, try options.patience()) : nil
    let report = PurgeReport(
      request: request, results: results, elapsed: .now - start, checks: checks)
    if let receipt, let id = request.id {
      try PurgeReceipts(request, id, results).write(to: receipt)
    }
    if options.json {
      StandardOutput.print(report.json)
    } else {
      printForPeople(report)
    }
    if let problem {
      writeToStandardError("purge-cli: \(problem)\n")
    } else if let spool, results.contains(where: \.isPending), request.id != nil {
      writeToStandardError(
        bus == nil
          ? "purge-cli: it is kept in \(spool.directory); send it again with purge-cli retry\n"
          : "purge-cli: the stream keeps it for them; see purge-cli status \(request.id ?? .zero)\n"
      )
    }
    return report.isComplete && report.isVerified ? .everywhere : .notEverywhere
  }

  private func keep(
    _ request: PurgeRequest, _ id: PurgeID, _ targets: [PurgeFanOut.Target]
  ) throws {
    try spool?.keep(request, id: id, targets, isSecure: isSecure)
  }

  private func printForPeople(_ report: PurgeReport) {
    StandardOutput.print(report.table(coloured: Terminal.standardOutput.hasColour))
    StandardOutput.print(report.summary)
    for result in report.results {
      guard let failure = result.failure else { continue }
      let attempts = result.attempts == 1 ? "" : " (\(result.attempts) attempts)"
      writeToStandardError(
        "purge-cli: \(result.name) at \(result.target.admin): \(failure)\(attempts)\n")
    }
    for check in report.checks ?? [] where !check.isRight {
      writeToStandardError("purge-cli: \(check.sentence)\n")
    }
    // A PoP may cover more than is known here, by the rules of its sites.
    let told = request.widened + report.results.flatMap { $0.acknowledgement?.widened ?? [] }
    for sentence in Self.unique(told) {
      writeToStandardError("purge-cli: note: \(Terminal.plain(sentence))\n")
    }
    for sentence in Self.unique(report.results.flatMap { $0.acknowledgement?.warnings ?? [] }) {
      writeToStandardError("purge-cli: warning: \(Terminal.plain(sentence))\n")
    }
    if report.isComplete, report.matched == 0, !report.isAtLeast, !request.isDryRun {
      writeToStandardError(
        "purge-cli: warning: no stored response matched\(advice)\n")
    }
  }

  private static func unique(_ sentences: [String]) -> [String] {
    var seen: Set<String> = []
    return sentences.filter { seen.insert($0).inserted }
  }

  private var advice: String {
    switch request.scopes.first {
    case .urls, .prefixes: "; a URL must be written as clients request it, with its query"
    case .hosts: "; a host is written without a port, and is not its subdomains"
    case .tags: "; tags have their case"
    case .everything, nil: ""
    }
  }
}

extension PurgeFanOut.Target {
  /// The id, or the address where the id is not known.
  var name: String { pop ?? "\(admin)" }
}

extension PurgeFanOut.Result {
  /// The id, if only the PoP itself could tell; or else the address.
  var name: String { target.pop ?? acknowledgement?.pop ?? "\(target.admin)" }

  /// True if the same purge may succeed later.
  var isPending: Bool {
    if case .pending = outcome { true } else { false }
  }
}
