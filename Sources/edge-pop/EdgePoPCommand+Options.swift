import ArgumentParser
import EdgeFleet
import EdgePoP
import Foundation

// What the options of the command line make of the configuration, and what is wrong with them.

extension EdgePoPCommand {
  func fleetConfiguration() throws -> FleetConfiguration {
    switch (upstream, config) {
    case (_?, _?): throw Failure("--upstream and --config exclude each other")
    case (nil, nil):
      throw Failure(
        "say what to serve: --upstream http://HOST:PORT, or --config Config/pops.json --pop ID")
    case (let upstream?, nil):
      if checkConfig { throw Failure("--check-config needs --config FILE") }
      if pop != nil { throw Failure("--pop needs --config FILE") }
      return try described("--upstream") {
        FleetConfiguration.single(
          upstream: try UpstreamURL(parsing: upstream),
          listen: [SocketEndpoint(host: "127.0.0.1", port: 8080)],
          admin: SocketEndpoint(host: "127.0.0.1", port: 9080))
      }
    case (nil, let path?):
      do throws(ConfigurationError) {
        return try FleetConfiguration.load(path: path)
      } catch {
        throw Failure(lines: error.lines)
      }
    }
  }

  func choosePoP(
    _ configuration: FleetConfiguration
  ) throws -> FleetConfiguration.PoP {
    if upstream != nil { return configuration.pops[0] }
    guard let pop else {
      let known = configuration.pops.map(\.id).sorted().joined(separator: ", ")
      throw Failure("--config needs --pop ID; the configuration has \(known)")
    }
    do throws(UnknownPoP) {
      return try configuration.pop(id: pop)
    } catch {
      throw Failure("--pop: \(error)")
    }
  }

  func override(_ pop: inout FleetConfiguration.PoP) throws {
    if !listen.isEmpty {
      pop.listen = try listen.map { text in
        try described("--listen") { try SocketEndpoint(parsing: text) }
      }
    }
    if let admin {
      pop.admin = try described("--admin") { try SocketEndpoint(parsing: admin) }
    }
    if let memory {
      pop.memory = try described("--memory") { try ByteSize(parsing: memory) }
      if pop.memory.bytes < FleetConfiguration.smallestMemory.bytes {
        throw Failure("--memory \(memory): at least \(FleetConfiguration.smallestMemory)")
      }
      if let most = MachineMemory.size, pop.memory > most {
        throw Failure("--memory \(memory): this machine has \(most)")
      }
    }
    if let largestResponse {
      pop.largestResponse = try described("--largest-response") {
        try ByteSize(parsing: largestResponse)
      }
    }
    if let largest = pop.largestResponse {
      let most = FleetConfiguration.mostLargestResponse(pop.memory)
      if largest.bytes == 0 || largest > most {
        throw Failure(
          "\(largestResponse == nil ? "largestResponse" : "--largest-response") \(largest): from 1B to "
            + "half of the memory, \(most)")
      }
    }
    if let eviction {
      guard let policy = FleetConfiguration.Eviction(rawValue: eviction) else {
        let known = FleetConfiguration.Eviction.allCases.map(\.rawValue).joined(separator: ", ")
        throw Failure("--eviction \(eviction): there is \(known)")
      }
      pop.eviction = policy
    }
    try overrideDisks(&pop)
    try overrideLogs(&pop)
    if let threads {
      guard (1...FleetConfiguration.mostThreads).contains(threads) else {
        throw Failure("--threads \(threads): from 1 to \(FleetConfiguration.mostThreads)")
      }
      pop.threads = threads
    }
  }

  private func overrideLogs(_ pop: inout FleetConfiguration.PoP) throws {
    if let accessLog {
      if accessLog.isEmpty { throw Failure("--access-log: is not a file; write - or off") }
      pop.accessLog.path = accessLog
    }
    if let accessLogFormat {
      pop.accessLog.format = try chosen("--access-log-format", accessLogFormat)
    }
    if let accessLogSample {
      guard FleetConfiguration.samples.contains(accessLogSample) else {
        throw Failure("--access-log-sample \(accessLogSample): from 0 to 1")
      }
      pop.accessLog.sample = accessLogSample
    }
    if let logFormat { pop.logFormat = try chosen("--log-format", logFormat) }
  }

  private func chosen<Choice: CaseIterable & RawRepresentable<String>>(
    _ flag: String, _ text: String
  ) throws -> Choice {
    guard let choice = Choice(rawValue: text) else {
      let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw Failure("\(flag) \(text): there is \(known)")
    }
    return choice
  }

  func overrideServing(_ pop: inout FleetConfiguration.PoP) throws {
    let numbers = 1...FleetConfiguration.Serving.mostConnections
    for (flag, value) in [
      ("--client-connections", clientConnections),
      ("--connections-per-address", connectionsPerAddress),
    ] {
      if let value, !numbers.contains(value) {
        throw Failure("\(flag) \(value): from 1 to \(numbers.upperBound)")
      }
    }
    if let clientConnections { pop.serving.clientConnections = clientConnections }
    if let connectionsPerAddress { pop.serving.connectionsPerAddress = connectionsPerAddress }
    if let drainTimeout {
      pop.serving.drainTimeout = try described("--drain-timeout") {
        try FleetConfiguration.Serving.drainTimeout(drainTimeout)
      }
    }
    if let drainDelay {
      pop.serving.drainDelay = try described("--drain-delay") {
        try FleetConfiguration.Serving.drainDelay(drainDelay)
      }
    }
  }

  private func overrideDisks(_ pop: inout FleetConfiguration.PoP) throws {
    if !disk.isEmpty {
      if disk.contains("") { throw Failure("--disk: is not a directory") }
      if Set(disk).count < disk.count { throw Failure("--disk: the same directory twice") }
      pop.disks = disk.map { path in
        pop.disks.first { $0.path == path } ?? FleetConfiguration.Disk(path: path)
      }
    }
    guard !diskSize.isEmpty || diskAdmission != nil else { return }
    if pop.disks.isEmpty {
      throw Failure("--disk-size and --disk-admission need --disk DIRECTORY")
    }
    if diskSize.count > 1, diskSize.count != pop.disks.count {
      throw Failure(
        "--disk-size: given \(diskSize.count) times for \(pop.disks.count) disks; once for all, or "
          + "once for each")
    }
    for (index, text) in diskSize.enumerated() {
      let size = try described("--disk-size") { try ByteSize(parsing: text) }
      if size < FleetConfiguration.smallestDisk {
        throw Failure("--disk-size \(text): at least \(FleetConfiguration.smallestDisk)")
      }
      if size > FleetConfiguration.largestDisk {
        throw Failure("--disk-size \(text): at most \(FleetConfiguration.largestDisk)")
      }
      for place in pop.disks.indices where diskSize.count == 1 || place == index {
        pop.disks[place].size = size
      }
    }
    if let diskAdmission {
      guard let admission = FleetConfiguration.DiskAdmission(rawValue: diskAdmission) else {
        let known = FleetConfiguration.DiskAdmission.allCases.map(\.rawValue)
        throw Failure(
          "--disk-admission \(diskAdmission): there is \(known.joined(separator: ", "))")
      }
      for place in pop.disks.indices { pop.disks[place].admission = admission }
    }
  }

  private func described<Value>(_ flag: String, _ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let problem as ValueProblem {
      throw Failure("\(flag): \(problem)")
    }
  }

  func clientsThatPurge(_ configuration: FleetConfiguration) throws -> [AddressRange] {
    if purgeFrom.isEmpty { return configuration.purgeFrom }
    return try purgeFrom.map { text in
      try described("--purge-from") { try AddressRange(parsing: text) }
    }
  }

  func believedProxies() throws -> [AddressRange]? {
    if trustedProxy.isEmpty { return nil }
    return try trustedProxy.map { text in
      try described("--trusted-proxy") { try AddressRange(parsing: text) }
    }
  }

  func nameServers() throws -> [ResolverAddress]? {
    if resolver.isEmpty { return nil }
    let servers = try resolver.map { text in
      try described("--resolver") { try ResolverAddress(parsing: text) }
    }
    if Set(servers).count < servers.count {
      throw Failure("--resolver: the same name server twice")
    }
    return servers
  }

  func access() throws -> AdminAccess? {
    do throws(AdminToken.Problem) {
      if let adminTokenFile { return try AdminAccess.read(path: adminTokenFile) }
      guard let text = Environment.value("EDGE_ADMIN_TOKEN") else { return nil }
      return AdminAccess(try AdminToken(text))
    } catch {
      throw Failure(error.description)
    }
  }
}
