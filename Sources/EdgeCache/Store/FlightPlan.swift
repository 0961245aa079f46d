// What the store is asked for and what it answers, as values.

/// What was done by a purge or an invalidation.
public struct Removal: Sendable, Hashable {
  /// Sequence number of the purge.
  public var sequence: UInt64
  /// Number of stored responses removed.
  public var count: Int
  /// Bytes that they took.
  public var bytes: Int
  /// True if the two were judged by a sample.
  public var isSample = false
  /// True if there may be more, in the tier below memory.
  public var isAtLeast = false
  /// False if it had been applied before.
  public var isNew: Bool

  /// A removal from its parts.
  public init(sequence: UInt64, count: Int = 0, bytes: Int = 0, isNew: Bool = true) {
    self.sequence = sequence
    self.count = count
    self.bytes = bytes
    self.isNew = isNew
  }

  mutating func add(_ estimate: PurgeEstimate) {
    count += estimate.count
    bytes += estimate.bytes
    isSample = isSample || estimate.isSample
    isAtLeast = isAtLeast || estimate.isAtLeast
  }

  mutating func add(_ other: Removal) {
    count += other.count
    bytes += other.bytes
    isSample = isSample || other.isSample
    isAtLeast = isAtLeast || other.isAtLeast
  }
}

/// How much something covers.
public struct PurgeEstimate: Sendable, Hashable {
  /// Number of stored responses.
  public var count = 0
  /// Bytes that they take in memory.
  public var bytes = 0
  /// True if not all were looked at.
  public var isSample = false
  /// True if there may be more, in the tier below memory.
  public var isAtLeast = false

  /// An estimate from its parts.
  public init(count: Int = 0, bytes: Int = 0) {
    self.count = count
    self.bytes = bytes
  }

  mutating func add(_ other: PurgeEstimate) {
    count += other.count
    bytes += other.bytes
    isSample = isSample || other.isSample
    isAtLeast = isAtLeast || other.isAtLeast
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
  /// Somebody else is on the way already, and that was all that was wanted.
  case underWay
}

/// How a request may share a flight.
public struct FlightTerms: Sendable, Hashable {
  /// It may wait for a flight that has left.
  public var mayFollow = true
  /// Others may wait for its flight.
  public var mayBeFollowed = true
  /// A response that came into the store in between will do.
  public var takesStored = true
  /// The value of `Range`, if that goes upstream: those who ask for the same may share its flight, and no others.
  public var range: [UInt8]?
  /// It is nobody's request: one flight for the key, whoever leads it, is enough.
  public var isBackground = false

  /// The terms of a request that shares whatever can be shared.
  public static let shared = FlightTerms()

  /// The terms of a request that neither waits for others nor is waited for.
  public static let alone: FlightTerms = {
    var terms = FlightTerms()
    terms.mayFollow = false
    terms.mayBeFollowed = false
    return terms
  }()
}
