// Purges through a stream of Redis: who orders one appends it once, every PoP reads on from where it is, and says
// in another stream what it applied.
//
//   STREAM           id = the name of the purge; field `order`, and `id` where the name is another
//   STREAM:applied   field `purge`, `pop` and `ack`, what the PoP said of it
//   STREAM:pops      a hash: for each PoP the newest entry that it has durably applied

import EdgeCache
import FoundationEssentials
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// The purges of a fleet in a stream of Redis.
public final class PurgeStream: Sendable {
  /// A purge in the stream.
  public struct Entry: Sendable, Hashable {
    /// Where it is in the stream.
    public let place: PurgeID
    /// Its name.
    public let id: PurgeID
    /// What was ordered.
    public let order: [UInt8]
  }

  /// What follows a place in the stream.
  public struct Page: Sendable {
    /// Purges, in their order.
    public var entries: [Entry]
    /// Where the reader is behind them.
    public var place: PurgeID
    /// True if there may be more.
    public var isPartial: Bool
    /// True if something between the reader and the first entry may be gone.
    public var hasGap: Bool
    /// True if it is gone.
    public var hasForgotten = false
  }

  /// Entries that the stream is kept to, about.
  public static let mostEntries = 1_000_000
  private static let mostAcknowledgements = 500_000

  private let configuration: FleetConfiguration.PurgeBus
  private let group: any EventLoopGroup
  private let tls: NIOSSLContext?
  private let patience: Duration
  /// One for what may wait, and one for what must not wait behind it.
  private let kept = Mutex<[Use: RedisConnection]>([:])

  private enum Use: Sendable { case waiting, saying }

  /// A stream of which nothing is known yet. Throws if the authorities in the configuration cannot be read.
  public init(
    _ configuration: FleetConfiguration.PurgeBus, patience: Duration = .seconds(2),
    group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
  ) throws(ValueProblem) {
    (self.configuration, self.group, self.patience) = (configuration, group, patience)
    guard configuration.redis.isSecure else {
      tls = nil
      return
    }
    var tls = TLSConfiguration.makeClientConfiguration()
    do {
      if let path = configuration.ca {
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(path))
      }
      self.tls = try NIOSSLContext(configuration: tls)
    } catch {
      throw ValueProblem(
        configuration.ca ?? "", "cannot be read, or holds no certificates in PEM")
    }
  }

  // MARK: Ordering

  /// Appends a purge; returns its name, which is where it is in the stream unless it has one already.
  public func order(_ request: PurgeRequest) async throws(RedisError) -> PurgeID {
    var words = [
      "XADD", stream, "MAXLEN", "~", "\(Self.mostEntries)", "*", "order",
      String(decoding: request.message, as: UTF8.self),
    ]
    if let id = request.id { words += ["id", "\(id)"] }
    let reply = try await command(words)
    guard let place = reply.string.flatMap({ PurgeID($0) }) else { throw .unexpected }
    return request.id ?? place
  }

  /// Where the acknowledgements are at present, to read on from there.
  public func endOfAcknowledgements() async throws(RedisError) -> PurgeID {
    try await newest(applied)
  }

  /// What PoPs acknowledged behind a place, waiting up to `wait` for the first; and where to read on.
  public func acknowledgements(
    after place: PurgeID, wait: Duration
  ) async throws(RedisError) -> (found: [(purge: PurgeID, PurgeAcknowledgement)], next: PurgeID) {
    let reply = try await read(applied, after: place, count: 1000, wait: wait)
    var found: [(purge: PurgeID, PurgeAcknowledgement)] = []
    var next = place
    for (at, fields) in reply {
      next = at
      guard let purge = fields.value("purge")?.string.flatMap({ PurgeID($0) }),
        case .text(let json)? = fields.value("ack"),
        let acknowledgement = try? JSONDecoder().decode(
          PurgeAcknowledgement.self, from: Data(json))
      else { continue }
      found.append((purge, acknowledgement))
    }
    return (found, next)
  }

  // MARK: Following

  /// What follows a place; waits up to `wait` for it if there is nothing. Nil for `place` stands for somebody who
  /// wants nothing from before.
  public func page(
    after place: PurgeID?, count: Int, wait: Duration
  ) async throws(RedisError) -> Page {
    let state = try await state()
    guard let place else {
      return Page(entries: [], place: state.newest, isPartial: false, hasGap: true)
    }
    // Another Redis, or one that lost what it had.
    if state.newest < place {
      let page = try await entries(after: .zero, count: count, wait: .zero)
      return Page(
        entries: page.entries, place: page.entries.last?.place ?? .zero,
        isPartial: page.isPartial, hasGap: true, hasForgotten: true)
    }
    let isTrimmed =
      state.isTrimmed && place < state.newest && state.oldest.map { place < $0 } ?? true
    let page = try await entries(after: place, count: count, wait: wait)
    return Page(
      entries: page.entries, place: page.entries.last?.place ?? place, isPartial: page.isPartial,
      hasGap: isTrimmed, hasForgotten: isTrimmed)
  }

  /// Says what a PoP applied, and how far it is.
  public func acknowledge(
    _ acknowledgements: [PurgeAcknowledgement], upTo place: PurgeID, pop: String
  ) async throws(RedisError) {
    for acknowledgement in acknowledgements {
      _ = try await command([
        "XADD", applied, "MAXLEN", "~", "\(Self.mostAcknowledgements)", "*", "purge",
        acknowledgement.id ?? "", "pop", pop, "ack",
        String(decoding: acknowledgement.json, as: UTF8.self),
      ])
    }
    _ = try await command(["HSET", "\(stream):pops", pop, "\(place)"])
  }

  /// The newest entry that each PoP has applied.
  public func places() async throws(RedisError) -> [String: PurgeID] {
    let reply = try await command(["HGETALL", "\(stream):pops"])
    guard let elements = reply.elements else { throw .unexpected }
    var places: [String: PurgeID] = [:]
    for index in stride(from: 0, to: elements.count - 1, by: 2) {
      if let pop = elements[index].string {
        places[pop] = elements[index + 1].string.flatMap { PurgeID($0) }
      }
    }
    return places
  }

  // MARK: Reading

  private var stream: String { configuration.stream }
  private var applied: String { "\(stream):applied" }

  private struct State {
    var newest = PurgeID.zero
    var oldest: PurgeID?
    var isTrimmed = false
  }

  private func state() async throws(RedisError) -> State {
    let reply: RedisReply
    do throws(RedisError) {
      reply = try await command(["XINFO", "STREAM", stream])
    } catch {
      // There is none until somebody orders the first.
      if case .refused(let text) = error, text.contains("no such key") { return State() }
      throw error
    }
    var state = State()
    state.newest = reply.value("last-generated-id")?.string.flatMap { PurgeID($0) } ?? .zero
    state.oldest = reply.value("first-entry")?.elements?.first?.string.flatMap { PurgeID($0) }
    if case .integer(let length)? = reply.value("length") {
      // Before Redis 7 it does not say how many there were.
      if case .integer(let added)? = reply.value("entries-added") {
        state.isTrimmed = added > length
      } else {
        state.isTrimmed = true
      }
    }
    return state
  }

  private func newest(_ key: String) async throws(RedisError) -> PurgeID {
    let reply = try await command(["XREVRANGE", key, "+", "-", "COUNT", "1"])
    return reply.elements?.first?.elements?.first?.string.flatMap { PurgeID($0) } ?? .zero
  }

  private func entries(
    after place: PurgeID, count: Int, wait: Duration
  ) async throws(RedisError) -> (entries: [Entry], isPartial: Bool) {
    let found = try await read(stream, after: place, count: count, wait: wait)
    let entries = found.map { at, fields in
      Entry(
        place: at, id: fields.value("id")?.string.flatMap { PurgeID($0) } ?? at,
        order: fields.value("order")?.string.map { Array($0.utf8) } ?? [])
    }
    return (entries, found.count == count)
  }

  private func read(
    _ key: String, after place: PurgeID, count: Int, wait: Duration
  ) async throws(RedisError) -> [(PurgeID, RedisReply)] {
    let milliseconds =
      wait.components.seconds * 1000
      + wait.components.attoseconds / 1_000_000_000_000_000
    // BLOCK 0 would wait for ever.
    let block = milliseconds > 0 ? ["BLOCK", "\(milliseconds)"] : []
    let reply = try await command(
      ["XREAD", "COUNT", "\(count)"] + block + ["STREAMS", key, "\(place)"],
      on: .waiting, timeout: patience + wait)
    guard let streams = reply.elements else { throw .unexpected }
    guard let entries = streams.first?.elements?.last?.elements else { return [] }
    var found: [(PurgeID, RedisReply)] = []
    for entry in entries {
      guard let parts = entry.elements, parts.count == 2,
        let at = parts[0].string.flatMap({ PurgeID($0) })
      else { throw .unexpected }
      found.append((at, parts[1]))
    }
    return found
  }

  /// Sends a command on the connection that is kept, or on a new one.
  private func command(
    _ words: [String], on use: Use = .saying, timeout: Duration? = nil
  ) async throws(RedisError) -> RedisReply {
    let connection: RedisConnection
    if let known = kept.withLock({ $0[use] }) {
      connection = known
    } else {
      connection = try await RedisConnection.connect(
        configuration.redis, tls: tls, group: group, timeout: patience)
      kept.withLock { $0[use] = connection }
    }
    do throws(RedisError) {
      return try await connection.command(words, timeout: timeout ?? patience)
    } catch {
      if case .refused = error { throw error }
      connection.close()
      kept.withLock { $0[use] = nil }
      throw error
    }
  }
}

extension PurgeID {
  /// Before all others.
  public static let zero = PurgeID(milliseconds: 0, number: 0)
}
