/// When what happened of a request that went upstream, on the time line in microseconds; 0 where it has not.
struct UpstreamTimes {
  /// Index of the upstream that got the request; negative if none did.
  var upstream = -1
  /// When the request first was to go upstream.
  var began: Int64 = 0
  /// When the connection began to be made on which it went, if one had to be.
  var connecting: Int64 = 0
  var connected: Int64 = 0
  var sent: Int64 = 0
  var answered: Int64 = 0
  var ended: Int64 = 0

  /// How long it took to make the connection; nil if there was one.
  var connect: Int64? { connected == 0 ? nil : connected - connecting }
  /// From the request to the head of its response.
  var firstByte: Int64? { answered == 0 || sent == 0 ? nil : answered - sent }
  /// From the decision to ask to the end of the response, or until now.
  func total(until now: Int64) -> Int64? {
    began == 0 ? nil : (ended == 0 ? now : ended) - began
  }
}
