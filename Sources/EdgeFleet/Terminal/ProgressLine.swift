// For people at a terminal alone: what is overwritten makes no sense in a log.

/// A line on standard error that is overwritten by the next one.
public struct ProgressLine: Sendable {
  private let isShown: Bool

  /// A line that is only seen if `isShown`.
  public init(isShown: Bool) {
    self.isShown = isShown
  }

  /// Replaces the line; what does not fit on a narrow terminal is cut.
  public func show(_ text: String) {
    if isShown { writeToStandardError("\r\u{1B}[K\(text.prefix(78))") }
  }

  /// Removes the line.
  public func clear() {
    if isShown { writeToStandardError("\r\u{1B}[K") }
  }
}
