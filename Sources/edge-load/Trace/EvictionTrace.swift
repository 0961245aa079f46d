// The requests of a log as a simulation needs them: read once, replayed for each policy and size of
// memory, sixteen bytes for each request.

import EdgeCache

/// The requests of a log, with each key known by a number.
struct EvictionTrace: Sendable {
  /// One request.
  struct Request: Sendable {
    /// Which of `objects`.
    var object: Int
    /// Bytes of content.
    var size: Int
  }

  /// The requests that could be answered from a cache, in their order.
  private(set) var requests: [Request] = []
  /// What is requested.
  private(set) var objects: [EvictionReplay.Object] = []
  /// What became of the lines. Requests that no cache could answer (no GET, or another status than 200) are unwanted.
  private(set) var account = LogAccount(path: "")
  /// Requests that no cache could answer.
  var skipped: Int { account.unwanted }
  /// Lines that were not understood.
  var damaged: Int { account.leftOutCount - account.unwanted }
  /// Bytes of all requests.
  private(set) var bytes = 0
  /// Bytes of the first request of each object.
  private(set) var firstBytes = 0
  /// Bytes that would keep everything: the largest size of each object.
  private(set) var footprint = 0

  private var numbers: [[UInt8]: Int] = [:]
  private var largest: [Int] = []

  /// No request yet.
  init() {}

  /// Reads a log to its end.
  init(
    path: String, skippingDamagedLines skips: Bool, format: String? = nil,
    mostLeftOut: Double = LogAccount.usualShare
  ) throws(TraceProblem) {
    var reader = try TraceReader(path: path, format: format)
    account = LogAccount(path: path)
    account.mostLeftOut = mostLeftOut
    while true {
      do throws(TraceProblem) {
        guard let request = try reader.next() else { break }
        let line = request.line
        if request.method != "GET" {
          account.leaveOut(
            .method, line: line, "is \(request.method.prefix(32))", isWanted: false)
        } else if let status = request.status, status != 200 {
          account.leaveOut(.status, line: line, "has status \(status)", isWanted: false)
        } else if !request.isSized {
          throw TraceProblem(path, line: line, "does not say how many bytes were sent", .size)
        } else {
          append(request.cacheKey, size: request.size)
        }
      } catch {
        guard skips, error.line != nil else { throw error }
        account.leaveOut(error)
      }
    }
    account.format = reader.formatName
    account.requests = requests.count
    numbers = [:]
  }

  /// Adds a request.
  mutating func append(_ key: [UInt8], size: Int) {
    let object: Int
    if let known = numbers[key] {
      object = known
    } else {
      object = objects.count
      numbers[key] = object
      objects.append(EvictionReplay.object(key))
      largest.append(0)
      firstBytes = firstBytes.adding(size)
    }
    footprint = footprint.adding(max(0, size - largest[object]))
    largest[object] = max(size, largest[object])
    requests.append(Request(object: object, size: size))
    bytes = bytes.adding(size)
  }

  /// Replays all requests through a memory tier that is empty at first. O(requests).
  func replay(_ tier: consuming EvictionReplay) -> EvictionResult {
    var result = EvictionResult()
    for request in requests {
      switch tier.request(objects[request.object], size: request.size) {
      case .hit:
        result.hits += 1
        result.hitBytes = result.hitBytes.adding(request.size)
      case .stored: break
      case .tooLarge: result.tooLarge += 1
      }
    }
    result.evictions = tier.evictions
    return result
  }
}

/// What came of a replay.
struct EvictionResult: Equatable, Sendable {
  /// Requests that found their object stored.
  var hits = 0
  /// Bytes of those requests.
  var hitBytes = 0
  /// Requests whose object was not stored because it is too large.
  var tooLarge = 0
  /// Objects that were evicted.
  var evictions: UInt64 = 0
}

/// How much memory to simulate: a size, or a share of what would keep everything.
enum SimulatedMemory: Equatable, Sendable {
  case bytes(Int)
  /// Percent of the footprint.
  case percent(Double)

  /// More than any machine has, and far from what arithmetic can do.
  static let most = 1 << 50

  /// The number of bytes for a log.
  func bytes(footprint: Int) -> Int {
    switch self {
    case .bytes(let bytes): bytes
    case .percent(let percent):
      min(Self.most, max(1, Int(nearest: Double(footprint) * percent / 100)))
    }
  }
}
