// Before the first request is sent, everything is known that can be wrong with it.

/// Something about the command line, the environment or a file that prevents a request.
struct WrongUse: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
