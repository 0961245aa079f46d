// The messages of the admin API, in one place for the PoP that answers and the client that asks.
// What decides what is removed (the request, in PurgeRequest.swift) is read strictly. What only reports (the
// replies) is read leniently, so that a newer PoP can tell an older client more than it knows.

import FoundationEssentials

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
  /// True if the PoP had applied it before.
  public var repeated: Bool?
  /// What proves that the PoP said so.
  public var receipt: String?

  /// An acknowledgement of these parts.
  public init(
    pop: String, id: String? = nil, sequence: UInt64, appliedAt: Int64? = nil, matched: Int,
    freedBytes: Int, estimated: Bool? = nil, repeated: Bool? = nil, receipt: String? = nil
  ) {
    (self.pop, self.id, self.sequence, self.appliedAt) = (pop, id, sequence, appliedAt)
    (self.matched, self.freedBytes, self.estimated) = (matched, freedBytes, estimated)
    (self.repeated, self.receipt) = (repeated, receipt)
  }

  /// The body of a reply.
  public var json: [UInt8] { jsonBytes(self) }
}

/// How far a PoP knows what was purged in its fleet.
public struct PurgeSyncReport: Codable, Sendable, Hashable {
  /// `synced`, `catching-up` after a start, or `unsynced` if it gave up waiting for others.
  public var state: String
  /// The name of the newest purge of the fleet that it has applied.
  public var newest: String?
  /// When it applied that, in milliseconds since 1970.
  public var appliedAt: Int64?
  /// Number of purges of the last 7 days that it knows.
  public var known: Int
  /// The PoPs that could not be asked the last time.
  public var unreachable: [String]?

  /// A report of these parts.
  public init(
    state: String, newest: String? = nil, appliedAt: Int64? = nil, known: Int,
    unreachable: [String]? = nil
  ) {
    (self.state, self.newest, self.appliedAt) = (state, newest, appliedAt)
    (self.known, self.unreachable) = (known, unreachable)
  }
}

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
  public var json: [UInt8] { jsonBytes(self) }
}

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
  public var json: [UInt8] { jsonBytes(self) }
}

/// A PoP's answer to `GET /health`.
public struct HealthReport: Codable, Sendable, Hashable {
  /// `ok` when the PoP serves clients.
  public let status: String
  /// The id of the PoP.
  public let pop: String
  /// The version of EdgeCache it runs.
  public let version: String
  /// For how long it has been running.
  public let uptimeSeconds: Int
  /// The number of the last purge it applied; 0 before the first.
  public let sequence: UInt64
  /// How far it knows what was purged in its fleet.
  public let purges: PurgeSyncReport?

  /// A report of these parts.
  public init(
    status: String = "ok", pop: String, version: String = Release.version, uptimeSeconds: Int,
    sequence: UInt64, purges: PurgeSyncReport? = nil
  ) {
    self.purges = purges
    (self.status, self.pop, self.version) = (status, pop, version)
    (self.uptimeSeconds, self.sequence) = (uptimeSeconds, sequence)
  }

  /// The body of a reply.
  public var json: [UInt8] { jsonBytes(self) }
}

/// The body of every answer of the admin API that is not a success.
public struct AdminRefusal: Codable, Sendable, Hashable {
  /// What was wrong, for people.
  public let error: String

  /// A refusal because of `error`.
  public init(error: String) { self.error = error }

  /// The body of a reply.
  public var json: [UInt8] { jsonBytes(self) }
}

extension ConfigurationError.Problem {
  /// The path and the reason, without the name of a file.
  var text: String {
    guard case .path(let path) = place, !path.isEmpty else { return reason }
    return "\(path): \(reason)"
  }
}

/// The JSON of a message: keys in order and slashes as they are, so that it reads well in a shell.
func jsonBytes(_ message: some Encodable) -> [UInt8] {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  guard let data = try? encoder.encode(message) else {
    preconditionFailure("messages hold only strings, integers and truth values")
  }
  return Array(data)
}
