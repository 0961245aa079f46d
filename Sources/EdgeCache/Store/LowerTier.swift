/// What something is read from the tier below memory for.
public enum ReadPurpose: Sendable {
  /// To be sent once.
  case sending
  /// To be kept in memory, too.
  case keeping
  /// The request wants it validated, or younger than it may be: what comes of that is put into memory.
  case validating
}

/// The tier below memory, as the store speaks to it. Nothing here waits for a disk, for the store calls it
/// under its locks, so that whatever happens to a key happens in one order in both tiers.
public protocol LowerTier: Sendable {
  /// True if something may be stored for an identity.
  func mayHave(_ hash: KeyHash) -> Bool
  /// A response came into memory whose request left when `stamp` was the newest purge. What was stored for
  /// the same requests has become unusable. With `pieces` its content is in these, and they are kept all or none.
  func stored(_ response: StoredResponse, pieces: [StoredResponse], stamp: UInt64)
  /// The same, of one that an upstream confirmed. It need not be written again if what is stored may be believed.
  func confirmed(_ response: StoredResponse, stamp: UInt64)
  /// What is stored for the same requests has become unusable, without a purge.
  func replaced(_ response: StoredResponse)
  /// All that is stored of an identity has become unusable, without a purge.
  func removed(_ hash: KeyHash)
  /// The purge with this number was published: what it covers is not to be found any more as it was, when
  /// this returns. Returns the number of stored responses that were taken out, as far as it is known.
  func purged(_ purge: Purge, sequence: UInt64) -> Int
  /// What tells the stored responses of an identity apart, of each some bits (``StoredResponse/variantMark``).
  func variantMarks(_ hash: KeyHash) -> [UInt16]
  /// Number of stored responses.
  var count: Int { get }
  /// The lowest stamp of anything that is stored, or on its way there.
  var oldestStamp: UInt64 { get }
  /// The same of what may still have been taken away by a purge of a prefix, a host or a name.
  var oldestUnswept: UInt64 { get }
  /// The lowest stamp of anything that is on its way there.
  var oldestPending: UInt64 { get }
}

extension LowerTier {
  /// None are known.
  public func variantMarks(_ hash: KeyHash) -> [UInt16] { [] }
  /// None are known.
  public var count: Int { 0 }
  /// Nothing need be done.
  public func confirmed(_ response: StoredResponse, stamp: UInt64) {}
}
