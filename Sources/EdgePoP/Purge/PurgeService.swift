import EdgeCache
import EdgeFleet
import Logging
import NIOCore
import Synchronization

// Purges as this PoP carries them out, whoever orders them: the admin API, a client with PURGE, or another PoP
// that knows one which was missed here.

/// Carries purges out, and says what came of them.
final class PurgeService: Sendable {
  /// Who ordered a purge, and how it came here.
  struct Author: Sendable {
    /// The name of the token, or how else it was allowed.
    var name: String
    /// The address that it came from, or the PoP that told of it.
    var address: String
    /// What receipts are made with.
    var token: AdminToken?
  }

  /// Something cannot be purged, as the status and the text of an answer.
  struct Refusal: Error {
    var status = 400
    let reason: String

    /// Another PoP would not learn of it.
    static let givenAway = Refusal(
      status: 503,
      reason: "another edge-pop is taking over from this one. Nothing was purged; send it again")
  }

  private struct Counts: Sendable {
    var applied: [String: UInt64] = [:]
    var caughtUp: UInt64 = 0
    var repeated: UInt64 = 0
  }

  let popID: String
  let store: Store
  private let routing: Routing
  private let disk: DiskTier?
  let clock: ProcessClock
  private let names = Mutex(PurgeNames())
  private let logger: Logger
  /// What receipts are made with for purges that come with no token.
  private let receiptToken: AdminToken?
  /// Where purges are told of that were ordered here.
  private let bus: PurgeStream?
  private let life: Life
  private let counts = Mutex(Counts())
  /// What was not carried out.
  let refusals: PurgeRefusals
  private let sync = Mutex(PurgeSyncReport(state: PurgeSync.synced.rawValue, known: 0))

  init(
    popID: String, store: Store, routing: Routing, disk: DiskTier?, bus: PurgeStream? = nil,
    receiptToken: AdminToken? = nil, life: Life, clock: ProcessClock, logger: Logger
  ) {
    self.life = life
    self.bus = bus
    self.receiptToken = receiptToken
    self.popID = popID
    self.store = store
    self.routing = routing
    self.disk = disk
    self.clock = clock
    self.logger = logger
    refusals = PurgeRefusals(logger)
  }

  // MARK: Applying

  /// Applies a purge; when this returns, every event loop has it. It is to be acknowledged only after
  /// ``makeLast(_:)``. Throws, and nothing is purged, if a URL cannot be a cache key, or a successor has the addresses.
  func apply(
    _ request: PurgeRequest, by author: Author
  ) throws(Refusal) -> PurgeAcknowledgement {
    guard life.takesPurges else { throw .givenAway }
    let (scopes, more) = try scopes(request)
    var request = request
    request.widened += more
    let warnings = warnings(request)
    if request.isDryRun {
      var estimate = estimate(scopes)
      if !request.widened.isEmpty { estimate.widened = request.widened }
      estimate.warnings = warnings
      return estimate
    }
    let now = clock.read()
    var generator = SystemRandomNumberGenerator()
    let id: PurgeID? =
      request.isLocal
      ? nil
      : request.id
        ?? names.withLock { $0.next(now.wall, number: generator.next() >> 32) }
    let order = request.message
    let removal = store.purge(
      Purge(scopes, mode: request.mode, id: id, message: order, time: now))
    let entry = id.flatMap { store.purges.journalEntry($0)?.0 }
    audit(request, id, removal, author)
    var acknowledgement = PurgeAcknowledgement(
      pop: popID, id: id.map { "\($0)" }, sequence: removal.sequence,
      appliedAt: (entry?.time ?? now).wall.milliseconds, matched: removal.count,
      freedBytes: request.mode == .soft ? 0 : removal.bytes,
      estimated: removal.isSample ? true : nil, atLeast: removal.isAtLeast ? true : nil,
      repeated: removal.isNew ? nil : true)
    if !request.widened.isEmpty { acknowledgement.widened = request.widened }
    acknowledgement.warnings = warnings
    if let token = author.token {
      acknowledgement.receipt = PurgeReceiptKey(token: token, pop: popID)
        .receipt(for: acknowledgement, order: order)
    }
    return acknowledgement
  }

  /// What a purge would cover.
  private func estimate(_ scopes: [PurgeScope]) -> PurgeAcknowledgement {
    let estimate = store.estimateAll(scopes)
    return PurgeAcknowledgement(
      pop: popID, sequence: store.purges.head, matched: estimate.count,
      freedBytes: estimate.bytes, estimated: estimate.isSample ? true : nil,
      atLeast: estimate.isAtLeast ? true : nil)
  }

  /// What a request covers here, and where that is more than was written, as sentences.
  private func scopes(
    _ request: PurgeRequest
  ) throws(Refusal) -> (scopes: [PurgeScope], widened: [String]) {
    var all: [PurgeScope] = []
    var widened: [String] = []
    for scope in request.scopes {
      all += try scopes(scope)
      guard case .prefixes(let prefixes) = scope else { continue }
      for prefix in prefixes {
        guard let whole = scopes(ofQueryIn: prefix) else { continue }
        all += whole
        let isAll = prefix.target.last == "?"
        guard !isAll, widened.count < 10 else { continue }
        widened.append(
          "\(prefix.description) is purged with any query, for not every query is stored as it was "
            + "asked for")
      }
    }
    return (all, widened)
  }

  /// A page with whatever query, if a prefix has the beginning of one and what is stored may have another one: what the
  /// rules of the site leave of it, or one that is as good (No-Vary-Search). Nil if that cannot be.
  private func scopes(ofQueryIn prefix: PurgeURL) -> [PurgeScope]? {
    guard let question = prefix.target.firstIndex(of: "?") else { return nil }
    let page = "http://\(prefix.host)\(prefix.target[..<question])"
    guard let key = routing.purgeKey(page, store.secret),
      let all = CacheKey(url: "\(page)?".utf8, secret: store.secret),
      routing.hasQueryRules(key) || store.mayHaveEquivalents
    else { return nil }
    return [.url(key), .prefix(PurgePrefix(all))]
  }

  /// Hosts of URLs in a request that no site has, each once. O(URLs).
  func unknownHosts(_ request: PurgeRequest) -> [String] {
    var hosts: [String] = []
    for scope in request.scopes {
      switch scope {
      case .urls(let urls), .prefixes(let urls): hosts += urls.map(\.host)
      case .hosts(let names): hosts += names
      case .tags, .everything: break
      }
    }
    var seen: Set<String> = []
    return hosts.filter { host in
      guard seen.insert(host).inserted else { return false }
      return !isKnown(host)
    }
  }

  private func isKnown(_ host: String) -> Bool {
    route(ofHost: host) != nil
  }

  private func route(ofHost host: String) -> RequestRoute? {
    guard var key = CacheKey(url: "http://\(host)/".utf8, secret: store.secret) else { return nil }
    return routing.route(&key, secret: store.secret)
  }

  /// The fields that carry tags for the site that has a host, in lower case.
  func tagFields(ofHost host: String) -> [String] {
    let fields = route(ofHost: host).map { routing.policy($0).tagFields.names } ?? []
    return fields.map { String(decoding: $0, as: UTF8.self) }
  }

  private func warnings(_ request: PurgeRequest) -> [String]? {
    let hosts = unknownHosts(request)
    return hosts.isEmpty ? nil : hosts.prefix(10).map { "no site has the host \($0)" }
  }

  private func scopes(_ scope: PurgeRequest.Scope) throws(Refusal) -> [PurgeScope] {
    let secret = store.secret
    switch scope {
    case .urls(let urls):
      let keys = urls.compactMap { routing.purgeKey("http://\($0.host)\($0.target)", secret) }
      guard keys.count == urls.count else {
        throw Refusal(reason: "a URL has a host that no request can have; nothing was purged")
      }
      return keys.map { .url($0) }
    case .prefixes(let prefixes):
      let keys = prefixes.compactMap {
        CacheKey(url: "http://\($0.host)\($0.target)".utf8, secret: secret)
      }
      if let prefix = prefixes.first(where: { !PathPrefix.isBeginning($0.target) }) {
        throw Refusal(
          reason:
            "the prefix \(prefix.description) ends in a dot segment or within a percent-encoded "
            + "byte, so it begins no URL; nothing was purged")
      }
      guard keys.count == prefixes.count else {
        throw Refusal(reason: "a prefix has a host that no request can have; nothing was purged")
      }
      return keys.map { .prefix(PurgePrefix($0)) }
    case .hosts(let hosts): return hosts.map { .host(PurgeHost($0.utf8)) }
    case .tags(let tags):
      return tags.flatMap { tag -> [PurgeScope] in
        let words = CacheTag.parts(tag.utf8)
        // A group may have spaces in its name, where a field has a tag for each word.
        return (words.count > 1 ? words + [Array(tag.utf8)] : words).map { .tag(CacheTag($0)) }
      }
    case .everything: return [.everything]
    }
  }

  /// One line for each purge, however often it comes, and from whom: who, what, when, and under which number.
  private func audit(
    _ request: PurgeRequest, _ id: PurgeID?, _ removal: Removal, _ author: Author
  ) {
    counts.withLock { counts in
      if removal.isNew {
        for scope in request.scopes { counts.applied[scope.name, default: 0] += 1 }
      } else {
        counts.repeated += 1
      }
    }
    var metadata: Logger.Metadata = [
      "id": "\(id.map { "\($0)" } ?? "local")", "scope": "\(Terminal.plain(request.summary))",
      "mode": "\(request.mode == .soft ? "soft" : "hard")", "sequence": "\(removal.sequence)",
      "matched": "\(removal.count)", "by": "\(author.name)", "from": "\(author.address)",
    ]
    if let name = request.author { metadata["author"] = "\(Terminal.plain(name))" }
    if !request.widened.isEmpty {
      metadata["widened"] = "\(Terminal.plain(request.widened.joined(separator: "; ")))"
    }
    guard removal.isNew else {
      return logger.debug("purge was applied before", metadata: metadata)
    }
    logger.info("purge applied", metadata: metadata)
  }

  /// Makes all purges so far outlast a crash; `completion` is called on some thread, with the reason if that is
  /// not possible.
  func makeLast(_ completion: @escaping @Sendable (DiskError?) -> Void) {
    let head = store.purges.head
    guard let disk else {
      store.purges.makeDurable(through: head)
      return completion(nil)
    }
    disk.makePurgesLast { [store] problem in
      if problem == nil { store.purges.makeDurable(through: head) }
      completion(problem)
    }
  }

  /// Makes a purge last that was ordered here, and tells the others of it where a stream carries purges;
  /// `completion` is called on some thread, with a sentence if one of the two is not possible.
  func complete(
    _ request: PurgeRequest, _ acknowledgement: PurgeAcknowledgement,
    _ completion: @escaping @Sendable (String?) -> Void
  ) {
    makeLast { [bus] problem in
      if let problem {
        return completion(
          "applied at this PoP, but it cannot be made to last yet: \(problem); it is tried again by itself, and "
            + "after a restart what is on that disk is validated before it is used")
      }
      guard let bus, let id = acknowledgement.id.flatMap({ PurgeID($0) }) else {
        return completion(nil)
      }
      var request = request
      request.id = id
      Task { [request] in
        do throws(RedisError) {
          _ = try await bus.order(request)
          completion(nil)
        } catch {
          completion("applied at this PoP, but the others cannot be told: \(error)")
        }
      }
    }
  }

  /// Tries again what did not go on a disk, and makes last what could not be made to last before. Runs until it is
  /// cancelled.
  func tendDisks() async {
    guard let disk else { return }
    await withDiscardingTaskGroup { group in
      // One that is stuck keeps nobody else waiting.
      for queue in disk.disks {
        group.addTask { [self] in
          while !Task.isCancelled {
            try? await Task.sleep(for: Self.tending)
            if await queue.tend() { makeLast { _ in } }
          }
        }
      }
    }
  }

  private static let tending = Duration.seconds(1)

  // MARK: Catching up

  /// Applies what another list tells, and then notes how far it was read. Returns what can be said of each purge
  /// of the page; nil if it cannot be made to last, or a successor has the addresses.
  func catchUp(_ page: JournalPage, from list: String) async -> [PurgeAcknowledgement]? {
    guard life.takesPurges else { return nil }
    var acknowledgements: [PurgeAcknowledgement] = []
    for entry in page.entries {
      if store.purges.journalEntry(entry.id) == nil { counts.withLock { $0.caughtUp += 1 } }
      guard let acknowledgement = apply(entry, from: list) else { return nil }
      acknowledgements.append(acknowledgement)
    }
    let isNews = store.purges.note(page, of: list)
    guard let disk else {
      store.purges.makeDurable(through: store.purges.head)
      return acknowledgements
    }
    if isNews { disk.note(page.cursor, of: list) }
    if page.entries.isEmpty { return [] }
    let isLasting = await withCheckedContinuation { continuation in
      makeLast { continuation.resume(returning: $0 == nil) }
    }
    return isLasting ? acknowledgements : nil
  }

  private func apply(_ entry: JournalEntry, from list: String) -> PurgeAcknowledgement? {
    do {
      var request = try PurgeRequest(json: entry.message)
      request.id = entry.id
      return try apply(request, by: Author(name: "fleet", address: list, token: receiptToken))
    } catch let refusal as Refusal where refusal.status == Refusal.givenAway.status {
      return nil
    } catch {
      // From a newer version, perhaps. What it would take is not known, so nothing is believed unchecked.
      logger.error(
        "a purge of the fleet is not understood; everything is purged softly instead",
        metadata: ["id": "\(entry.id)", "from": "\(list)", "reason": "\(error)"])
      let now = clock.read()
      let removal = store.purge(
        Purge([.everything], mode: .soft, id: entry.id, message: entry.message, time: now))
      return PurgeAcknowledgement(
        pop: popID, id: "\(entry.id)", sequence: removal.sequence,
        appliedAt: now.wall.milliseconds, matched: removal.count, freedBytes: 0)
    }
  }

  /// Something may be missing that nobody knows any more.
  func purgeEverythingSoftly(because reason: String) async {
    logger.warning(
      "everything is purged softly", metadata: ["reason": "\(reason)"])
    store.purge(.everything, .soft)
    await withCheckedContinuation { continuation in
      makeLast { _ in continuation.resume() }
    }
  }

  // MARK: Reporting

  /// Notes how far this PoP is.
  func report(_ state: PurgeSync, unreachable: [String]) {
    sync.withLock {
      $0.state = state.rawValue
      $0.unreachable = unreachable.isEmpty ? nil : unreachable
    }
  }

  /// How far this PoP knows what was purged.
  var syncReport: PurgeSyncReport {
    var report = sync.withLock { $0 }
    let newest = store.purges.newestEntry
    report.newest = newest.map { "\($0.id)" }
    report.appliedAt = newest?.time.wall.milliseconds
    report.known = store.purges.journalCount
    return report
  }

  /// What came after a cursor; or since a time, for who has nothing from before: as long ago as that is by the
  /// wall clock as it is now, whatever it showed when something was applied.
  func journal(after cursor: PurgeCursor?, since: WallTime?, limit: Int) -> PurgeJournalReply {
    let now = clock.read()
    let since = since.map { now.adding(milliseconds: $0.milliseconds &- now.wall.milliseconds) }
    let page = store.purges.journal(after: cursor, since: since, limit: limit)
    return PurgeJournalReply(
      pop: popID, epoch: page.cursor.epoch, sequence: page.cursor.sequence, more: page.isPartial,
      gap: page.hasGap, synced: sync.withLock { $0.state == PurgeSync.synced.rawValue },
      entries: page.entries.map {
        .init(
          id: "\($0.id)", sequence: $0.sequence, appliedAt: $0.time.wall.milliseconds,
          order: String(decoding: $0.message, as: UTF8.self))
      })
  }

  /// What is known of a purge.
  func record(_ id: PurgeID) -> PurgeRecordReply? {
    store.purges.journalEntry(id).map { entry, yield in
      PurgeRecordReply(
        pop: popID, id: "\(id)", sequence: entry.sequence, appliedAt: entry.time.wall.milliseconds,
        order: String(decoding: entry.message, as: UTF8.self), matched: yield.count,
        freedBytes: yield.bytes)
    }
  }

  /// Counters, for `/stats`.
  func statistics(_ gate: AdminGate) -> PurgeStatistics {
    let (counts, sync) = (counts.withLock { $0 }, syncReport)
    return PurgeStatistics(
      sequence: store.purges.head, applied: counts.applied, repeated: counts.repeated,
      caughtUp: counts.caughtUp, remembered: store.purges.remembered, journal: sync.known,
      state: sync.state, unauthorized: gate.refused.unauthorized,
      rateLimited: gate.refused.rateLimited, refused: refusals.counts)
  }
}
