import EdgeSocket

/// What came of looking a name up.
enum NameAnswer: Sendable, Equatable {
  /// Its addresses in the order of preference, and for how long they hold, in nanoseconds.
  case addresses([InternetAddress], lifetime: Int64)
  /// Why there are none. Of these ``EdgeSocket/LookupProblem/noAddress`` alone is an answer.
  case problem(LookupProblem)
}

/// What came of asking for the addresses of one family.
enum FamilyAnswer: Sendable, Equatable {
  /// The addresses, and for how long they hold, in seconds.
  case addresses([InternetAddress], seconds: Int)
  /// There is no such name, or it has none of this family: who knows says so.
  case none
  case problem(LookupProblem)
}

/// The families of addresses.
enum AddressFamily: Sendable, CaseIterable {
  case ipv4, ipv6
}

/// What an operator is told of a name.
public enum NameNotice: Sendable, Hashable {
  /// Name servers fail, and what they said before is used.
  case fails(String, LookupProblem)
  /// Name servers answer again.
  case answers(String)
}

/// What a PoP counts of names.
public struct NameStatistics: Codable, Sendable, Equatable {
  /// Look-ups that were begun, those before an answer ended among them.
  public var lookups: UInt64 = 0
  /// Look-ups that brought no address.
  public var failures: UInt64 = 0
  /// Connections that were begun with addresses past their lifetime, for name servers failed.
  public var staleUses: UInt64 = 0
  /// Names that are kept at present.
  public var kept = 0
  /// Of those, how many could not be looked up the last time.
  public var failing = 0

  /// Nothing yet.
  public init() {}
}
