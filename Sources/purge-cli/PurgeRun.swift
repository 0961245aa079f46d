// One purge as its operator sees it: a table that fills up while it runs, or a JSON document, then what is left
// to do. What some PoP has not acknowledged is kept before this ends.

import EdgeCache
import EdgeFleet
import FoundationEssentials

/// Follows a purge and reports on it.
struct PurgeRun {
  private let request: PurgeRequest
  private let id: PurgeID?
  private let fanOut: PurgeFanOut
  private let options: FleetOptions
  private let spool: Spool
  private let receipt: String?
  private let verifies: Bool

  /// A purge that has not been sent yet.
  init(_ request: PurgeRequest, _ purging: PurgeOptions, _ options: FleetOptions) throws {
    var request = request
    if !request.isDryRun {
      request.id = PurgeID(
        milliseconds: UInt64(Date().timeIntervalSince1970 * 1000),
        number: UInt64(UInt32.random(in: 0 ... .max)))
      request.author = Self.author
    }
    try self.init(
      request, at: try options.targets(), purging.spool.open(), options,
      receipt: purging.receipt, verifies: purging.verify && !purging.dryRun)
    guard purging.verify else { return }
    guard case .urls = request.scope else {
      throw WrongUse("--verify fetches URLs, so it goes only with scope url")
    }
    if let target = fanOut.targets.first(where: { $0.listen.isEmpty }) {
      throw WrongUse(
        "--verify needs to know where clients connect to \(target.name); use --config")
    }
  }

  /// A purge that some PoPs have not acknowledged.
  init(
    resuming request: PurgeRequest, at targets: [PurgeFanOut.Target], _ spool: Spool,
    _ options: FleetOptions
  ) throws {
    try self.init(request, at: targets, spool, options, receipt: nil, verifies: false)
  }

  private init(
    _ request: PurgeRequest, at targets: [PurgeFanOut.Target], _ spool: Spool,
    _ options: FleetOptions, receipt: String?, verifies: Bool
  ) throws {
    (self.request, id, self.options, self.spool) = (request, request.id, options, spool)
    (self.receipt, self.verifies) = (receipt, verifies)
    fanOut = PurgeFanOut(
      targets: targets, token: try options.token(), timeout: try options.patience())
  }

  private static var author: String {
    let environment = ProcessInfo.processInfo.environment
    return String((environment["USER"] ?? environment["LOGNAME"] ?? "?").prefix(64))
  }

  /// Sends the purge, prints the report and returns how to exit.
  func send() async throws -> ExitStatus {
    let start = ContinuousClock.now
    // Whatever happens from here on, it is not forgotten.
    if let id { try? spool.keep(request, id: id, fanOut.targets) }
    let board = PurgeBoard(
      fanOut.targets, isShown: !options.json && Terminal.standardOutput.isInteractive)
    for await event in fanOut.send(request) { board.note(event) }
    board.clear()
    let results = board.results
    var problem: String?
    if let id {
      do {
        try spool.keep(request, id: id, results.filter(\.isPending).map(\.target))
      } catch {
        problem = "\(error)"
      }
    }
    let checks = verifies ? await ContentCheck.run(request, results, try options.patience()) : nil
    let report = PurgeReport(
      request: request, results: results, elapsed: .now - start, checks: checks)
    if let receipt, let id { try PurgeReceipts(request, id, results).write(to: receipt) }
    if options.json {
      print(report.json)
    } else {
      printForPeople(report)
    }
    if let problem {
      writeToStandardError("purge-cli: \(problem)\n")
    } else if results.contains(where: \.isPending), !request.isDryRun {
      writeToStandardError(
        "purge-cli: it is kept in \(spool.directory); send it again with purge-cli retry\n")
    }
    return report.isComplete && report.isVerified ? .everywhere : .notEverywhere
  }

  private func printForPeople(_ report: PurgeReport) {
    print(report.table(coloured: Terminal.standardOutput.hasColour))
    print(report.summary)
    flushStandardOutput()
    for result in report.results {
      guard let failure = result.failure else { continue }
      let attempts = result.attempts == 1 ? "" : " (\(result.attempts) attempts)"
      writeToStandardError(
        "purge-cli: \(result.name) at \(result.target.admin): \(failure)\(attempts)\n")
    }
    for check in report.checks ?? [] where !check.isRight {
      writeToStandardError("purge-cli: \(check.sentence)\n")
    }
    if report.isComplete, report.matched == 0, !request.isDryRun {
      writeToStandardError(
        "purge-cli: warning: no stored response matched\(advice)\n")
    }
  }

  private var advice: String {
    switch request.scope {
    case .urls, .prefixes: "; a URL must be written as clients request it, with its query"
    case .hosts: "; a host is written without a port, and is not its subdomains"
    case .tags: "; tags have their case"
    case .everything: ""
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
