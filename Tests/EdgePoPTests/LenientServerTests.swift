import EdgeFleet
import Seeds
import Testing

@testable import EdgeCache
@testable import EdgePoP

// Servers as they are known to read paths, in all their combinations: what any of them takes for the regional API is never
// stored. They are written here in another way than in the PoP, and know nothing of it.

/// How one server reads a path.
private struct LenientServer: CustomStringConvertible {
  var decodings = 0
  var takesBackslashes = false
  var takesOutParameters = false
  var endsAtNUL = false
  var leavesOutTails = false
  var mergesSlashes = false
  var followsDots = false
  var ignoresCase = false

  /// Each choice is a bit of the number.
  init(_ number: Int) {
    decodings = number & 3
    takesBackslashes = number & 4 != 0
    takesOutParameters = number & 8 != 0
    endsAtNUL = number & 16 != 0
    leavesOutTails = number & 32 != 0
    mergesSlashes = number & 64 != 0
    followsDots = number & 128 != 0
    ignoresCase = number & 256 != 0
  }

  static let all = (0..<512).map { LenientServer($0) }

  func read(_ path: String) -> String {
    var text = path
    for _ in 0..<decodings { text = Self.decoded(text) }
    if takesBackslashes { text = text.replacing("\\", with: "/") }
    if endsAtNUL { text = String(text.prefix { $0 != "\0" }) }
    var segments = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    if takesOutParameters { segments = segments.map { String($0.prefix { $0 != ";" }) } }
    if leavesOutTails {
      segments = segments.map { segment in
        if segment == "." || segment == ".." { return segment }
        var segment = segment
        while let last = segment.last, last == "." || last == " " { segment.removeLast() }
        return segment
      }
    }
    if mergesSlashes, segments.count > 2 {
      segments =
        [segments[0]] + segments.dropFirst().dropLast().filter { !$0.isEmpty } + [
          segments[segments.count - 1]
        ]
    }
    if followsDots {
      var kept: [String] = []
      for (index, segment) in segments.dropFirst().enumerated() {
        let isLast = index == segments.count - 2
        switch segment {
        case ".": if isLast { kept.append("") }
        case "..":
          if !kept.isEmpty { kept.removeLast() }
          if isLast { kept.append("") }
        default: kept.append(segment)
        }
      }
      segments = [""] + kept
    }
    text = segments.joined(separator: "/")
    return ignoresCase ? text.lowercased() : text
  }

  private static func decoded(_ text: String) -> String {
    var result = ""
    var rest = Substring(text)
    while let character = rest.popFirst() {
      let digits = rest.prefix(2)
      if character == "%", digits.count == 2, digits.allSatisfy(\.isHexDigit),
        let byte = UInt8(digits, radix: 16), byte < 0x80
      {
        result.unicodeScalars.append(UnicodeScalar(byte))
        rest = rest.dropFirst(2)
      } else {
        result.append(character)
      }
    }
    return result
  }

  var description: String {
    "decodings \(decodings), backslashes \(takesBackslashes), parameters \(takesOutParameters), NUL \(endsAtNUL), "
      + "tails \(leavesOutTails), slashes \(mergesSlashes), dots \(followsDots), case \(ignoresCase)"
  }
}

@Suite("Servers that read paths in their own way")
struct LenientServerTests {
  private static func routing() -> Routing {
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    let upstream = UpstreamURL(scheme: .http, host: "127.0.0.1", port: 1)
    var configuration = FleetConfiguration.single(upstream: upstream, listen: [any], admin: any)
    configuration.sites[0].routes = [
      .init(prefix: "/api/", target: .api), .init(prefix: "/api/open/", target: .origin),
      .init(prefix: "/v1/me", target: .api),
    ]
    return Routing(configuration, pop: configuration.pops[0], limits: ShellLimits())
  }

  /// What the operator's routes say to a path.
  private static func isAPI(_ path: String) -> Bool {
    path.hasPrefix("/v1/me") || path.hasPrefix("/api/") && !path.hasPrefix("/api/open/")
  }

  @Test("What one of them takes for the regional API is not stored", arguments: [1, 2, 3, 4])
  func nothingSlipsThrough(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let routing = Self.routing()
    let secret = HashSecret(1, 2)
    var count = 0
    for _ in 0..<600 {
      let path = random.path()
      guard var key = CacheKey(url: "http://a\(path)".utf8, secret: secret) else { continue }
      let route = try #require(routing.route(&key, secret: secret))
      guard route.cached != nil else { continue }
      count += 1
      if let server = LenientServer.all.first(where: { Self.isAPI($0.read(path)) }) {
        Issue.record(
          "seed \(seed): \(path) is stored, and \(server) takes it for \(server.read(path))")
      }
    }
    // Or else nothing was tried.
    #expect(count > 40)
  }
}

/// Random paths that are made of what could lead to the regional API.
extension SeededRandom {
  private static let parts = [
    "api", "api", "API", "a%70i", "open", "v1", "me", "x", "..", "..", ".", "%2e%2e", ".%2e",
    "%252e%252e", "...", ". .", ".. ",
    "api;v", ";v", "..;v", "api.", "api%20", "api%2e", "api%00x", "api%2500", "%61pi", "%2561pi",
    "", "a%5c..", "me;x", "x%3b",
  ].map { $0.replacing(" ", with: "%20") }
  private static let joints = [
    "/", "/", "/", "/", "//", "\\", "%2F", "%5c", "%252f", "%255C", "/./", "%00",
  ]

  fileprivate mutating func path() -> String {
    var path = "/"
    for place in 0..<Int.random(in: 1...5, using: &self) {
      if place > 0 { path += Self.joints.randomElement(using: &self) ?? "/" }
      path += Self.parts.randomElement(using: &self) ?? ""
    }
    return path
  }
}
