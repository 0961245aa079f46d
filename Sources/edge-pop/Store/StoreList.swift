// `edge-pop store ls`: what a PoP would serve from a disk store.

import ArgumentParser
import EdgeCache
import EdgeFleet
import Foundation

struct StoreList: StoreSubcommand {
  static let configuration = CommandConfiguration(
    commandName: "ls",
    abstract: "List what is in a disk store: what a PoP that starts on it would serve.",
    discussion: """
      Exit status: 0, 2 when the store cannot be opened, 64 for wrong use. Content is not read: \
      what is damaged there is found by edge-pop store check.
      """)

  /// What comes first.
  enum Order: String, CaseIterable, ExpressibleByArgument {
    case newest, url, size, age, ttl
  }

  @Argument(
    help: ArgumentHelp("A directory that was given to --disk.", valueName: "path"),
    completion: .directory)
  var path: String

  @Option(
    help:
      "newest: last written first; url; size: largest first; age: oldest first; ttl: least first."
  )
  var sort = Order.newest

  @Option(help: "Only this host.")
  var host: String?

  @Option(
    help: ArgumentHelp(
      "Only URLs that begin like this, or paths if it begins with a slash.", valueName: "url"))
  var prefix: String?

  @Option(
    help: "Only what has this tag, in any field for tags (Cache-Tag, Surrogate-Key, xkey…).")
  var tag: String?

  @Option(help: ArgumentHelp("Only content of more than this, such as 1MiB.", valueName: "size"))
  var larger: String?

  @Option(help: ArgumentHelp("Only content of less than this, such as 1MiB.", valueName: "size"))
  var smaller: String?

  @Flag(help: "Only what is fresh.")
  var fresh = false

  @Flag(help: "Only what must be validated before it is used.")
  var stale = false

  @Flag(help: "Also what is not served any more, and why.")
  var all = false

  @Flag(help: "Also the pieces of large content.")
  var pieces = false

  @Option(help: ArgumentHelp("At most this many.", valueName: "n"))
  var limit: Int?

  @Flag(help: "Print a JSON object on a line for each.")
  var json = false

  func validate() throws {
    if fresh, stale { throw ValidationError("--fresh and --stale exclude each other") }
    if let limit, limit < 1 { throw ValidationError("--limit \(limit): at least 1") }
    if let prefix, !prefix.hasPrefix("/"), !prefix.contains("://") {
      throw ValidationError(
        "--prefix \(prefix): write it like http://www.example/a or like /a")
    }
    for (name, text) in [("--larger", larger), ("--smaller", smaller)] {
      _ = try Self.size(name, text)
    }
  }

  private static func size(_ name: String, _ text: String?) throws -> Int? {
    guard let text else { return nil }
    do throws(ValueProblem) {
      return try ByteSize(parsing: text).bytes
    } catch {
      throw ValidationError("\(name): \(error)")
    }
  }

  func run() throws {
    let store: DiskInspection
    do throws(StoreProblem) {
      store = try openStore(path)
    } catch {
      throw Failure("\(path): \(error)", status: StoreStatus.notOpened.rawValue)
    }
    let now = Instant.present()
    let filter = StoreFilter(
      host: host?.lowercased(), prefix: prefix, tag: tag,
      larger: try Self.size("--larger", larger) ?? -1,
      smaller: try Self.size("--smaller", smaller) ?? Int.max, fresh: fresh, stale: stale,
      now: now)
    var output = StoreListing(asJSON: json, withStates: all, now: now)
    var sorted = SortedRecords(by: sort, limit: limit, now: now)
    var dead = 0
    let unreadable = store.forEachRecord(pieces: pieces) { record in
      guard filter.matches(record) else { return true }
      guard all || record.state == .alive else {
        dead += 1
        return true
      }
      if sort != .newest {
        sorted.add(record)
        return true
      }
      output.add(record)
      return output.count != limit
    }
    for place in sorted.places() {
      if let record = store.record(
        segment: place.segment, offset: place.offset, state: place.state)
      {
        output.add(record)
      }
    }
    output.end()
    var total = "\(counted(output.count, "response")), \(readableSize(output.bytes))"
    if dead > 0 { total += "; \(dead) not served any more (--all lists them)" }
    writeToStandardError("\(total)\n")
    if unreadable > 0 {
      EdgePoPCommand.writeError(
        "edge-pop: \(counted(unreadable, "record")) cannot be read; see edge-pop store check \(path)"
      )
    }
  }
}
