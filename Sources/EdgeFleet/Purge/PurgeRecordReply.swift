// The answer about one purge, for whoever wants to know what became of it.

/// A PoP's answer to `GET /purges/ID`: when it applied that purge, and what that took.
public struct PurgeRecordReply: Codable, Sendable, Hashable {
  /// The id of the PoP.
  public var pop: String
  /// The name of the purge.
  public var id: String
  /// Its number in the PoP's purge log.
  public var sequence: UInt64
  /// When it was applied, in milliseconds since 1970.
  public var appliedAt: Int64
  /// What was ordered.
  public var order: String
  /// How many stored responses it is known to have taken so far.
  public var matched: Int
  /// How many bytes of memory that freed.
  public var freedBytes: Int

  /// A reply of these parts.
  public init(
    pop: String, id: String, sequence: UInt64, appliedAt: Int64, order: String, matched: Int,
    freedBytes: Int
  ) {
    (self.pop, self.id, self.sequence, self.appliedAt) = (pop, id, sequence, appliedAt)
    (self.order, self.matched, self.freedBytes) = (order, matched, freedBytes)
  }

  /// The body of a reply.
  public var json: [UInt8] { JSONForm.line.bytes(self) }
}
