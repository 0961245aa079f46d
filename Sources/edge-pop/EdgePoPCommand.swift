import ArgumentParser
import EdgeFleet
import EdgeMemory
import EdgePoP
import Foundation
import Logging
import ServiceLifecycle

/// `edge-pop`: one PoP of an edge cache.
@main
struct EdgePoPCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "edge-pop",
    abstract: "Serves cached responses near the client and forwards the rest.",
    discussion: """
      One PoP before one upstream:
        edge-pop --upstream http://127.0.0.1:3000
      A PoP of a fleet:
        edge-pop --config Config/pops.json --pop sin1
      What a stopped PoP has on disk:
        edge-pop store ls /var/cache/edgecache

      SIGTERM, SIGINT and SIGQUIT finish what runs and end, within --drain-timeout
      after --drain-delay;
      a second one ends at once.
      """,
    version: Release.version,
    subcommands: [StoreCommand.self])

  @Option(help: "Origin and regional API in one: http://HOST[:PORT] or https://HOST[:PORT].")
  var upstream: String?

  @Option(
    help: "The fleet's configuration, such as Config/pops.json.",
    completion: .file(extensions: ["json"]))
  var config: String?

  @Option(
    help: "The id of this PoP in the configuration.",
    completion: .custom { words, _, _ in
      FleetConfiguration.popNames(words, after: "--config")
    })
  var pop: String?

  @Flag(help: "Check the configuration, say what is wrong with it, and exit.")
  var checkConfig = false

  @Flag(help: "With --check-config: say what would be served, and which limits are in force.")
  var verbose = false

  @Option(help: "Address for clients, HOST:PORT; may be repeated. (default: 127.0.0.1:8080)")
  var listen: [String] = []

  @Option(help: "Address of the admin API, HOST:PORT. (default: 127.0.0.1:9080)")
  var admin: String?

  @Option(help: "Memory for stored responses, such as 256MiB or 4GiB. (default: 256MiB)")
  var memory: String?

  @Option(
    help: ArgumentHelp(
      "The largest content that memory keeps as one, at most half of it. (default: a quarter of it)",
      valueName: "size"))
  var largestResponse: String?

  @Option(
    help: "What is evicted when memory is full: lru, slru or size-lru. (default: size-lru)",
    completion: .list(FleetConfiguration.Eviction.allCases.map(\.rawValue)))
  var eviction: String?

  @Option(
    help: ArgumentHelp(
      "Directory for stored responses on disk, of this PoP alone; once for each disk. (default: no "
        + "disk)", valueName: "path"), completion: .directory)
  var disk: [String] = []

  @Option(
    help: ArgumentHelp(
      "What a disk may take, such as 10GiB: once for all, or once for each. (default: 10GiB)",
      valueName: "size"))
  var diskSize: [String] = []

  @Option(
    help: "What is written to disk: auto, all or second-hit. (default: auto)",
    completion: .list(FleetConfiguration.DiskAdmission.allCases.map(\.rawValue)))
  var diskAdmission: String?

  @Option(help: "Event loops. (default: one for each core that it may run on)")
  var threads: Int?

  @Option(
    help: ArgumentHelp(
      "Access log: off, - for standard output, or a file to append to, which SIGUSR1 and SIGHUP open "
        + "anew. (default: off)", valueName: "path"), completion: .file())
  var accessLog: String?

  @Option(
    help: ArgumentHelp(
      "Connections of clients, all together. (default: what the limit of open files leaves)",
      valueName: "count"))
  var clientConnections: Int?

  @Option(
    help: ArgumentHelp(
      "Connections of one client: of an address, or a /64 of IPv6. (default: no bound)",
      valueName: "count"))
  var connectionsPerAddress: Int?

  @Option(
    help: ArgumentHelp("The time in which it ends, such as 30s. (default: 30s)", valueName: "time"))
  var drainTimeout: String?

  @Option(
    help: ArgumentHelp(
      "For how long before that it is not ready and still accepts clients, such as 10s. (default: 0s)",
      valueName: "time"))
  var drainDelay: String?

  @Flag(
    help: "Take the addresses over from an edge-pop that serves there, without losing a connection."
  )
  var takeOver = false

  @Option(
    help: "Lines of the access log: combined, vhost-combined or json. (default: combined)",
    completion: .list(FleetConfiguration.AccessLogFormat.allCases.map(\.rawValue)))
  var accessLogFormat: String?

  @Option(
    help: ArgumentHelp(
      "Share of requests in the access log, from 0 to 1; errors and refusals are always in it. "
        + "(default: 1)", valueName: "share"))
  var accessLogSample: Double?

  @Option(
    help: "trace, debug, info, notice, warning, error or critical.",
    completion: .list(Logger.Level.allCases.map(\.rawValue)))
  var logLevel = "info"

  @Option(
    help: "Lines on standard error: text or json. (default: text)",
    completion: .list(FleetConfiguration.LogFormat.allCases.map(\.rawValue)))
  var logFormat: String?

  @Option(
    help: ArgumentHelp(
      "File with the admin token, or lines of NAME RIGHTS TOKEN with the rights purge, read or "
        + "purge,read; otherwise EDGE_ADMIN_TOKEN is used.", valueName: "file"),
    completion: .file())
  var adminTokenFile: String?

  @Option(
    help: ArgumentHelp(
      "Address or range, such as 10.0.0.0/8, from which clients may send PURGE without a token; may "
        + "be repeated.", valueName: "address"))
  var purgeFrom: [String] = []

  @Option(
    help: ArgumentHelp(
      "Address or range of a proxy whose X-Forwarded-For or Forwarded says who the client is; may be "
        + "repeated.", valueName: "address"))
  var trustedProxy: [String] = []

  @Option(
    help: ArgumentHelp(
      "File with certificates of authorities (PEM) that https upstreams may be certified by, "
        + "besides those of the system.", valueName: "file"), completion: .file())
  var upstreamCA: String?

  @Option(
    help: ArgumentHelp(
      "Name server that is asked where upstreams are, ADDRESS[:PORT]; may be repeated. (default: "
        + "those of the system)", valueName: "address"))
  var resolver: [String] = []

  func run() async throws {
    guard let level = Logger.Level(rawValue: logLevel.lowercased()) else {
      throw Failure(
        "--log-level \(logLevel): there is trace, debug, info, notice, warning, error, critical")
    }
    let configuration = try fleetConfiguration()
    if verbose, !checkConfig { throw Failure("--verbose needs --check-config") }
    if checkConfig {
      let file = config ?? "configuration"
      let chosen = pop == nil ? nil : try choosePoP(configuration)
      for warning in configuration.warnings(of: chosen) {
        Self.writeError("edge-pop: \(file): warning: \(warning)")
      }
      let pops = configuration.pops.map(\.id)
      let count = pops.count == 1 ? "1 PoP" : "\(pops.count) PoPs"
      StandardOutput.print("\(file): ok, \(count): \(pops.joined(separator: ", "))")
      if verbose { StandardOutput.print(configuration.account(of: chosen)) }
      return
    }
    var chosen = try choosePoP(configuration)
    try override(&chosen)
    try overrideServing(&chosen)
    do {
      try PoPServer.checkFiles(chosen)
    } catch {
      throw Failure(error.description)
    }

    let format = chosen.logFormat ?? configuration.logFormat ?? .text
    guard let log = OperationalLog.standardError(format) else {
      throw Failure("no thread can be started for the log")
    }
    var logger = log.logger(level)
    logger[metadataKey: "pop"] = "\(chosen.id)"
    warn(chosen, logger)
    for warning in configuration.warnings(of: chosen) { logger.warning("\(warning)") }
    do {
      try await serve(chosen, of: configuration, log, logger)
    } catch {
      // What was said before is read before the reason.
      await log.close(within: Self.mostForLog)
      throw error
    }
    await log.close(within: Self.mostForLog)
  }

  /// For how long the end of the program waits for whoever reads its log.
  private static let mostForLog = Duration.seconds(1)

  private func serve(
    _ chosen: FleetConfiguration.PoP, of configuration: FleetConfiguration, _ log: OperationalLog,
    _ logger: Logger
  ) async throws {
    let signals = await LogSignals(logger: logger)
    let accessLog = chosen.accessLog.filled(from: configuration.accessLog)
    var options = PoPOptions(
      configuration: configuration, pop: chosen, access: try access(),
      purgeFrom: try clientsThatPurge(configuration), trustedProxies: try believedProxies(),
      upstreamCA: upstreamCA, resolvers: try nameServers(),
      accessLog: AccessLogTarget(accessLog.path ?? "off"), logger: logger)
    options.accessLogFormat = accessLog.format ?? .combined
    options.accessLogSample = accessLog.sample ?? 1
    options.operationalLog = log
    let server: PoPServer
    options.takesOver = takeOver
    options.whenDraining = {
      Self.ends.ending()
      ServiceManager.stopping()
    }
    do {
      server = try await PoPServer.start(options)
    } catch let problem as StartProblem {
      throw Failure(problem.description)
    } catch let problem as AccessLogProblem {
      throw Failure(problem.description)
    }
    var quiet = logger
    quiet.logLevel = max(logger.logLevel, .warning)
    let ready = ReadyLine(line: server.readyLine, log: log)
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        // They end in the opposite order: logs can be opened anew until the PoP has ended.
        services: [
          .init(service: signals.reopening(server)),
          .init(
            service: server, successTerminationBehavior: .gracefullyShutdownGroup),
          .init(service: ready),
        ],
        logger: quiet))
    // Asked before it runs, it ends as soon as it does.
    Self.ends.whenAsked(within: server.drainDelay + server.drainLimit) {
      ready.whenRunning { Task { await group.triggerGracefulShutdown() } }
    }
    ready.after { ServiceManager.ready(isNew: server.hasTakenOver) }
    try await group.run()
    // The log has said how many lines that were.
    if server.lostLogLines > 0 { throw ExitCode(1) }
  }

  /// Says what a configuration promises that this machine does not have. It may have been written for a larger one, so
  /// that is no reason not to start.
  private func warn(_ pop: FleetConfiguration.PoP, _ logger: Logger) {
    if let most = MachineMemory.size, pop.memory > most {
      logger.warning("memory \(pop.memory) is more than this machine has, which is \(most)")
    }
    for disk in pop.disks {
      guard let most = FileSystemSize.of(disk.path), disk.size > most else { continue }
      logger.warning(
        "the size of disk \(disk.path), \(disk.size), is more than its file system has, which is \(most)"
      )
    }
  }

  static func writeError(_ line: String) {
    FileHandle.standardError.write(Data("\(line)\n".utf8))
  }

  // MARK: Exit statuses

  /// What ends the program.
  private static let ends = EndSignals()
  /// Files without which a store is not looked at, and without which not even a configuration can be: what a PoP needs
  /// depends on that.
  private static let (leastFiles, leastToBegin) = (32, 12)

  /// Why there are too few files to begin with; nil if there are enough.
  private static var shortage: String? {
    if isStore { return DescriptorLimit.shortage(least: leastFiles) }
    guard DescriptorLimit.shortage(least: leastToBegin) != nil else { return nil }
    return DescriptorLimit.shortage(least: PoPServer.usualFiles)
  }

  /// Runs the command: wrong use and whatever keeps the PoP from starting end with status 1 and a
  /// line that says why.
  static func main() async {
    // A look at a store is ended as any program is.
    if !isStore { _ = ends }
    Allocator.configure()
    DescriptorLimit.raise()
    if let shortage {
      writeError("edge-pop: \(shortage)")
      Foundation.exit(1)
    }
    StandardOutput.prepare()
    var status = await runCommand()
    if let problem = StandardOutput.problem {
      writeError("edge-pop: \(problem)")
      // Of a store the lower ones say something else.
      if status == 0 { status = isStore ? StoreStatus.lost.rawValue : 1 }
    }
    Foundation.exit(status)
  }

  /// A store is looked at by a program of its own, with statuses of its own.
  private static var isStore: Bool {
    CommandLine.arguments.dropFirst().first == StoreCommand.name
  }

  private static func runCommand() async -> Int32 {
    do {
      var command = try parseAsRoot()
      if !isStore, command is any StoreSubcommand {
        throw Failure("the options of a PoP mean nothing to \(StoreCommand.name); leave them out")
      }
      if var asynchronous = command as? AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
      return 0
    } catch let failure as Failure {
      for line in failure.lines { writeError("edge-pop: \(line)") }
      return failure.status
    } catch let status as ExitCode {
      return status.rawValue
    } catch {
      if exitCode(for: error) == .success {
        StandardOutput.print(fullMessage(for: error))
        return 0
      }
      let message = message(for: error).split(separator: "\n").first ?? "wrong use"
      let command = isStore ? "edge-pop \(StoreCommand.name)" : "edge-pop"
      writeError("edge-pop: \(message) (see \(command) --help)")
      return isStore ? ExitCode.validationFailure.rawValue : 1
    }
  }
}
