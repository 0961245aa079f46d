import EdgeCache
import EdgeFleet
import EdgeSocket
import Logging
import Synchronization

// Purges that were not carried out. Plug-ins seldom show what they are answered, so it is in the log, and counted.

/// Counts refused purges, and tells of them as often as anybody reads.
final class PurgeRefusals: Sendable {
  private struct State: Sendable {
    var counts: [Int: UInt64] = [:]
    /// Warnings that may still be written at once, and when that was so.
    var left = PurgeRefusals.atOnce
    var at = Int64.min
    /// Those that were not written since the last one.
    var suppressed: UInt64 = 0
  }

  /// Warnings that may be written at once; after that it is one a second.
  static let atOnce = 10.0

  private let logger: Logger
  private let state = Mutex(State())

  init(_ logger: Logger) { self.logger = logger }

  /// How many there were, by their status.
  var counts: [String: UInt64] {
    state.withLock { state in
      Dictionary(uniqueKeysWithValues: state.counts.map { ("\($0.key)", $0.value) })
    }
  }

  /// A purge was answered with `status`, and this sentence. O(bytes).
  func note(
    _ status: Int, _ reason: String, method: String, url: String, from client: String,
    at now: Int64 = Monotonic.coarse()
  ) {
    let suppressed: UInt64? = state.withLock { state in
      state.counts[status, default: 0] += 1
      let passed = state.at == .min ? 0 : Double(now - state.at) / 1e9
      state.at = now
      state.left = min(Self.atOnce, state.left + passed)
      guard state.left >= 1 else {
        state.suppressed += 1
        return nil
      }
      state.left -= 1
      defer { state.suppressed = 0 }
      return state.suppressed
    }
    guard let suppressed else { return }
    var metadata: Logger.Metadata = [
      "client": "\(Terminal.plain(client))", "method": "\(Terminal.plain(method))",
      "url": "\(Terminal.plain(String(url.prefix { $0 != "?" }.prefix(256))))",
      "status": "\(status)", "reason": "\(Terminal.plain(reason))",
    ]
    if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
    logger.warning("purge refused", metadata: metadata)
  }
}
