import NIOCore
import Synchronization

// Stored responses and flights, in shards by the hash of the identity.
//
// Any event loop may use any shard; a lock is held for a lookup or a change of links, never while
// bytes are written or copied. Purges take effect for everybody at the moment they are applied:
// the number of the purge is published first, then what is stored is taken out and what is in
// flight is fenced, all before the purge is acknowledged.

/// The memory tier with collapsed forwarding and purge fences.
public final class Store: Sendable {
  struct State: Sendable {
    var memory: MemoryShard
    var flights: [KeyHash: [Flight]] = [:]
    var hitForMiss: HitForMiss
    /// What unsafe requests made unusable last.
    var invalidations = InvalidationRing()
    /// Keys whose content turned out too large on the way: it is not begun to be kept again for a while.
    var tooLarge: HitForMiss
    /// What was asked for lately of what is not in memory.
    var promotions: RecentIdentities
    /// Number of times that something could have come into memory and did not.
    var declined: UInt64 = 0
  }

  final class Shard: Sendable {
    let state: Mutex<State>

    init(limits: StoreLimits, budget: MemoryBudget, hasLower: Bool) {
      state = Mutex(
        State(
          memory: MemoryShard(budget, eviction: limits.eviction),
          hitForMiss: HitForMiss(limit: limits.hitForMissKeys, seconds: limits.hitForMiss),
          tooLarge: HitForMiss(limit: limits.hitForMissKeys, seconds: limits.hitForMiss),
          promotions: RecentIdentities(capacity: hasLower ? 16_384 : 0)))
    }
  }

  /// Bounds of this store.
  public let limits: StoreLimits
  /// What keys the hashes.
  public let secret: HashSecret
  /// The purges that were applied.
  public let purges: PurgeLog
  /// What is stored below memory, if anything is.
  public let lower: (any LowerTier)?
  /// What unsafe requests made unusable lately.
  let invalidated = Mutex(RecentKeys<Void>())
  let shards: [Shard]
  /// The memory that they share.
  let budget: MemoryBudget
  /// Number of times that all shards made room.
  let turns = Atomic<UInt64>(0)
  let variances = VarianceIndex()
  /// What looks for the ends of coded content on its way.
  let codings = CodingRoom()
  let sweeping = Mutex(Sweep())
  /// What purges of everything took, to be freed a little at a time.
  let graveyard = Mutex<[MemoryShard.Evacuated]>([])
  private let pieceNames = Atomic<UInt64>(0)

  /// An empty store, above another tier if there is one: with its secret and its purges.
  public init(
    limits: StoreLimits, secret: HashSecret, purges: PurgeLog = PurgeLog(),
    lower: (any LowerTier)? = nil
  ) {
    self.limits = limits
    self.secret = secret
    self.purges = purges
    self.lower = lower
    let budget = MemoryBudget(capacity: limits.memory, shards: limits.shards)
    self.budget = budget
    shards = (0..<limits.shards).map { _ in
      Shard(limits: limits, budget: budget, hasLower: lower != nil)
    }
  }

  /// True if content that is too large for memory is kept in pieces: on disk, with room for a few in memory
  /// on their way.
  var keepsPieces: Bool {
    lower != nil && limits.memory >= 4 * PiecedContent.pieceSize
  }

  /// A name for pieces that no others ever had: keyed, by the time and a count.
  func newPieceName(_ now: Instant) -> KeyHash {
    var writer = DiskWriter(capacity: 16)
    writer.write(now.milliseconds)
    writer.write(pieceNames.wrappingAdd(1, ordering: .relaxed).newValue)
    return SipHash.hash(writer.bytes.span, prefix: purges.head, secret: secret)
  }

  func shard(_ key: CacheKey) -> Shard {
    shards[Int(truncatingIfNeeded: key.hash.high) & (shards.count - 1)]
  }

  // MARK: Flights

  /// Leads or follows for a request that `stale` (or nothing) was found for.
  ///
  /// Looks again under the same lock, so that of any number of requests at once exactly one leads,
  /// and so that nothing is validated that was purged after it was found: the answer would bring it
  /// back into the store.
  /// A fresh response that came meanwhile is taken if it `suffices`.
  /// `wake` is called, from any thread, when a followed flight has news. Requests for keys that are
  /// hit-for-miss get a flight that nobody else can join, whatever their terms.
  public func plan(
    _ key: CacheKey, request: FieldSection, stale: StoredResponse?, terms: FlightTerms,
    now: Instant, suffices: (StoredResponse) -> Bool = { $0.parts == nil },
    wake: @escaping @Sendable () -> Void
  ) -> FlightPlan {
    shard(key).state.withLock { state in
      var present: StoredResponse?
      // What was found before has been counted as used.
      let isFirst = stale == nil
      if case .selected(let response) = state.memory.select(
        key, request: request, purges: purges, touches: isFirst)
      {
        if response !== stale, terms.takesStored, response.freshness.isFresh(now),
          suffices(response)
        {
          return .stored(response)
        }
        present = response
      }
      let isSolo = state.hitForMiss.contains(key, now: now)
      let flights = (state.flights[key.hash] ?? []).filter {
        $0.key == key
          && ($0.sequence == purges.head
            || !purges.mayBePurged(key, $0.names, since: $0.sequence))
      }
      if terms.isBackground, !flights.isEmpty || present == nil { return .underWay }
      if terms.mayFollow, !isSolo {
        for flight in flights
        where flight.range == terms.range && flight.mayJoin(request, now: now) {
          if let reader = flight.subscribe(wake) { return .follow(flight, reader, stale: present) }
        }
      }
      let flight = Flight(
        key: key, sequence: purges.head,
        hint: Self.hint(&state, key, request, stale: present, purges), range: terms.range,
        isSolo: isSolo || !terms.mayBeFollowed, limits: limits)
      guard let reader = flight.subscribe(wake) else { invariantFailed("a new flight is full") }
      state.flights[key.hash, default: []].append(flight)
      return .lead(flight, reader, stale: present)
    }
  }

  /// The fields that the variants of a key are selected by, stored ones or such as are on their
  /// way, with this request's values.
  private static func hint(
    _ state: inout State, _ key: CacheKey, _ request: FieldSection, stale: StoredResponse?,
    _ purges: PurgeLog
  ) -> VariantSelector {
    if let stale { return stale.selector.reselected(for: request) }
    let sibling = state.memory.find(key, purges: purges, touches: false) {
      $0.key.scheme == key.scheme
    }
    if let sibling { return sibling.selector.reselected(for: request) }
    for flight in state.flights[key.hash] ?? [] where flight.key == key {
      if let selector = flight.selector { return selector.reselected(for: request) }
    }
    return .any
  }

  /// True unless a purge or an unsafe request has come since the flight left, after which `stale`
  /// from before may not stand in for its response.
  public func isUntouched(_ flight: Flight, _ stale: StoredResponse) -> Bool {
    flight.refusal == nil
      && !purges.isPurged(flight.key, stale.names, since: flight.sequence)
  }

  /// True if no purge has come since the flight left that covers the response which it brings.
  func isCurrent(_ flight: Flight, _ head: FlightHead) -> Bool {
    flight.sequence == purges.head
      || !purges.isPurged(
        flight.key, ResponseNames(head.head, at: flight.key), since: flight.sequence)
  }

  /// Adds content to a flight and keeps it within the budget. O(chunk).
  public func append(_ chunk: ByteBuffer, to flight: Flight, fill: inout Fill) -> FillStep {
    var refusal = flight.refusal
    if refusal == nil {
      let total = flight.received + chunk.readableBytes
      if total > limits.largest(of: flight.key) {
        refusal = .tooLarge
      } else if let length = fill.expectedLength, total > length {
        refusal = .incomplete
      } else if !reserve(max(total, fill.expectedLength ?? 0), flight, fill: &fill) {
        refusal = .full
      }
      if let refusal { refuse(flight, refusal, fill: &fill) }
    }
    guard refusal != nil else { return flight.append(chunk, window: limits.relayWindow) }
    let window = relayWindow(flight, adding: chunk.readableBytes, fill: &fill)
    return flight.append(chunk, window: window)
  }

  /// Content on its way will not be stored: its readers still get it, and nobody joins them any more.
  func refuse(_ flight: Flight, _ refusal: StorageRefusal, fill: inout Fill) {
    flight.refuse(refusal)
    keepWaiting(&fill, of: flight)
  }

  /// Completes a flight: stores its response in the place of `stale`, unless that has become
  /// impossible, and lets its readers finish. Returns why it was not stored.
  @discardableResult
  public func complete(
    _ flight: Flight, head: FlightHead, trailers: FieldSection? = nil,
    replacing stale: StoredResponse?, fill: inout Fill, now: Instant
  ) -> StorageRefusal? {
    if let length = fill.expectedLength, flight.received != length {
      close(flight, hitForMiss: false, fill: &fill, now: now)
      flight.truncate()
      return .incomplete
    }
    defer { flight.complete(trailers) }
    let kept = trailers.flatMap { TrailerSection($0) }
    // Of a part nobody could tell what they are about.
    if kept != nil, head.part != nil || stale?.parts != nil {
      refuse(flight, .trailers, fill: &fill)
    }
    guard let content = takeContent(of: flight, fill: &fill) else {
      let refusal = flight.refusal ?? .full
      close(
        flight, hitForMiss: refusal == .tooLarge || refusal == .tooSlow, fill: &fill, now: now)
      if refusal == .tooLarge { passLarge(flight.key, now: now) }
      return refusal
    }
    // Of a length that was not known before: nothing is what the name means.
    if head.freshness.source == .hashedURL, content.count == 0 {
      close(flight, hitForMiss: false, fill: &fill, now: now)
      return .noFreshness
    }
    var stored = head.head
    stored.trailers = kept
    let storedHead = stored
    func response(_ content: Content, _ parts: StoredParts?) -> StoredResponse {
      StoredResponse(
        key: flight.key, selector: head.selector, head: storedHead, freshness: head.freshness,
        content: content, parts: parts)
    }
    let parts = head.part.flatMap(StoredParts.init)
    guard parts != nil else {
      return put(
        response(content, nil), replacing: stale, flight: flight, fill: &fill, isNew: true, now: now
      )
    }
    let reserved = fill.reserved
    fill.reserved = 0
    return shard(flight.key).state.withLock { state in
      // What is stored now: other parts may have come meanwhile.
      let present =
        state.memory.find(flight.key, purges: purges, touches: false) {
          $0.key.scheme == flight.key.scheme && $0.selector == head.selector
        } ?? stale
      var new = response(content, parts)
      if let present, present.parts != nil,
        let (content, parts) = PartialContent.join(present, head, content, limits: limits)
      {
        new = response(parts.isComplete ? lease(content) : content, parts)
      }
      // The last part may have made it whole.
      return put(
        new, inPieces(new, now: now), replacing: stale, flight: flight, reserved: reserved,
        isNew: true, now: now, &state)
    }
  }

  /// Puts the outcome of a validation in the place of `stale`, if it is about that one, and hands it
  /// to the followers. Returns why it was not stored.
  public func freshen(
    _ flight: Flight, stale: StoredResponse?, with response: StoredResponse, now: Instant
  ) -> StorageRefusal? {
    var fill = Fill()
    let refusal = put(
      response, replacing: stale, flight: flight, fill: &fill, isNew: false, now: now)
    if refusal == nil, response.freshness.isFresh(now) {
      flight.resolve(response)
    } else {
      // It is good for the request that asked, and for no other (RFC 9111 §4).
      flight.scatter(refusal ?? .notReusable)
    }
    return refusal
  }

  /// Stores the head of content that is kept in pieces in the place of `stale`, and hands it to the followers of
  /// the flight that brought it. Returns why it was not stored.
  func keep(
    _ response: StoredResponse, from flight: Flight, replacing stale: StoredResponse?, now: Instant
  ) -> StorageRefusal? {
    var fill = Fill()
    let refusal = put(
      response, replacing: stale, flight: flight, fill: &fill, isNew: true, now: now)
    if refusal == nil, response.freshness.isFresh(now) {
      flight.resolve(response)
    } else {
      flight.scatter(refusal ?? .notReusable)
    }
    return refusal
  }

  private func put(
    _ response: StoredResponse, replacing stale: StoredResponse?, flight: Flight,
    fill: inout Fill, isNew: Bool, now: Instant
  ) -> StorageRefusal? {
    let reserved = fill.reserved
    fill.reserved = 0
    let below = isNew ? inPieces(response, now: now) : nil
    return shard(flight.key).state.withLock { state in
      put(
        response, below, replacing: stale, flight: flight, reserved: reserved, isNew: isNew,
        now: now, &state)
    }
  }

  /// The same in a shard whose lock is held; `below` is what goes to the tier below in its place.
  private func put(
    _ response: StoredResponse, _ below: PiecedContent.Split?, replacing stale: StoredResponse?,
    flight: Flight, reserved: Int, isNew: Bool, now: Instant, _ state: inout State
  ) -> StorageRefusal? {
    let cost = response.cost
    let ownCost = response.ownCost
    var reserved = reserved
    defer { budget.release(reserved) }
    Self.forget(flight, &state)
    if let refusal = flight.refusal { return refusal }
    if purges.isPurged(response.key, response.names, since: flight.sequence) {
      return .purged
    }
    // A part that comes late does not take the place of the whole.
    if response.parts != nil,
      state.memory.find(
        response.key, purges: purges, touches: false,
        where: {
          $0.parts == nil && $0.key.scheme == response.key.scheme
            && $0.selector == response.selector && $0.freshness.isFresh(now)
        }) != nil
    {
      return .partial
    }
    // Taken out first: what is replaced makes room for what replaces it, and leaves it its standing.
    let isReplaced = { (other: StoredResponse) in
      other === stale
        || (other.key.scheme == response.key.scheme && other.selector == response.selector)
    }
    let uses = state.memory.uses(of: response.key, where: isReplaced)
    _ = state.memory.removeAll(response.key, where: isReplaced)
    guard Self.makeVariantRoom(&state, for: response, limits: limits, now: now) else {
      return .variantLimit
    }
    // In memory it would keep a piece of the disk from being written anew.
    if response.content.file != nil { return nil }
    if reserved < ownCost {
      guard reserve(ownCost - reserved, in: &state, of: response.key) else { return .full }
      reserved = ownCost
    }
    reserved -= ownCost
    state.memory.insert(response, cost: cost, stamp: flight.sequence, uses: uses)
    state.hitForMiss.clear(flight.key)
    state.tooLarge.clear(flight.key)
    // What was only confirmed is below as it was, and will be confirmed again when it comes up.
    // A head without content is written again, for it is small.
    if let parts = response.parts, parts.count > PiecedContent.largestWhole {
      // Each further part would write all of them again.
      lower?.replaced(response)
    } else if isNew || response.pieced != nil {
      lower?.stored(below?.head ?? response, pieces: below?.pieces ?? [], stamp: flight.sequence)
    } else {
      lower?.confirmed(response, stamp: flight.sequence)
    }
    // A purge that came meanwhile may have been of a URL that this one would stand for.
    if flight.sequence == purges.head { variances.note(response, secret: secret) }
    return nil
  }

  /// Puts `new` in the place of `old`, for the same requests, if that is still there. O(variants).
  public func exchange(_ old: StoredResponse, for new: StoredResponse) {
    let head = purges.head
    shard(old.key).state.withLock { state in
      // Looking it up makes sure that it has not been purged up to `head`.
      guard state.memory.find(old.key, purges: purges, touches: false, where: { $0 === old }) != nil
      else { return }
      let uses = state.memory.uses(of: old.key) { $0 === old }
      _ = state.memory.removeAll(old.key) { $0 === old }
      guard reserve(new.ownCost, in: &state, of: new.key) else { return }
      state.memory.insert(new, cost: new.cost, stamp: head, uses: uses)
      // It is older than what was learned of it.
      lower?.replaced(old)
    }
  }

  /// True if there is room for one more variant, after stale ones were evicted.
  static func makeVariantRoom(
    _ state: inout State, for response: StoredResponse, limits: StoreLimits, now: Instant
  ) -> Bool {
    var variants = 0
    var all = 0
    _ = state.memory.removeAll(response.key, inAnySpelling: true) { other in
      all += 1
      if other.key == response.key { variants += 1 }
      return false
    }
    if variants >= limits.variants {
      let stale = state.memory.removeAll(response.key) {
        $0.key.scheme == response.key.scheme && !$0.freshness.isFresh(now)
      }
      if stale.count == 0 { return false }
      all -= stale.count
    }
    if all < limits.chain { return true }
    // Other ports, schemes and spellings: forged ones must not crowd out the real one.
    return state.memory.removeAll(response.key, inAnySpelling: true) {
      $0.key != response.key && ($0.key.isRespelled || !response.key.isRespelled)
    }.count > 0
  }

  /// Ends a flight whose response is not stored, and gives back what it had reserved. With
  /// `hitForMiss` the next requests for the key will not wait for each other.
  public func close(_ flight: Flight, hitForMiss: Bool, fill: inout Fill, now: Instant) {
    release(&fill, of: flight)
    shard(flight.key).state.withLock { state in
      Self.forget(flight, &state)
      if hitForMiss { state.hitForMiss.mark(flight.key, now: now) }
    }
  }

  private static func forget(_ flight: Flight, _ state: inout State) {
    guard var flights = state.flights[flight.key.hash] else { return }
    flights.removeAll { $0 === flight }
    state.flights[flight.key.hash] = flights.isEmpty ? nil : flights
  }

  /// The counters of all shards, added up when asked. O(shards).
  public var statistics: StoreStatistics {
    var sum = StoreStatistics()
    sum.eviction = limits.eviction
    sum.bytes = budget.used
    sum.reservedBytes = budget.reserved
    sum.capacity = budget.capacity
    for shard in shards {
      shard.state.withLock { state in
        sum.responses += state.memory.count
        sum.evictions += state.memory.evictions
        for flights in state.flights.values { sum.flights += flights.count }
      }
    }
    return sum
  }
}
