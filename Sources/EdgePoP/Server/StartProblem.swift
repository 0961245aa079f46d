/// The PoP could not be started.
public struct StartProblem: Error, CustomStringConvertible {
  /// What was tried, why it failed and how to mend it.
  public let description: String

  init(_ description: String) {
    self.description = description
  }
}
