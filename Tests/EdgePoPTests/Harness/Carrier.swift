import Testing

// Serving is the same whatever carries requests. Suites of serving so run twice, unchanged: over real
// sockets, and in memory with a client that is no socket (MemoryStream).

/// What carries the requests of a test.
enum Carrier: Sendable {
  case sockets
  case memory

  /// That of the present run of the present test.
  @TaskLocal static var current = Carrier.sockets
}

/// Runs each test of a suite with each carrier.
struct EachCarrier: SuiteTrait, TestTrait, TestScoping {
  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?,
    performing function: @Sendable () async throws -> Void
  ) async throws {
    try await function()
    try await Carrier.$current.withValue(.memory) { try await function() }
  }
}

extension Trait where Self == EachCarrier {
  /// Over sockets, and in memory.
  static var eachCarrier: Self { EachCarrier() }
}
