// The answer of `POST /purge`. What decides what is removed (the request, in PurgeRequest.swift) is
// read strictly. What only reports (this and the other replies) is read leniently, so that a newer
// PoP can tell an older client more than it knows.

/// A PoP's answer to a purge: from now on it serves nothing that the purge took.
public struct PurgeAcknowledgement: Codable, Sendable, Hashable {
  /// The id of the PoP.
  public var pop: String
  /// The name of the purge in the fleet; nil of one that was only tried.
  public var id: String?
  /// The number of the purge in the PoP's purge log.
  public var sequence: UInt64
  /// When it was applied, in milliseconds since 1970.
  public var appliedAt: Int64?
  /// How many stored responses it takes.
  public var matched: Int
  /// How many bytes of memory they occupy that are freed, at once or in the background.
  public var freedBytes: Int
  /// True if the two were judged by a sample.
  public var estimated: Bool?
  /// True if it takes at least so many: how many there are on disk alone is found out when they are read.
  public var atLeast: Bool?
  /// True if the PoP had applied it before.
  public var repeated: Bool?
  /// Where it covers more than was written, as sentences.
  public var widened: [String]?
  /// What is probably a mistake, as sentences.
  public var warnings: [String]?
  /// What proves that the PoP said so.
  public var receipt: String?

  /// An acknowledgement of these parts.
  public init(
    pop: String, id: String? = nil, sequence: UInt64, appliedAt: Int64? = nil, matched: Int,
    freedBytes: Int, estimated: Bool? = nil, atLeast: Bool? = nil, repeated: Bool? = nil,
    receipt: String? = nil
  ) {
    (self.pop, self.id, self.sequence, self.appliedAt) = (pop, id, sequence, appliedAt)
    (self.matched, self.freedBytes, self.estimated) = (matched, freedBytes, estimated)
    (self.atLeast, self.repeated, self.receipt) = (atLeast, repeated, receipt)
  }

  /// The body of a reply.
  public var json: [UInt8] { JSONForm.line.bytes(self) }
}

extension PurgeAcknowledgement {
  /// How sure ``matched`` is, to be written before it: empty, `at least `, `about ` or `at least about `.
  public var sureness: String {
    (atLeast == true ? "at least " : "") + (estimated == true ? "about " : "")
  }
}
