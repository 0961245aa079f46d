// What PoPs ask each other, so that one that was away learns what it missed.

/// A PoP's answer to `GET /purges?epoch=E&after=N`: what it applied since.
public struct PurgeJournalReply: Codable, Sendable, Hashable {
  /// One purge.
  public struct Entry: Codable, Sendable, Hashable {
    /// Its name in the fleet.
    public var id: String
    /// Its number there.
    public var sequence: UInt64
    /// When it was applied there, in milliseconds since 1970.
    public var appliedAt: Int64
    /// What was ordered.
    public var order: String

    /// An entry of these parts.
    public init(id: String, sequence: UInt64, appliedAt: Int64, order: String) {
      (self.id, self.sequence, self.appliedAt, self.order) = (id, sequence, appliedAt, order)
    }
  }

  /// The id of the PoP.
  public var pop: String
  /// Which list this is: another one after the PoP lost its own. As text, for JSON has no such numbers.
  public var epoch: String
  /// Where the reader is when it has applied these.
  public var sequence: UInt64
  /// True if there are more behind them.
  public var more: Bool
  /// True if something may be missing before them.
  public var gap: Bool
  /// True if the PoP knows all that was purged, as far as it knows.
  public var synced: Bool
  /// The purges, in the order in which they were applied there.
  public var entries: [Entry]

  /// A reply of these parts.
  public init(
    pop: String, epoch: UInt64, sequence: UInt64, more: Bool, gap: Bool, synced: Bool,
    entries: [Entry]
  ) {
    self.pop = pop
    self.epoch = "\(epoch)"
    (self.sequence, self.more, self.gap) = (sequence, more, gap)
    (self.synced, self.entries) = (synced, entries)
  }

  /// The body of a reply.
  public var json: [UInt8] { JSONForm.line.bytes(self) }
}
