/// How long a PoP and its successor wait for each other, and what they listen to. How long a successor may take until it
/// serves is not here: that is the `drainTimeout` of the PoP that it follows.
struct HandOverLimits: Sendable {
  /// Until the other process has said something that needs no waiting: a question, or an answer to one.
  var question: Duration = .seconds(5)
  /// Bytes of a question, or an answer.
  var questionLength = 16 << 10
  /// Processes that ask while another one takes over, and wait to hear how that ends.
  var askers = 16
  /// Until it is told that a successor does not serve yet.
  var notable: Duration = .seconds(5)
  /// From the moment that a successor can serve until the PoP before it lets in nobody any more.
  var acknowledgement: Duration = .seconds(10)
  /// What the PoP before may take beyond the time that it said.
  var grace: Duration = .seconds(2)

  /// Those of every hand-over; both sides need the same.
  static let standard = HandOverLimits()
}

extension Duration {
  /// In whole milliseconds, as far as they can be told so.
  var milliseconds: Int { Int(clamping: nanoseconds / 1_000_000) }
}
