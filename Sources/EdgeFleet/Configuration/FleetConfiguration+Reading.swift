// From the file to a consistent FleetConfiguration, or to every reason why not. Rules that tie two
// parts together (a region that exists, an address used once) are checked here too, where both
// paths are known. Key by key the same order as the model and docs/configuration.md.

import EdgeCache

extension FleetConfiguration {
  /// Where the configuration is looked for when nobody says.
  public static let defaultPath = "Config/pops.json"

  /// The least memory tier that makes sense to configure.
  public static let smallestMemory = ByteSize.mebibytes(1)
  /// The largest content that a memory tier may be told to keep as one: half of it, or a mebibyte.
  public static func mostLargestResponse(_ memory: ByteSize) -> ByteSize {
    max(ByteSize(bytes: memory.bytes / 2), smallestMemory)
  }
  /// The least that a disk tier takes.
  public static let smallestDisk = ByteSize.mebibytes(16)
  /// The largest size of a disk, and of memory: a store has a million segments of 64 MiB at most.
  public static let largestDisk = ByteSize.mebibytes(64 << 20)

  /// The most threads that can be asked for.
  public static let mostThreads = 1024

  /// Reads the file at `path`.
  public static func load(path: String) throws(ConfigurationError) -> FleetConfiguration {
    let bytes: [UInt8]
    do throws(TextFile.Unreadable) {
      bytes = try TextFile.bytes(path: path)
    } catch {
      throw ConfigurationError(file: path, problems: [.init(.file, error.reason)])
    }
    return try parse(bytes, file: path)
  }

  /// Reads the text of a configuration; `file` is what errors call it.
  public static func parse(
    _ bytes: [UInt8], file: String
  ) throws(ConfigurationError) -> FleetConfiguration {
    let tree: JSONTree
    do throws(JSONTree.SyntaxProblem) {
      tree = try JSONTree.parse(bytes)
    } catch {
      let place = ConfigurationError.Place.position(line: error.line, column: error.column)
      throw ConfigurationError(file: file, problems: [.init(place, error.reason)])
    }
    var reading = FleetReading()
    let configuration = reading.fleet(ConfigurationNode(value: tree, path: ""))
    guard let configuration, reading.reader.problems.isEmpty else {
      throw ConfigurationError(file: file, problems: reading.reader.problems)
    }
    return configuration
  }
}

/// One pass over a file: the reader, and what earlier parts of the file claimed.
struct FleetReading {
  var reader = ConfigurationReader()
  /// The names of the regions, also of those that have problems of their own.
  var regionNames: Set<String> = []
  /// Host pattern → path where it was claimed; likewise the others.
  var hostPaths: [FleetConfiguration.HostPattern: String] = [:]
  var siteNamePaths: [String: String] = [:]
  var popIDPaths: [String: String] = [:]
  /// PoP → path of its parent.
  var parentPaths: [String: String] = [:]
  var endpointPaths: [SocketEndpoint: (pop: Int, path: String)] = [:]

  mutating func fleet(_ node: ConfigurationNode) -> FleetConfiguration? {
    guard
      let fields = reader.fields(
        node, required: ["fleet", "regions", "sites", "pops"],
        optional: [
          "purgeFrom", "trustedProxies", "resolvers", "maxUnsynced", "purgeBus", "adminTLS",
          "accessLog", "logFormat",
        ] + FleetConfiguration.Limits.keys + FleetConfiguration.Serving.keys)
    else { return nil }
    let fleet = reader.value(fields["fleet"], parseName)
    let regions = fields["regions"].flatMap { readRegions($0) }
    let sites = reader.elements(fields["sites"], minimum: 1)?.compactMap { readSite($0) }
    let pops = reader.elements(fields["pops"], minimum: 1)?.enumerated().compactMap {
      readPoP($1, index: $0)
    }
    checkParents(pops ?? [])
    let purgeFrom = reader.values(fields["purgeFrom"]) { text throws(ValueProblem) in
      try AddressRange(parsing: text)
    }
    let trustedProxies = reader.values(fields["trustedProxies"]) { text throws(ValueProblem) in
      try AddressRange(parsing: text)
    }
    let resolvers = readResolvers(fields["resolvers"]) ?? []
    let bus = readBus(fields["purgeBus"])
    let tls = readTLS(fields["adminTLS"])
    let maxUnsynced = reader.value(fields["maxUnsynced"]) { text throws(ValueProblem) in
      try DurationText.parse(text)
    }
    let limits = FleetConfiguration.Limits(fields, &reader)
    let accessLog = readAccessLog(fields["accessLog"])
    let logFormat = reader.choice(fields["logFormat"], FleetConfiguration.LogFormat.self)
    let serving = FleetConfiguration.Serving(fields, &reader)
    guard let fleet, let regions, let sites, let pops else { return nil }
    var configuration = FleetConfiguration(
      fleet: fleet, regions: regions, sites: sites, pops: pops, purgeFrom: purgeFrom,
      maxUnsynced: maxUnsynced ?? FleetConfiguration.defaultMaxUnsynced, purgeBus: bus,
      adminTLS: tls, trustedProxies: trustedProxies)
    (configuration.accessLog, configuration.logFormat) = (accessLog, logFormat)
    configuration.limits = limits
    configuration.resolvers = resolvers
    configuration.serving = serving
    return configuration
  }

  // MARK: - Regions

  private mutating func readRegions(
    _ node: ConfigurationNode
  ) -> [String: FleetConfiguration.Region]? {
    guard let members = reader.members(node) else { return nil }
    if members.isEmpty { reader.note(node.path, "must not be empty") }
    regionNames = Set(members.map(\.key))
    var regions: [String: FleetConfiguration.Region] = [:]
    for (key, member) in members {
      do throws(ValueProblem) {
        regions[try parseName(key)] = readRegion(member, named: key)
      } catch {
        reader.note(member.path, error.description)
      }
    }
    return regions
  }

  private mutating func readRegion(
    _ node: ConfigurationNode, named name: String
  ) -> FleetConfiguration.Region? {
    guard let fields = reader.fields(node, required: ["api"], optional: ["failover"]) else {
      return nil
    }
    let api = reader.values(fields["api"], minimum: 1, parseUpstream)
    let known = regionNames
    let failover = reader.values(fields["failover"]) { text throws(ValueProblem) in
      guard text != name else { throw ValueProblem(text, "fails over to itself") }
      return try Self.parseRegion(text, among: known)
    }
    return .init(api: api, failover: failover)
  }

  private static func parseRegion(
    _ text: String, among known: Set<String>
  ) throws(ValueProblem) -> String {
    guard known.contains(text) else {
      let names = known.sorted().joined(separator: ", ")
      throw ValueProblem(text, "is not a region; there is \(names.isEmpty ? "none" : names)")
    }
    return text
  }

  // MARK: - Sites

  private mutating func readSite(_ node: ConfigurationNode) -> FleetConfiguration.Site? {
    let required = ["name", "hosts", "origin"]
    let optional =
      ["routes", "passThroughTo", "methodOverride"] + FleetConfiguration.CachingOptions.keys
      + FleetConfiguration.Limits.keys
    guard let fields = reader.fields(node, required: required, optional: optional) else {
      return nil
    }
    let name = reader.value(fields["name"], parseName)
    if let name { reader.claim(name, at: fields["name"], in: &siteNamePaths) }
    let hosts = (reader.elements(fields["hosts"], minimum: 1) ?? []).compactMap { element in
      let pattern = reader.value(element, parseHostPattern)
      if let pattern { reader.claim(pattern, at: element, in: &hostPaths) }
      return pattern
    }
    let origin = reader.values(fields["origin"], minimum: 1, parseUpstream)
    var prefixPaths: [String: String] = [:]
    let routes = (reader.elements(fields["routes"]) ?? []).compactMap { element in
      readRoute(element, prefixPaths: &prefixPaths)
    }
    let passThroughTo =
      reader.choice(fields["passThroughTo"], FleetConfiguration.PassThroughTarget.self) ?? .route
    let caching = FleetConfiguration.CachingOptions(fields, &reader)
    let methodOverride = reader.truth(fields["methodOverride"]) ?? false
    let limits = FleetConfiguration.Limits(fields, &reader)
    guard let name else { return nil }
    var site = FleetConfiguration.Site(
      name: name, hosts: hosts, origin: origin, routes: routes, passThroughTo: passThroughTo,
      caching: caching, limits: limits)
    site.methodOverride = methodOverride
    return site
  }

  private mutating func readRoute(
    _ node: ConfigurationNode, prefixPaths: inout [String: String]
  ) -> FleetConfiguration.Route? {
    guard
      let fields = reader.fields(
        node, required: ["prefix", "to"], optional: FleetConfiguration.Limits.routeKeys)
    else { return nil }
    let prefix = reader.value(fields["prefix"]) { text throws(ValueProblem) in
      guard text.hasPrefix("/") else { throw ValueProblem(text, "does not begin with /") }
      guard text.utf8.allSatisfy(\.isVisible), !text.contains(where: "?#".contains)
      else {
        throw ValueProblem(
          text, "is not the beginning of a path; no query, fragment or unencoded character")
      }
      guard !text.contains("*") else {
        throw ValueProblem(
          text, "has a *, which stands for nothing here: a prefix takes all that begins with it")
      }
      guard !text.contains("\\") else {
        throw ValueProblem(text, "has a backslash, which no path has; write %5C or /")
      }
      guard PathPrefix.isEncoded(text) else {
        throw ValueProblem(
          text, "has a % without two hexadecimal digits; write %25 for a percent sign")
      }
      guard PathPrefix.isBeginning(text) else {
        throw ValueProblem(text, "ends in a dot segment, so it begins no path")
      }
      let normal = PathPrefix.normal(text)
      guard normal == text else {
        throw ValueProblem(text, "should be written \(normal): paths are compared in that form")
      }
      return text
    }
    if let prefix { reader.claim(prefix, at: fields["prefix"], in: &prefixPaths) }
    let target = reader.choice(fields["to"], FleetConfiguration.RouteTarget.self)
    let limits = FleetConfiguration.Limits(fields, &reader)
    guard let prefix, let target else { return nil }
    var route = FleetConfiguration.Route(prefix: prefix, target: target)
    route.limits = limits
    return route
  }

  // MARK: - PoPs

  private mutating func readPoP(_ node: ConfigurationNode, index: Int) -> FleetConfiguration.PoP? {
    let required = ["id", "city", "latitude", "longitude", "region", "listen", "admin"]
    let optional =
      [
        "memory", "largestResponse", "threads", "eviction", "disk", "parent", "trustedProxies",
        "resolvers", "accessLog", "logFormat",
      ] + FleetConfiguration.Serving.keys
    guard let fields = reader.fields(node, required: required, optional: optional) else {
      return nil
    }
    let id = reader.value(fields["id"], parseName)
    if let id { reader.claim(id, at: fields["id"], in: &popIDPaths) }
    let city = reader.value(fields["city"]) { text throws(ValueProblem) in
      guard !text.isEmpty, !text.unicodeScalars.contains(where: \.isControl) else {
        throw ValueProblem(text, "is not the name of a city")
      }
      return text
    }
    let latitude = reader.number(fields["latitude"], in: -90...90)
    let longitude = reader.number(fields["longitude"], in: -180...180)
    let known = regionNames
    let region = reader.value(fields["region"]) { text throws(ValueProblem) in
      try Self.parseRegion(text, among: known)
    }
    let listen = (reader.elements(fields["listen"], minimum: 1) ?? []).compactMap { element in
      let endpoint = reader.value(element, parseEndpoint)
      if let endpoint { claim(endpoint, pop: index, path: element.path) }
      return endpoint
    }
    let admin = reader.value(fields["admin"]) { text throws(ValueProblem) in
      let admin = try parseEndpoint(text)
      guard !admin.isWildcard else {
        throw ValueProblem(
          text, "does not say which machine to send purges to; write the address of this PoP")
      }
      return admin
    }
    if let admin, let node = fields["admin"] { claim(admin, pop: index, path: node.path) }
    let memory = readSize(fields["memory"], atLeast: FleetConfiguration.smallestMemory)
    let largest = readLargest(
      fields["largestResponse"], memory: memory ?? FleetConfiguration.PoP.defaultMemory)
    let threads = reader.integer(fields["threads"], in: 1...FleetConfiguration.mostThreads)
    let eviction = reader.choice(fields["eviction"], FleetConfiguration.Eviction.self)
    let disks = readDisks(fields["disk"])
    let parent = reader.value(fields["parent"], parseName)
    if let id, let place = fields["parent"] { parentPaths[id] = place.path }
    let trustedProxies = fields["trustedProxies"].map { node in
      reader.values(node) { text throws(ValueProblem) in try AddressRange(parsing: text) }
    }
    let resolvers = readResolvers(fields["resolvers"])
    let accessLog = readAccessLog(fields["accessLog"])
    let logFormat = reader.choice(fields["logFormat"], FleetConfiguration.LogFormat.self)
    let serving = FleetConfiguration.Serving(fields, &reader)
    guard let id, let city, let latitude, let longitude, let region, let admin else { return nil }
    var pop = FleetConfiguration.PoP(
      id: id, city: city, latitude: latitude, longitude: longitude, region: region,
      listen: listen, admin: admin, memory: memory ?? FleetConfiguration.PoP.defaultMemory,
      largestResponse: largest, threads: threads, eviction: eviction, disks: disks, parent: parent)
    pop.trustedProxies = trustedProxies
    pop.resolvers = resolvers
    (pop.accessLog, pop.logFormat) = (accessLog, logFormat)
    pop.serving = serving
    return pop
  }

  /// Parents are PoPs that can be reached, and lead to an origin in the end.
  private mutating func checkParents(_ pops: [FleetConfiguration.PoP]) {
    for pop in pops {
      guard let id = pop.parent, let path = parentPaths[pop.id] else { continue }
      guard let parent = pops.first(where: { $0.id == id }) else {
        reader.note(path, "\(quoted(id)) is not a PoP of this file")
        continue
      }
      if parent.listen.first.map({ $0.isWildcard || $0.port == 0 }) ?? true {
        reader.note(
          path, "\(quoted(id)) does not say where it can be reached; its first listen must")
      }
      var seen = [pop.id]
      var next: String? = id
      while let place = next, let parent = pops.first(where: { $0.id == place }) {
        if seen.contains(place) {
          reader.note(path, "\((seen + [place]).joined(separator: " asks ")): no origin is asked")
          break
        }
        seen.append(place)
        next = parent.parent
      }
    }
  }

  /// One disk, or several.
  private mutating func readDisks(_ node: ConfigurationNode?) -> [FleetConfiguration.Disk] {
    guard let node else { return [] }
    guard case .array = node.value else { return readDisk(node).map { [$0] } ?? [] }
    var paths: [String: String] = [:]
    return (reader.elements(node, minimum: 1) ?? []).compactMap { element in
      guard let disk = readDisk(element) else { return nil }
      if let earlier = paths.updateValue(element.path, forKey: disk.path) {
        reader.note(element.path, "\(quoted(disk.path)) is already taken by \(earlier)")
      }
      return disk
    }
  }

  private mutating func readDisk(_ node: ConfigurationNode) -> FleetConfiguration.Disk? {
    guard
      let fields = reader.fields(node, required: ["path"], optional: ["size", "admission"])
    else { return nil }
    let path = reader.value(fields["path"]) { text throws(ValueProblem) in
      guard !text.isEmpty else { throw ValueProblem(text, "is not a directory") }
      return text
    }
    let size = readSize(fields["size"], atLeast: FleetConfiguration.smallestDisk)
    let admission = reader.choice(fields["admission"], FleetConfiguration.DiskAdmission.self)
    guard let path else { return nil }
    return .init(
      path: path, size: size ?? FleetConfiguration.Disk.defaultSize, admission: admission)
  }

  private mutating func readLargest(
    _ node: ConfigurationNode?, memory: ByteSize
  ) -> ByteSize? {
    reader.value(node) { text throws(ValueProblem) in
      let size = try ByteSize(parsing: text)
      let most = FleetConfiguration.mostLargestResponse(memory)
      guard size.bytes > 0, size <= most else {
        throw ValueProblem(text, "must be from 1B to half of the memory, \(most)")
      }
      return size
    }
  }

  private mutating func readSize(
    _ node: ConfigurationNode?, atLeast least: ByteSize
  ) -> ByteSize? {
    reader.value(node) { text throws(ValueProblem) in
      let size = try ByteSize(parsing: text)
      guard size >= least else { throw ValueProblem(text, "is too little; at least \(least)") }
      let most = FleetConfiguration.largestDisk
      guard size <= most else { throw ValueProblem(text, "is too much; at most \(most)") }
      return size
    }
  }

  // MARK: - Claims

  /// Claims an address. Port 0 is a new port every time, and `0.0.0.0` is another address on every
  /// machine, so that PoPs may share it: only twice within one PoP is it certainly wrong.
  private mutating func claim(_ endpoint: SocketEndpoint, pop: Int, path: String) {
    if endpoint.port == 0 { return }
    if let earlier = endpointPaths[endpoint], earlier.pop == pop || !endpoint.isWildcard {
      reader.note(path, "\(quoted("\(endpoint)")) is already taken by \(earlier.path)")
    } else {
      endpointPaths[endpoint] = (pop, path)
    }
  }
}
