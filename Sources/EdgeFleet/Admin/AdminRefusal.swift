// Refusals of the admin API are JSON too, so that a client need not tell bodies apart.

/// The body of every answer of the admin API that is not a success.
public struct AdminRefusal: Codable, Sendable, Hashable {
  /// What was wrong, for people.
  public let error: String

  /// A refusal because of `error`.
  public init(error: String) { self.error = error }

  /// The body of a reply.
  public var json: [UInt8] { JSONForm.line.bytes(self) }
}
