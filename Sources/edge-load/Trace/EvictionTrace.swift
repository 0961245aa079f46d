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
  /// Requests that no cache could answer: those that are no GET or have another status than 200.
  private(set) var skipped = 0
  /// Lines that were not understood.
  private(set) var damaged = 0
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
  init(path: String, skippingDamagedLines skips: Bool) throws(TraceProblem) {
    var reader = try TraceReader(path: path)
    while true {
      do {
        guard let request = try reader.next() else { break }
        if request.method == "GET", (request.status ?? 200) == 200 {
          append(request.key, size: request.size)
        } else {
          skipped += 1
        }
      } catch {
        guard skips, error.line != nil else { throw error }
        damaged += 1
      }
    }
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
      firstBytes += size
    }
    footprint += max(0, size - largest[object])
    largest[object] = max(size, largest[object])
    requests.append(Request(object: object, size: size))
    bytes += size
  }

  /// Replays all requests through a memory tier that is empty at first. O(requests).
  func replay(_ tier: consuming EvictionReplay) -> EvictionResult {
    var result = EvictionResult()
    for request in requests {
      switch tier.request(objects[request.object], size: request.size) {
      case .hit:
        result.hits += 1
        result.hitBytes += request.size
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

  /// The number of bytes for a log.
  func bytes(footprint: Int) -> Int {
    switch self {
    case .bytes(let bytes): bytes
    case .percent(let percent): max(1, Int((Double(footprint) * percent / 100).rounded()))
    }
  }
}
