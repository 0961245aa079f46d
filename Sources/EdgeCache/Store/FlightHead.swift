/// What a flight's response head tells its readers.
public struct FlightHead: Sendable {
  /// The head as it will be stored.
  public let head: StoredHead
  /// Age and lifetime.
  public let freshness: Freshness
  /// What a request must have for this response to be its own.
  public let selector: VariantSelector
  /// The length of the content, if the upstream gave it.
  public let contentLength: Int?
  /// The head for the leader's own client, where fields of it are not kept (RFC 9111 §5.2.2.7).
  public var leadersHead: StoredHead?
  /// Which part of the content it is; nil for all of it.
  public var part: ContentPart?
  /// The names of trailer fields that may come behind the content (RFC 9110 §6.6.2).
  public var trailerNames: [UInt8]?
}
