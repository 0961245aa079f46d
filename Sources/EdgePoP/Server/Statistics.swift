import EdgeCache
import EdgeFleet
import EdgeNames
import FoundationEssentials

/// What `GET /stats` reports: all counters of a PoP, added up at the time of asking.
struct Statistics: Codable, Sendable {
  struct Memory: Codable, Sendable {
    var storedResponses: Int
    var bytes: Int
    var reservedBytes: Int
    var capacity: Int
    var eviction: String
    var evictions: UInt64
    var flights: Int
  }

  struct Upstream: Codable, Sendable {
    var requests: UInt64
    var connections: UInt64
    var retries: UInt64
    var bytes: UInt64
  }

  /// Lines that were dropped because they could not be written, of each log.
  struct DroppedLogLines: Codable, Sendable {
    var access: UInt64 = 0
    var operational: UInt64 = 0
  }

  /// Places of clients' connections.
  struct Clients: Codable, Sendable {
    /// Connections that there may be; absent without a bound.
    var limit: Int?
    /// Those of one address; absent without a bound.
    var perAddress: Int?
    /// Closed to make room: between two requests, or within a head.
    var closedIdle: UInt64
    var closedInHead: UInt64
    /// Closed at once, because the address had as many as it may.
    var refused: UInt64
    /// How often nobody was accepted for want of room.
    var pauses: UInt64
  }

  var pop: String
  var version: String
  var uptimeSeconds: Int
  var purgeSequence: UInt64
  var connections: UInt64
  var openConnections: Int
  var clients: Clients
  var requests: UInt64
  var hits: UInt64
  var collapsed: UInt64
  var stored: UInt64
  var malformed: UInt64
  var timeouts: UInt64
  /// Limits that were reached, by their name.
  var limits: [String: UInt64]
  var tunnels: UInt64
  var bytesSent: UInt64
  var bytesReceived: UInt64
  var droppedLogLines: DroppedLogLines
  /// Responses by the first digit of their status.
  var statuses: [String: UInt64]
  /// Forwarded requests by the reason.
  var forwards: [String: UInt64]
  /// Responses that were not stored, by the reason.
  var storageRefusals: [String: UInt64]
  /// Upstream failures by kind.
  var upstreamFailures: [String: UInt64]
  var memory: Memory
  var upstream: Upstream
  /// Each of them.
  var upstreams: [UpstreamStatistics]
  /// Of upstreams whose address is not given in the configuration.
  var names: NameStatistics
  /// Absent without a disk tier.
  var disk: DiskReport?
  var purges: PurgeStatistics

  init(
    pop: String, uptimeSeconds: Int, purgeSequence: UInt64, counters: Counters,
    store: StoreStatistics, droppedLogLines: DroppedLogLines, disk: DiskReport? = nil,
    names: NameStatistics = NameStatistics(), purges: PurgeStatistics,
    places: SharedPlaces = SharedPlaces(), upstreams: [UpstreamStatistics] = []
  ) {
    self.upstreams = upstreams
    self.names = names
    clients = Clients(
      limit: places.limit == .max ? nil : places.limit, perAddress: places.perAddress,
      closedIdle: counters.closedIdle, closedInHead: counters.closedInHead,
      refused: counters.refusedConnections, pauses: counters.acceptPauses)
    self.purges = purges
    self.disk = disk
    self.pop = pop
    version = Release.version
    self.uptimeSeconds = uptimeSeconds
    self.purgeSequence = purgeSequence
    self.droppedLogLines = droppedLogLines
    connections = counters.connections
    openConnections = counters.openConnections
    requests = counters.requests
    hits = counters.hits
    collapsed = counters.collapsed
    stored = counters.stored
    malformed = counters.malformed
    timeouts = counters.timeouts
    limits = Self.named(counters.limits)
    tunnels = counters.tunnels
    bytesSent = counters.bytesSent
    bytesReceived = counters.bytesReceived
    statuses = [:]
    for index in 1..<6 { statuses["\(index)xx"] = counters.statuses[index] }
    forwards = Self.named(counters.forwards)
    storageRefusals = Self.named(counters.refusals)
    upstreamFailures = Self.named(counters.failures)
    memory = Memory(
      storedResponses: store.responses, bytes: store.bytes, reservedBytes: store.reservedBytes,
      capacity: store.capacity, eviction: store.eviction.rawValue, evictions: store.evictions,
      flights: store.flights)
    upstream = Upstream(
      requests: counters.upstreamRequests, connections: counters.upstreamConnections,
      retries: counters.retries, bytes: counters.bytesFromUpstream)
  }

  private static func named<Name: RawRepresentable<String> & CaseIterable & Sendable>(
    _ counts: CaseCounts<Name>
  ) -> [String: UInt64] {
    Dictionary(uniqueKeysWithValues: Name.allCases.map { ($0.rawValue, counts[$0]) })
  }

  /// The body of the answer.
  var json: [UInt8] { JSONForm.escapedPage.bytes(self) }
}
