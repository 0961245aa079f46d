import EdgeCache
import Logging
import NIOCore

/// What the admin API does its work with.
struct AdminService: Sendable {
  let popID: String
  let store: Store
  let purges: PurgeService
  let gate: AdminGate
  let explainer: Explainer
  let started: Instant
  let logger: Logger
  let statistics: @Sendable () -> EventLoopFuture<Statistics>
  let life: Life
}
