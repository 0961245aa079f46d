// What a program says before it ends early, and with which status.

/// Why the PoP does not start, for the person who started it.
struct Failure: Error {
  let lines: [String]
  let status: Int32

  init(_ line: String, status: Int32 = 1) {
    lines = [line]
    self.status = status
  }

  init(lines: [String]) {
    self.lines = lines
    status = 1
  }
}
