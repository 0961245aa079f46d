import NIOCore
import Synchronization

// Stored responses and flights, in shards by the hash of the identity.
//
// Any event loop may use any shard; a lock is held for a lookup or a change of links, never while
// bytes are written or copied. Purges take effect for everybody at the moment they are applied:
// the number of the purge is published first, then what is stored is taken out and what is in
// flight is fenced, all before the purge is acknowledged.

/// What was done by a purge or an invalidation.
public struct Removal: Sendable, Hashable {
  /// Sequence number of the purge.
  public var sequence: UInt64
  /// Number of stored responses removed.
  public var count: Int
  /// Bytes that they took.
  public var bytes: Int

  /// A removal from its parts.
  public init(sequence: UInt64, count: Int = 0, bytes: Int = 0) {
    self.sequence = sequence
    self.count = count
    self.bytes = bytes
  }
}

/// What a request that cannot be answered from the store does next.
public enum FlightPlan: Sendable {
  /// A response came into the store in between.
  case stored(StoredResponse)
  /// Wait for a request that is on its way; `stale` is what is stored for this one.
  case follow(Flight, Flight.ReaderID, stale: StoredResponse?)
  /// Go upstream, for yourself and all that follow; `stale` may be validated.
  case lead(Flight, Flight.ReaderID, stale: StoredResponse?)
}

/// A snapshot of the store's counters.
public struct StoreStatistics: Sendable, Hashable {
  public var responses = 0
  public var bytes = 0
  public var reservedBytes = 0
  public var capacity = 0
  public var evictions: UInt64 = 0
  public var flights = 0
}

/// The memory tier with collapsed forwarding and purge fences.
public final class Store: Sendable {
  private struct State: Sendable {
    var memory: MemoryShard
    var flights: [KeyHash: [Flight]] = [:]
    var hitForMiss: HitForMiss
  }

  private final class Shard: Sendable {
    let state: Mutex<State>

    init(limits: StoreLimits) {
      state = Mutex(
        State(
          memory: MemoryShard(capacity: limits.memory / limits.shards),
          hitForMiss: HitForMiss(limit: limits.hitForMissKeys)))
    }
  }

  /// Bounds of this store.
  public let limits: StoreLimits
  /// What keys the hashes.
  public let secret: HashSecret
  /// The purges that were applied.
  public let purges = PurgeLog()
  private let shards: [Shard]

  /// An empty store.
  public init(limits: StoreLimits, secret: HashSecret) {
    self.limits = limits
    self.secret = secret
    shards = (0..<limits.shards).map { _ in Shard(limits: limits) }
  }

  private func shard(_ key: CacheKey) -> Shard {
    shards[Int(truncatingIfNeeded: key.hash.high) & (shards.count - 1)]
  }

  // MARK: Lookup

  /// What is stored for a key, as far as a request's fields select it.
  public enum Found: Sendable {
    /// This one is selected.
    case selected(StoredResponse)
    /// Others are stored for the URI (RFC 9211 `vary-miss`).
    case otherVariants
    /// Nothing is stored for the URI.
    case nothing
  }

  /// Finds the newest stored response that the request's fields select. O(variants).
  public func find(_ key: CacheKey, request: FieldSection) -> Found {
    shard(key).state.withLock { Self.find(&$0, key, request, purges) }
  }

  private static func find(
    _ state: inout State, _ key: CacheKey, _ request: FieldSection, _ purges: PurgeLog
  ) -> Found {
    var hasOthers = false
    let found = state.memory.find(key, purges: purges) { response in
      guard response.key.scheme == key.scheme else { return false }
      if response.selector.isAny || response.selector.matches(request) { return true }
      hasOthers = true
      return false
    }
    if let found { return .selected(found) }
    return hasOthers ? .otherVariants : .nothing
  }

  // MARK: Flights

  /// Leads or follows for a request that `stale` (or nothing) was found for.
  ///
  /// Looks again under the same lock, so that of any number of requests at once exactly one leads,
  /// and so that nothing is validated that was purged after it was found: the answer would bring it
  /// back into the store.
  /// `wake` is called, from any thread, when a followed flight has news. Keys that are hit-for-miss
  /// and requests that must not wait (`alone`) get a flight that nobody else can join.
  public func plan(
    _ key: CacheKey, request: FieldSection, stale: StoredResponse?, alone: Bool, now: Instant,
    wake: @escaping @Sendable () -> Void
  ) -> FlightPlan {
    shard(key).state.withLock { state in
      var present: StoredResponse?
      if case .selected(let response) = Self.find(&state, key, request, purges) {
        if response !== stale, response.freshness.isFresh(now) { return .stored(response) }
        present = response
      }
      let isSolo = alone || state.hitForMiss.contains(key, now: now)
      if !isSolo, let flights = state.flights[key.hash] {
        for flight in flights
        where flight.key == key && !purges.isPurged(key, since: flight.sequence)
          && flight.mayJoin(request, now: now)
        {
          if let reader = flight.subscribe(wake) { return .follow(flight, reader, stale: present) }
        }
      }
      let flight = Flight(
        key: key, sequence: purges.head,
        hint: Self.hint(&state, key, request, stale: present, purges), isSolo: isSolo,
        limits: limits)
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
    let sibling = state.memory.find(key, purges: purges) { $0.key.scheme == key.scheme }
    if let sibling { return sibling.selector.reselected(for: request) }
    for flight in state.flights[key.hash] ?? [] where flight.key == key {
      if let selector = flight.selector { return selector.reselected(for: request) }
    }
    return .any
  }

  /// True unless a purge or an unsafe request has come since the flight left, after which nothing
  /// from before may stand in for its response.
  public func isUntouched(_ flight: Flight) -> Bool {
    flight.refusal == nil && !purges.isPurged(flight.key, since: flight.sequence)
  }

  /// Adds content to a flight and keeps it within the budget. O(chunk).
  public func append(_ chunk: ByteBuffer, to flight: Flight, fill: inout Fill) -> FillStep {
    if flight.refusal == nil {
      let total = flight.received + chunk.readableBytes
      if total > limits.largestResponse {
        refuse(flight, .tooLarge, fill: &fill)
      } else if let length = fill.expectedLength, total > length {
        refuse(flight, .incomplete, fill: &fill)
      } else if !reserve(max(total, fill.expectedLength ?? 0), flight, fill: &fill) {
        refuse(flight, .full, fill: &fill)
      }
    }
    return flight.append(chunk.compacted())
  }

  private func reserve(_ bytes: Int, _ flight: Flight, fill: inout Fill) -> Bool {
    // What is on its way is counted with the room its chunks may waste.
    let wanted = StoredResponse.overhead + bytes + bytes / 8
    guard wanted > fill.reserved else { return true }
    let more = wanted - fill.reserved
    guard shard(flight.key).state.withLock({ $0.memory.reserve(more) }) else { return false }
    fill.reserved = wanted
    return true
  }

  private func refuse(_ flight: Flight, _ refusal: StorageRefusal, fill: inout Fill) {
    flight.refuse(refusal)
    let reserved = fill.reserved
    fill.reserved = 0
    if reserved > 0 { shard(flight.key).state.withLock { $0.memory.release(reserved) } }
  }

  /// Completes a flight: stores its response in the place of `stale`, unless that has become
  /// impossible, and lets its readers finish. Returns why it was not stored.
  @discardableResult
  public func complete(
    _ flight: Flight, head: FlightHead, replacing stale: StoredResponse?, fill: inout Fill,
    isHashedURL: Bool, now: Instant
  ) -> StorageRefusal? {
    if let length = fill.expectedLength, flight.received != length {
      close(flight, hitForMiss: false, fill: &fill, now: now)
      flight.truncate()
      return .incomplete
    }
    defer { flight.complete() }
    guard let content = flight.takeContent() else {
      let refusal = flight.refusal ?? .full
      close(flight, hitForMiss: refusal == .tooLarge, fill: &fill, now: now)
      return refusal
    }
    let response = StoredResponse(
      key: flight.key, selector: head.selector, head: head.head, freshness: head.freshness,
      content: content, isHashedURL: isHashedURL)
    return put(response, replacing: stale, flight: flight, fill: &fill, now: now)
  }

  /// Puts the outcome of a validation in the place of `stale` and hands it to the followers.
  /// Returns why it was not stored.
  public func freshen(
    _ flight: Flight, stale: StoredResponse, with response: StoredResponse, now: Instant
  ) -> StorageRefusal? {
    var fill = Fill()
    let refusal = put(response, replacing: stale, flight: flight, fill: &fill, now: now)
    if refusal == nil, response.freshness.isFresh(now) {
      flight.resolve(response)
    } else {
      // It is good for the request that asked, and for no other (RFC 9111 §4).
      flight.scatter(refusal ?? .notReusable)
    }
    return refusal
  }

  private func put(
    _ response: StoredResponse, replacing stale: StoredResponse?, flight: Flight,
    fill: inout Fill, now: Instant
  ) -> StorageRefusal? {
    let reserved = fill.reserved
    fill.reserved = 0
    let cost = response.cost
    return shard(flight.key).state.withLock { state in
      state.memory.release(reserved)
      Self.forget(flight, &state)
      if let refusal = flight.refusal { return refusal }
      if purges.isPurged(flight.key, since: flight.sequence) { return .purged }
      // Taken out first: what is replaced makes room for what replaces it.
      _ = state.memory.removeAll(response.key) {
        $0 === stale || ($0.key.scheme == response.key.scheme && $0.selector == response.selector)
      }
      guard Self.makeVariantRoom(&state, for: response, limits: limits, now: now) else {
        return .variantLimit
      }
      guard state.memory.reserve(cost) else { return .full }
      state.memory.insert(response, cost: cost, stamp: flight.sequence)
      state.hitForMiss.clear(flight.key)
      return nil
    }
  }

  /// True if there is room for one more variant, after stale ones gave way.
  private static func makeVariantRoom(
    _ state: inout State, for response: StoredResponse, limits: StoreLimits, now: Instant
  ) -> Bool {
    var variants = 0
    var all = 0
    _ = state.memory.removeAll(response.key) { other in
      all += 1
      if other.key.scheme == response.key.scheme { variants += 1 }
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
    // Other ports and schemes of the host: forged Host fields must not crowd out the real one.
    return state.memory.removeAll(response.key) { $0.key.scheme != response.key.scheme }.count > 0
  }

  /// Ends a flight whose response is not stored, and gives back what it had reserved. With
  /// `hitForMiss` the next requests for the key will not wait for each other.
  public func close(_ flight: Flight, hitForMiss: Bool, fill: inout Fill, now: Instant) {
    let reserved = fill.reserved
    fill.reserved = 0
    shard(flight.key).state.withLock { state in
      state.memory.release(reserved)
      Self.forget(flight, &state)
      if hitForMiss {
        state.hitForMiss.mark(
          flight.key, until: now.adding(seconds: limits.hitForMiss), now: now)
      }
    }
  }

  private static func forget(_ flight: Flight, _ state: inout State) {
    guard var flights = state.flights[flight.key.hash] else { return }
    flights.removeAll { $0 === flight }
    state.flights[flight.key.hash] = flights.isEmpty ? nil : flights
  }

  // MARK: Purge and invalidation

  /// Applies a purge. When it returns, no lookup on any thread finds what it covers, and nothing
  /// that was on its way will be stored. O(variants) for a URL, O(shards) for everything.
  public func purge(_ scope: PurgeScope) -> Removal {
    let sequence = purges.append(scope)
    switch scope {
    case .url(let key):
      let removed = shard(key).state.withLock { $0.memory.removeAll(key) }
      trimPurges()
      return Removal(sequence: sequence, count: removed.count, bytes: removed.bytes)
    case .everything:
      var removal = Removal(sequence: sequence, count: 0, bytes: 0)
      for shard in shards {
        let content = shard.state.withLock { $0.memory.evacuate() }
        removal.count += content.count
        removal.bytes += content.bytes
      }
      return removal
    }
  }

  /// Removes what an unsafe request made unusable (RFC 9111 §4.4), and keeps what is on its way for
  /// the same key from being stored or joined. O(variants).
  ///
  /// Not a purge: a sequence number for each POST would make every hit consult the purge index.
  public func invalidate(_ key: CacheKey) {
    shard(key).state.withLock { state in
      _ = state.memory.removeAll(key) { $0.key.scheme == key.scheme }
      for flight in state.flights[key.hash] ?? [] where flight.key == key {
        flight.refuse(.invalidated)
      }
    }
  }

  /// Removes one stored response, if it is still there.
  public func remove(_ response: StoredResponse) {
    shard(response.key).state.withLock { state in
      _ = state.memory.removeAll(response.key) { $0 === response }
    }
  }

  /// Purged URLs are remembered only for the sake of flights that are older than the purge.
  private func trimPurges() {
    guard purges.isTrimDue else { return }
    var oldest = purges.head
    for shard in shards {
      shard.state.withLock { state in
        for flights in state.flights.values {
          for flight in flights { oldest = min(oldest, flight.sequence) }
        }
      }
    }
    purges.trim(through: oldest)
  }

  /// The counters of all shards, added up when asked. O(shards).
  public var statistics: StoreStatistics {
    var sum = StoreStatistics()
    for shard in shards {
      shard.state.withLock { state in
        sum.responses += state.memory.count
        sum.bytes += state.memory.used
        sum.reservedBytes += state.memory.reserved
        sum.capacity += state.memory.capacity
        sum.evictions += state.memory.evictions
        for flights in state.flights.values { sum.flights += flights.count }
      }
    }
    return sum
  }
}

/// What a flight has reserved in the budget; kept by the one that fills it.
public struct Fill: Sendable {
  /// The length that the upstream gave.
  public var expectedLength: Int?
  var reserved = 0

  /// A fill of a response with that length, if it is known.
  public init(expectedLength: Int? = nil) {
    self.expectedLength = expectedLength
  }
}

extension ByteBuffer {
  /// This chunk in memory of about its own size: a slice of a receive buffer would keep all of it.
  func compacted() -> ByteBuffer {
    if readableBytes * 2 > storageCapacity { return self }
    var copy = ByteBufferAllocator().buffer(capacity: readableBytes)
    copy.writeImmutableBuffer(self)
    return copy
  }
}
