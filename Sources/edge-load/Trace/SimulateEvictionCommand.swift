// `edge-load simulate-eviction`: a log and some sizes of memory in, hit ratios out. What is replayed
// is the memory tier itself (EvictionReplay), not a model of it.

import ArgumentParser
import EdgeCache
import EdgeFleet
import FoundationEssentials

/// Replays a request log through the memory tier and reports hit ratios.
struct SimulateEvictionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate-eviction",
    abstract: "Replay a request log through the memory tier; report the hit ratio of each policy.",
    discussion: """
      TRACE holds one request to a line: comma-separated values, or columns between tabs or spaces, \
      with the time in seconds, the key and the size in bytes, in this order or as a heading names \
      them (time, key, size; also objid, url, bytes and others); or an access log of Apache, nginx, \
      HAProxy, Squid, Caddy, Traefik, CloudFront, Fastly or Amazon's load balancers. It may be \
      compressed by gzip. - is standard input. Of an access log only GET requests with status 200 \
      are replayed.

      A hit is a request whose key is stored when it comes. Anything else is a miss, and its object \
      is stored at once, after others have been evicted until it fits; nothing is ever stale. An \
      object counts with its size and --overhead. One larger than --largest or than the whole \
      memory is never stored and evicts nothing. The object hit ratio is hits / requests, the byte \
      hit ratio the bytes of the hits / bytes of all requests, with the sizes that the log gives. \
      The footprint is the sum of the largest size of each key. The memory is empty at first.

      By default the memory is one shard and holds bytes of content only, so that results can be \
      compared with other simulators. --as-pop counts as edge-pop does: its shards, its overhead \
      for each stored response and its largest stored response.

      Exits with 0, with 1 for wrong use and for a log that cannot be read, or with 2 if more lines \
      were left out than --most-left-out says.
      """
  )

  @Argument(help: "The request log.", completion: .file())
  var trace: String

  @Option(
    name: [.customShort("m"), .long],
    help: "A size such as 64MiB, or a share of the footprint such as 1%; may be repeated.")
  var memory: [String] = ["0.1%", "1%", "10%"]

  @Option(
    help: "lru, slru or size-lru; may be repeated. (default: all)",
    completion: .list(EvictionPolicy.allCases.map(\.rawValue)))
  var eviction: [String] = []

  @Option(help: "Bytes that each stored object costs beyond its size, such as 640B. (default: 0)")
  var overhead: String?

  @Option(help: "The largest size that is stored, such as 1MiB. (default: the whole memory)")
  var largest: String?

  @Option(
    help: "Shards of the memory; a power of two. (default: 1)",
    completion: .list(["1", "2", "4", "8", "16"]))
  var shards: Int?

  @Flag(help: "Shards, overhead and largest size as edge-pop has them, where not given.")
  var asPop = false

  @Option(
    help: """
      What a request is whose size is not the stored one: keep (a hit, the stored size stays), \
      resize (a hit, and the stored size becomes the new one) or replace (a miss).
      """, completion: .list(EvictionReplay.ChangedSize.allCases.map(\.rawValue)))
  var changedSize = "keep"

  @Flag(help: "Leave out lines that are not understood, and say how many, instead of stopping.")
  var skipDamagedLines = false

  @Option(
    help: "The share of lines that may be left out as damaged with status 0, from 0 to 1.")
  var mostLeftOut = LogAccount.usualShare

  @Option(
    help: "The log's format, if its first lines do not tell: \(LogFormatKind.choice).",
    completion: .list(LogFormatKind.allNames))
  var format: String?

  @Flag(help: "Report as JSON.")
  var json = false

  func validate() throws {
    _ = try plan()
    guard 0...1 ~= mostLeftOut else {
      throw ValidationError("--most-left-out must be from 0 to 1")
    }
    if let format, LogFormatKind.named(format).isEmpty {
      throw ValidationError("--format \(format): there is \(LogFormatKind.choice)")
    }
  }

  func run() throws {
    let plan = try plan()
    let requests: EvictionTrace
    do {
      requests = try EvictionTrace(
        path: trace, skippingDamagedLines: skipDamagedLines, format: format,
        mostLeftOut: mostLeftOut)
    } catch {
      throw CommandFailure.cannotStart(
        error.line == nil
          ? error.description
          : "\(error.description) (--skip-damaged-lines leaves out such lines, and counts them)")
    }
    guard !requests.requests.isEmpty else {
      throw CommandFailure.cannotStart(
        "\(trace) has no request that could be answered from memory\(requests.account.leftOutText)")
    }
    let report = plan.run(requests, name: trace)
    StandardOutput.write(json ? try report.json() : report.text)
    if let complaint = requests.account.complaint {
      throw CommandFailure(status: CommandFailure.sawErrors, line: complaint)
    }
  }

  private func plan() throws -> EvictionPlan {
    do {
      return EvictionPlan(
        memories: try memory.map(Self.memory),
        policies: eviction.isEmpty
          ? EvictionPolicy.allCases : try eviction.map { try Self.choice($0, "--eviction") },
        overhead: try overhead.map { try Self.size($0, "--overhead") },
        largest: try largest.map { try Self.size($0, "--largest") },
        shards: try shards.map(Self.shards), asPoP: asPop,
        changedSize: try Self.choice(changedSize, "--changed-size"))
    } catch let problem as ValueProblem {
      throw ValidationError(problem.description)
    }
  }

  private static func memory(_ text: String) throws -> SimulatedMemory {
    guard text.hasSuffix("%") else {
      let bytes = try Self.size(text, "--memory")
      guard bytes > 0 else { throw ValidationError("--memory \(text): that is no memory at all") }
      return .bytes(bytes)
    }
    guard let percent = DecimalText.parse(text.dropLast()), percent > 0, percent <= 1000 else {
      throw ValidationError("--memory \(text): a share is above 0% and at most 1000%")
    }
    return .percent(percent)
  }

  private static func size(_ text: String, _ option: String) throws -> Int {
    let size = try ByteSize(parsing: text)
    guard size.bytes <= SimulatedMemory.most else {
      throw ValidationError(
        "\(option) \(text): at most \(ByteSize(bytes: SimulatedMemory.most)), which is more than any machine has"
      )
    }
    return size.bytes
  }

  private static func shards(_ count: Int) throws -> Int {
    guard (1...16).contains(count), count & (count - 1) == 0 else {
      throw ValidationError("--shards \(count): there can be 1, 2, 4, 8 or 16")
    }
    return count
  }

  private static func choice<Choice>(_ text: String, _ option: String) throws -> Choice
  where Choice: RawRepresentable<String> & CaseIterable {
    guard let choice = Choice(rawValue: text) else {
      let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("\(option) \(text): there is \(known)")
    }
    return choice
  }
}

/// What to simulate.
struct EvictionPlan: Sendable {
  var memories: [SimulatedMemory]
  var policies = EvictionPolicy.allCases
  var overhead: Int?
  var largest: Int?
  var shards: Int?
  /// Whether what is not given is as in a PoP.
  var asPoP = false
  var changedSize = EvictionReplay.ChangedSize.keep

  /// Replays a log once for each size of memory and each policy.
  func run(_ trace: EvictionTrace, name: String) -> EvictionReport {
    var report = EvictionReport(trace, name: name)
    for memory in memories {
      let bytes = memory.bytes(footprint: trace.footprint)
      let limits = StoreLimits(memory: bytes)
      for policy in policies {
        let tier = EvictionReplay(
          memory: bytes, eviction: policy, shards: shards ?? (asPoP ? limits.shards : 1),
          overhead: overhead ?? (asPoP ? EvictionReplay.overheadOfPoP : 0),
          largest: largest ?? (asPoP ? limits.largestResponse : .max), changedSize: changedSize)
        report.add(trace.replay(tier), memory: bytes, policy: policy)
      }
    }
    return report
  }
}
