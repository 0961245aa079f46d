// The same question to many PoPs at once. Nothing depends on the answers but what a person reads,
// so each PoP is asked once: whoever wants to know again asks again.

import NIOCore
import NIOPosix
import NIOSSL

/// Asks many PoPs in parallel what they would do with a request.
public struct ExplainFanOut: Sendable {
  /// What one PoP said.
  public struct Result: Sendable, Hashable {
    /// The PoP.
    public let target: PurgeFanOut.Target
    /// Its report, or why there is none.
    public let outcome: Swift.Result<ExplainReport, AdminClientError>
    /// From the question to its answer.
    public let elapsed: Duration
  }

  /// The PoPs that are asked.
  public let targets: [PurgeFanOut.Target]
  private let token: AdminToken?
  private let timeout: Duration
  private let tls: NIOSSLContext?
  private let group: any EventLoopGroup

  /// A fan-out to `targets`, each of which has `timeout` to answer.
  public init(
    targets: [PurgeFanOut.Target], token: AdminToken?, tls: NIOSSLContext? = nil,
    timeout: Duration,
    group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
  ) {
    (self.targets, self.token, self.timeout, self.group) = (targets, token, timeout, group)
    self.tls = tls
  }

  /// Asks every target and returns what they said, in the order of the targets.
  public func ask(_ query: ExplainQuery) async -> [Result] {
    await targets.mapInParallel { await ask(query, $0) }
  }

  private func ask(_ query: ExplainQuery, _ target: PurgeFanOut.Target) async -> Result {
    let start = ContinuousClock.now
    let client = AdminClient(endpoint: target.admin, token: token, tls: tls, group: group)
    let outcome: Swift.Result<ExplainReport, AdminClientError>
    do throws(AdminClientError) {
      let report = try await client.explain(query, timeout: timeout)
      if let pop = target.pop, pop != report.pop { throw .wrongPoP(report.pop) }
      outcome = .success(report)
    } catch {
      outcome = .failure(error)
    }
    return Result(target: target, outcome: outcome, elapsed: .now - start)
  }
}
