import EdgeSocket
import Synchronization

// What is known of names is in a table behind a lock, so that an event loop which asks for what is known goes on
// at once, on its own thread. Whatever has to be asked of others is asked on a thread of the resolver's own,
// because c-ares reads /etc/hosts and /etc/resolv.conf, and a disk may be stuck. The lock is never held meanwhile.

/// Looks names up, and keeps what it has learned.
public final class NameResolver: Sendable {
  /// What there is to say of a name: its addresses with port 0 in the order of preference, or why there are none.
  public typealias Outcome = Result<[InternetAddress], LookupProblem>
  /// Who waits for that.
  public typealias Completion = @Sendable (Outcome) -> Void

  private let shared: Shared
  private let engine: Confined<NameEngine>

  /// What event loops and the resolver's thread have in common.
  final class Shared: Sendable {
    let table: Mutex<NameTable<Completion>>
    /// Tells the operator.
    let tell: @Sendable (NameNotice) -> Void

    init(_ limits: NameLimits, tell: @escaping @Sendable (NameNotice) -> Void) {
      table = Mutex(NameTable(limits: limits))
      self.tell = tell
    }
  }

  private init(_ shared: Shared, _ engine: Confined<NameEngine>) {
    (self.shared, self.engine) = (shared, engine)
  }

  /// Starts a resolver on a thread of its own, which ends with ``stop()``. `servers` are addresses of name servers
  /// with their ports, `192.0.2.1:53` or `[2001:db8::1]:53`; none stands for those of the system. `tell` is called on
  /// that thread.
  ///
  /// Throws ``EdgeSocket/ReactorProblem``.
  public static func start(
    servers: [String] = [], tell: @escaping @Sendable (NameNotice) -> Void = { _ in }
  ) async throws -> NameResolver {
    var settings = DNSSettings()
    if !servers.isEmpty { settings.servers = servers.joined(separator: ",") }
    return try await start(settings, tell: tell)
  }

  /// Starts one with limits of its own.
  static func start(
    _ settings: DNSSettings, limits: NameLimits = NameLimits(),
    tell: @escaping @Sendable (NameNotice) -> Void = { _ in }
  ) async throws -> NameResolver {
    let shared = Shared(limits, tell: tell)
    let engine = try await Reactor.start(name: "edge-names") { reactor in
      NameEngine(settings, limits: limits, shared: shared, reactor: reactor)
    }
    return NameResolver(shared, engine)
  }

  /// The addresses of a name if they are known, or why there are none; nil if it has to be looked up: then
  /// `completion` is told later, on the resolver's thread, once. From any thread.
  public func resolve(_ name: String, completion: @escaping Completion) -> Outcome? {
    let asked = shared.table.withLock {
      $0.ask(name, now: Monotonic.coarse(), waiter: completion)
    }
    if let number = asked.begins { begin(name, number) }
    return asked.outcome
  }

  /// Connections to the addresses of a name have failed: it may have moved. From any thread.
  public func doubt(_ name: String) {
    let number = shared.table.withLock { $0.doubt(name, now: Monotonic.coarse()) }
    if let number { begin(name, number) }
  }

  /// If the thread has ended by now, the table has told whoever waited.
  private func begin(_ name: String, _ number: UInt64) {
    engine.mailbox.execute { [engine] in engine.value.begin(name, number) }
  }

  /// What was counted. O(names).
  public var statistics: NameStatistics { shared.table.withLock { $0.statistics } }

  /// What names could not be looked up the last time, in sentences. O(names).
  public var problems: [String] {
    shared.table.withLock { $0.failing }.map { name, problem, isKnown in
      problem.described(name) + (isKnown ? "; what was known before is used" : "")
    }
  }

  /// Ends the thread. Whoever waits is told that nothing comes.
  public func stop() async {
    await engine.run { $0.stop() }
  }
}
