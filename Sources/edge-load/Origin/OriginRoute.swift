// What a request asks this origin for, as a value. The request target is parsed once, here, without
// touching a file, so that every refusal of a hostile path can be tested as a table.

/// The resource that a request target names.
enum OriginRoute: Equatable, Sendable {
  /// `GET /api/time`: the region and its clock.
  case time
  /// `POST /api/echo`: the request's content, sent back.
  case echo
  /// `GET /api/hello?name=`: a greeting.
  case hello(name: String)
  /// `GET /api/slow?ms=N`: an answer that takes its time.
  case slow(TimeSpan)
  /// `GET /api/products/N`: something cacheable for a few seconds.
  case product(Int)
  /// `GET /api/stats`: how many requests have reached this origin.
  case stats
  /// `GET /bytes/N` and `GET /slow-bytes/N?ms=M`: generated content.
  case pattern(count: Int, delay: TimeSpan, cacheControl: String?)
  /// `GET /w/SIZE/NAME`: what a workload requests; its name holds a hash, so it never changes.
  case generated(GeneratedName)
  /// `GET /api/items/N`: what a workload requests and nobody stores.
  case item(Int)
  /// `GET /versioned/N`: something that changes when it is told to.
  case versioned(Int)
  /// `POST /versioned/N/next`: tells it to.
  case nextVersion(Int)
  /// A file or directory below the root; the segments are decoded and hold no `.`, `..` or `/`.
  case file(segments: [String], endsInSlash: Bool)
  /// A path below `/api/` or `/bytes/` that names nothing.
  case unknown
  /// A target that is not answered at all, and why (400).
  case refused(RefusedTarget)

  /// The largest `/bytes/N`: 1 TiB is more than any test streams and far from overflow.
  static let largestPattern = 1 << 40
  /// The longest `ms=`: beyond ten minutes every peer has given up.
  static let longestDelay = TimeSpan.seconds(600)
}

/// Why a request target was refused.
enum RefusedTarget: String, Equatable, Sendable {
  case notAPath = "the request target is not a path"
  case badEscape = "the path has a broken percent escape or is not UTF-8"
  case leavesRoot = "the path leaves the root"
  case badQuery = "a query parameter has a value that cannot be used"
}

extension OriginRoute {
  /// Reads a request target in origin-form or absolute-form (RFC 9112 §3.2).
  init(target: String) {
    guard let (path, query) = TargetText.split(target) else {
      self = .refused(.notAPath)
      return
    }
    var segments: [String] = []
    for raw in path.split(separator: "/") {
      guard let segment = TargetText.percentDecoded(raw) else {
        self = .refused(.badEscape)
        return
      }
      // Checked after decoding: %2e%2e and %2F must not mean more than their plain spelling.
      let hostile = segment.utf8.contains { $0 == 0x2F || $0 == 0x5C || $0 == 0 }
      guard segment != "." && segment != ".." && !hostile else {
        self = .refused(.leavesRoot)
        return
      }
      segments.append(segment)
    }
    let parameters = TargetText.parameters(of: query)
    switch segments.first {
    case "api": self = Self.api(Array(segments.dropFirst()), parameters)
    case "bytes": self = Self.pattern(Array(segments.dropFirst()), parameters, delayed: false)
    case "w":
      self =
        GeneratedName(segments: Array(segments.dropFirst())).map { .generated($0) }
        ?? .unknown
    case "versioned": self = Self.versioned(Array(segments.dropFirst()))
    case "slow-bytes": self = Self.pattern(Array(segments.dropFirst()), parameters, delayed: true)
    default: self = .file(segments: segments, endsInSlash: path.utf8.last == 0x2F)
    }
  }

  private static func api(_ rest: [String], _ parameters: [String: String]) -> OriginRoute {
    switch (rest.first, rest.count) {
    case ("time", 1): return .time
    case ("echo", 1): return .echo
    case ("stats", 1): return .stats
    case ("hello", 1): return .hello(name: parameters["name"] ?? "world")
    case ("slow", 1):
      guard let delay = delay(parameters["ms"] ?? "1000") else { return .refused(.badQuery) }
      return .slow(delay)
    case ("items", 2):
      guard let number = Int(rest[1]), number >= 0 else { return .unknown }
      return .item(number)
    case ("products", 2):
      guard let number = Int(rest[1]), number >= 0 else { return .unknown }
      return .product(number)
    default: return .unknown
    }
  }

  private static func versioned(_ rest: [String]) -> OriginRoute {
    guard let number = rest.first.flatMap({ Int($0) }), number >= 0 else { return .unknown }
    if rest.count == 1 { return .versioned(number) }
    return rest.count == 2 && rest[1] == "next" ? .nextVersion(number) : .unknown
  }

  private static func pattern(
    _ rest: [String], _ parameters: [String: String], delayed: Bool
  ) -> OriginRoute {
    guard rest.count == 1, let count = Int(rest[0]), count >= 0, count <= largestPattern else {
      return .unknown
    }
    guard let delay = delayed ? delay(parameters["ms"] ?? "1000") : TimeSpan.zero else {
      return .refused(.badQuery)
    }
    let cacheControl = parameters["cache"]
    if let cacheControl, !cacheControl.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) {
      return .refused(.badQuery)  // A field value must not carry a line break into the head.
    }
    return .pattern(count: count, delay: delay, cacheControl: cacheControl)
  }

  private static func delay(_ text: String) -> TimeSpan? {
    guard let count = Int64(text), count >= 0, count <= longestDelay.nanoseconds / 1_000_000
    else { return nil }
    return .milliseconds(count)
  }
}

/// The text of a request target, taken apart.
enum TargetText {
  /// Path and query of a target in origin-form or absolute-form; nil for anything else.
  static func split(_ target: String) -> (path: Substring, query: Substring)? {
    var rest = Substring(target)
    if !rest.hasPrefix("/") {
      guard rest.hasPrefix("http://") else { return nil }
      rest = rest.dropFirst(7)
      rest = rest.drop { $0 != "/" && $0 != "?" }
      if rest.isEmpty || rest.first == "?" { rest = "/" + rest }
    }
    guard let mark = rest.firstIndex(of: "?") else { return (rest, "") }
    return (rest[..<mark], rest[rest.index(after: mark)...])
  }

  /// The text with its percent escapes resolved; nil for a broken escape or broken UTF-8.
  static func percentDecoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == 0x25 else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst().flatMap(hexValue),
        let low = rest.popFirst().flatMap(hexValue)
      else { return nil }
      bytes.append(high << 4 | low)
    }
    return String(validating: bytes, as: UTF8.self)
  }

  /// The text with everything but unreserved characters percent-encoded.
  static func percentEncoded(_ text: String) -> String {
    String(decoding: percentEncoded(Array(text.utf8)), as: UTF8.self)
  }

  /// The bytes with everything but unreserved characters (RFC 3986 §2.3) percent-encoded.
  static func percentEncoded(_ text: [UInt8]) -> [UInt8] {
    requestable(text) { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: false
      default: true
      }
    }
  }

  /// The bytes with those percent-encoded that cannot stand in a request line (spaces, controls, what is not ASCII) or,
  /// if it is said, with others.
  static func requestable(
    _ text: [UInt8], encoding isEncoded: (UInt8) -> Bool = { $0 <= 0x20 || $0 >= 0x7F }
  ) -> [UInt8] {
    guard text.contains(where: isEncoded) else { return text }
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for byte in text {
      bytes += isEncoded(byte) ? [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]] : [byte]
    }
    return bytes
  }

  /// The parameters of a query; the first of a repeated name counts, a broken one is left out.
  static func parameters(of query: Substring) -> [String: String] {
    var found: [String: String] = [:]
    for pair in query.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let spaced = parts.map { Substring(String($0.map { $0 == "+" ? " " : $0 })) }
      guard let name = spaced.first.flatMap(percentDecoded) else { continue }
      guard let value = spaced.count > 1 ? percentDecoded(spaced[1]) : "" else { continue }
      if found[name] == nil { found[name] = value }
    }
    return found
  }

  private static func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
  }
}
