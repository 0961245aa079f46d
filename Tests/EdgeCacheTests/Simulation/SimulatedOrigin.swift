@testable import EdgeCache

// An origin whose content says what it is, so that a client can tell a torn, mixed or old response
// from a good one.

/// What one path of the origin does.
enum OriginPath: Int, CaseIterable {
  /// Fresh for 20 s; the length is not announced.
  case plain
  /// Fresh for 10 s, by the field `A`; the length is announced.
  case varying
  /// Stored, and validated each time.
  case noCache
  /// Fresh for 5 s, then never used without validation.
  case strict
  /// Never stored.
  case unshared
  /// Too long to be stored, which comes to light on the way.
  case large
  /// Fresh for 3 s, without a validator.
  case untagged

  var text: String { "/\(rawValue)" }

  var directives: String {
    switch self {
    case .plain: "max-age=20"
    case .varying: "max-age=10"
    case .noCache: "no-cache"
    case .strict: "max-age=5, must-revalidate"
    case .unshared: "private"
    case .large: "max-age=20"
    case .untagged: "max-age=3"
    }
  }

  /// Seconds.
  var lifetime: Int64 {
    switch self {
    case .plain, .large: 20
    case .varying: 10
    case .strict: 5
    case .untagged: 3
    case .noCache, .unshared: 0
    }
  }

  var mayBeStale: Bool {
    switch self {
    case .plain, .varying, .large, .untagged: true
    case .noCache, .strict, .unshared: false
    }
  }
}

/// Which content a response has.
struct ContentIdentity: Hashable {
  var path: OriginPath
  /// The value of `A` where it matters, or 0.
  var variant: Int
  var version: Int

  /// The content: different in each byte and length for each identity, as far as that goes.
  var content: [UInt8] {
    let seed = path.rawValue &* 61 &+ variant &* 17 &+ version &* 7
    let count = path == .large ? 1500 + seed % 300 : (seed &* 13) % 220
    return (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 3 &+ seed) }
  }

  var text: String { "\(path.rawValue).\(variant).\(version)" }

  init(path: OriginPath, variant: Int, version: Int) {
    self.path = path
    self.variant = variant
    self.version = version
  }

  init?(_ text: String) {
    let parts = text.split(separator: ".").compactMap { Int($0) }
    guard parts.count == 3, let path = OriginPath(rawValue: parts[0]) else { return nil }
    self.init(path: path, variant: parts[1], version: parts[2])
  }
}

/// Versions that increase, and when each was last said to be the current one.
struct SimulatedOrigin {
  private(set) var versions = [Int](repeating: 1, count: OriginPath.allCases.count)
  /// When a version was last sent or confirmed.
  private(set) var confirmed: [ContentIdentity: Instant] = [:]

  func version(_ path: OriginPath) -> Int { versions[path.rawValue] }

  mutating func change(_ path: OriginPath) { versions[path.rawValue] += 1 }

  /// What the origin answers: a head as text, and content.
  struct Answer {
    enum Kind { case whole, notModified, error, changed }

    var kind: Kind
    var head: String
    var content: [UInt8] = []
  }

  /// Answers a request at this moment.
  mutating func answer(
    _ request: RequestHead, _ path: OriginPath, fails: Bool, now: Instant
  ) -> Answer {
    let date = "↵Date: " + String(decoding: HTTPDate.bytes(now.seconds), as: UTF8.self)
    if request.method == .post {
      change(path)
      return Answer(kind: .changed, head: "HTTP/1.1 204 Done\(date)")
    }
    if fails {
      return Answer(kind: .error, head: "HTTP/1.1 503 Busy\(date)↵Content-Length: 0")
    }
    var variant = 0
    if path == .varying, let field = request.fields.fields.first(where: { isVarying($0, request) })
    {
      variant = Int(request.fields.text(field.value)) ?? 0
    }
    let identity = ContentIdentity(path: path, variant: variant, version: version(path))
    confirmed[identity] = now
    var fields = "\(date)↵Cache-Control: \(path.directives)↵X-Id: \(identity.text)"
    if path != .untagged { fields += "↵ETag: \"\(identity.text)\"" }
    if path == .varying { fields += "↵Vary: A" }
    if request.fields.text(.ifNoneMatch) == "\"\(identity.text)\"" {
      return Answer(kind: .notModified, head: "HTTP/1.1 304 Not Modified\(fields)")
    }
    let content = identity.content
    switch path {
    case .plain, .large, .noCache: fields += "↵Transfer-Encoding: chunked"
    case .varying, .strict, .unshared, .untagged: fields += "↵Content-Length: \(content.count)"
    }
    return Answer(kind: .whole, head: "HTTP/1.1 200 OK\(fields)", content: content)
  }

  private func isVarying(_ field: Field, _ request: RequestHead) -> Bool {
    request.fields.text(field.nameRange) == "A"
  }
}
