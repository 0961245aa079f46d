import NIOPosix

/// Runs blocking work on a thread that nobody else waits for. The pools that are shared have two
/// threads on a small machine: a client that blocks there keeps the server from answering it.
func onOwnThread<Value: Sendable>(
  _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
  let pool = NIOThreadPool(numberOfThreads: 1)
  pool.start()
  let value: Value
  do {
    value = try await pool.runIfActive(body)
  } catch {
    try await pool.shutdownGracefully()
    throw error
  }
  try await pool.shutdownGracefully()
  return value
}
