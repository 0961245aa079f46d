// Refusals of the admin API are JSON too, so that a client need not tell bodies apart.

/// The body of every answer of the admin API that is not a success.
public struct AdminRefusal: Codable, Sendable, Hashable {
  /// What was wrong, for people.
  public let error: String
  /// True of a purge that was applied all the same, and is not certain to last, or to be told to others.
  public let applied: Bool?

  /// A refusal because of `error`.
  public init(error: String, applied: Bool? = nil) {
    (self.error, self.applied) = (error, applied)
  }

  /// The body of a reply.
  public var json: [UInt8] { JSONForm.line.bytes(self) }
}
