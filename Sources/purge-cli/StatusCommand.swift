// Who applied a purge, and when; or, without one, how far each PoP is.

import ArgumentParser
import EdgeCache
import EdgeFleet
import NIOSSL

struct Status: ParsableCommand, FleetCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Say which PoPs applied a purge and when; or how far each PoP is.")

  @Argument(
    help: ArgumentHelp(
      "The name of a purge, such as 1764000000000-7; without it, the newest of each PoP.",
      valueName: "purge"))
  var purge: String?

  @OptionGroup var options: FleetOptions

  /// What one PoP said.
  private struct Line: Encodable {
    var pop: String
    var city: String?
    var applied: Bool?
    var state: String?
    var newest: String?
    var sequence: UInt64?
    var appliedAt: Int64?
    /// Behind who was first, in milliseconds.
    var lagMilliseconds: Int64?
    var matched: Int?
    var freedBytes: Int?
    var unreachable: [String]?
    var reason: String?
  }

  func send() async throws -> ExitStatus {
    let id = try purge.map { text in
      guard let id = PurgeID(text) else {
        throw WrongUse("\(text): the name of a purge is like 1764000000000-7")
      }
      return id
    }
    let targets = try options.targets()
    let (token, patience) = (try options.token(), try options.patience())
    let tls = try options.tls()
    var lines = await targets.mapInParallel { await Self.ask($0, id, token, tls, patience) }
    let first = id == nil ? nil : lines.compactMap(\.appliedAt).min()
    for index in lines.indices {
      if let first, let at = lines[index].appliedAt { lines[index].lagMilliseconds = at &- first }
    }
    let newest = lines.compactMap(\.newest).compactMap { PurgeID($0) }.max()
    if options.json {
      StandardOutput.print(JSONForm.page.text(lines))
    } else {
      printForPeople(lines, id, newest)
    }
    let isComplete = lines.allSatisfy { line in
      line.reason == nil
        && (id == nil ? line.state == PurgeSync.synced.rawValue : line.applied == true)
    }
    return isComplete ? .everywhere : .notEverywhere
  }

  private static func ask(
    _ target: PurgeFanOut.Target, _ id: PurgeID?, _ token: AdminToken?,
    _ tls: NIOSSLContext?, _ patience: Duration
  ) async -> Line {
    let client = AdminClient(endpoint: target.admin, token: token, tls: tls)
    var line = Line(pop: target.name, city: target.city)
    do throws(AdminClientError) {
      if let id {
        let record = try await client.record(of: id, timeout: patience)
        line.applied = record != nil
        line.sequence = record?.sequence
        line.appliedAt = record?.appliedAt
        line.matched = record?.matched
        line.freedBytes = record?.freedBytes
      } else {
        let health = try await client.health(timeout: patience)
        line.pop = health.pop
        line.state = health.purges?.state
        line.newest = health.purges?.newest
        line.appliedAt = health.purges?.appliedAt
        line.sequence = health.sequence
        line.unreachable = health.purges?.unreachable
      }
    } catch {
      line.reason = "\(error)"
    }
    return line
  }

  private func printForPeople(_ lines: [Line], _ id: PurgeID?, _ newest: PurgeID?) {
    for line in lines {
      let name = line.city.map { "\(line.pop), \($0)" } ?? line.pop
      StandardOutput.print("\(Terminal.plain(name)): \(sentence(line, id, newest))")
    }
  }

  private func sentence(_ line: Line, _ id: PurgeID?, _ newest: PurgeID?) -> String {
    if let reason = line.reason { return "not known: \(reason)" }
    let when = line.appliedAt.map { WallTime(milliseconds: $0).text }
    if id != nil {
      guard line.applied == true else { return "NOT APPLIED, or more than 7 days ago" }
      var text = "applied at \(when ?? "?") as \(line.sequence ?? 0)"
      if let lag = line.lagMilliseconds, lag > 0 { text += ", \(lag) ms behind the first" }
      return text + ", \(line.matched ?? 0) stored responses found so far"
    }
    var text = line.state ?? "?"
    if let own = line.newest {
      text += "; newest purge \(own), applied at \(when ?? "?")"
      if let newest, let own = PurgeID(own), own < newest {
        text += "; behind \(newest), which is \(newest.milliseconds &- own.milliseconds) ms newer"
      }
    } else {
      text += newest == nil ? "; no purge in 7 days" : "; has none of them"
    }
    if let unreachable = line.unreachable {
      text += "; cannot reach \(unreachable.joined(separator: ", "))"
    }
    return text
  }
}
