// The dynamic API below /api/: small answers that differ in how they may be cached, so that a PoP
// in front has something to pass through, to keep for seconds, and never to keep.

import NIOCore
import NIOHTTP1

/// The answers of the regional API; pure but for the wall clock, which the caller passes in.
struct OriginAPI: Sendable {
  /// The region's name, shown in every answer.
  let region: String
  /// What changes when it is told to.
  let versions = VersionedResources()

  private struct Time: Encodable {
    var region: String
    var time: String
    var unixMilliseconds: Int64
  }

  private struct Greeting: Encodable {
    var region: String
    var greeting: String
  }

  private struct Slow: Encodable {
    var region: String
    var waitedMilliseconds: Int64
  }

  private struct Product: Encodable {
    var region: String
    var id: Int
    var name: String
    var priceCents: Int
    var madeAt: String
  }

  private struct Unknown: Encodable {
    var error: String
  }

  /// The reply of a route that needs neither files nor the request's content; nil for the others.
  func reply(
    to route: OriginRoute, conditions: ConditionalFields, counts: RequestCounts,
    nowMilliseconds now: Int64
  ) -> OriginReply? {
    switch route {
    case .time:
      let time = Time(region: region, time: WallClock.iso(now / 1000), unixMilliseconds: now)
      return .json(time, cacheControl: "no-store")
    case .hello(let name):
      return .json(
        Greeting(region: region, greeting: "Hello, \(name)!"), cacheControl: "no-store")
    case .slow(let delay):
      return .json(
        Slow(region: region, waitedMilliseconds: delay.nanoseconds / 1_000_000),
        cacheControl: "no-store")
    case .product(let id):
      let product = Product(
        region: region, id: id, name: "Product \(id)", priceCents: 199 + id % 5000,
        madeAt: WallClock.iso(now / 1000))
      return .json(product, cacheControl: "max-age=10")
    case .stats:
      return .json(counts.snapshot(), cacheControl: "no-store")
    case .pattern(let count, _, let cacheControl):
      let bytes = PatternBytes(count: count)
      return SelectedReply(
        entityTag: bytes.entityTag, modified: nil, size: count,
        type: "application/octet-stream", cacheControl: cacheControl ?? "max-age=60"
      ).answer(conditions) { .pattern(bytes, $0) }
    case .versioned(let number):
      let version = versions.version(number)
      let text = ByteBuffer(string: "resource \(number), version \(version)\n")
      return SelectedReply(
        entityTag: VersionedResources.entityTag(number, version: version), modified: nil,
        size: text.readableBytes, type: "text/plain; charset=utf-8", cacheControl: "max-age=3600"
      ).answer(conditions) { range in
        .bytes(text.getSlice(at: range.lowerBound, length: range.count) ?? ByteBuffer())
      }
    case .nextVersion(let number):
      guard let version = versions.advance(number) else {
        return .text(.insufficientStorage, "too many resources have changed\n")
      }
      var reply = OriginReply.text(.ok, "version \(version)\n", cacheControl: "no-store")
      reply.fields.add(
        name: "ETag", value: VersionedResources.entityTag(number, version: version))
      return reply
    case .generated(let name):
      return SelectedReply(
        entityTag: name.entityTag, modified: nil, size: name.size,
        type: "text/javascript; charset=utf-8", cacheControl: CachePolicy.hashed.cacheControl
      ).answer(conditions) { .pattern(PatternBytes(name), $0) }
    case .item(let number):
      // Written by hand: there are thousands of these a second.
      return .text(
        .ok, "{\"region\":\"\(region)\",\"item\":\(number),\"unixMilliseconds\":\(now)}\n",
        type: "application/json", cacheControl: "no-store")
    case .unknown:
      var reply = OriginReply.json(Unknown(error: "no such resource"), cacheControl: "no-store")
      reply.status = .notFound
      return reply
    case .refused(let reason):
      return .text(.badRequest, "\(reason.rawValue)\n")
    case .echo, .file:
      return nil
    }
  }
}

extension OriginRoute {
  /// How long the head of this route's reply is held back, beyond the origin's own latency.
  var delay: TimeSpan {
    switch self {
    case .slow(let delay): delay
    case .pattern(_, let delay, _): delay
    default: .zero
    }
  }

  /// The methods that this route answers.
  var allowedMethods: String {
    switch self {
    case .echo, .nextVersion: "POST"
    default: "GET, HEAD"
    }
  }

  /// Whether a method is one that this route answers.
  func answers(_ method: HTTPMethod) -> Bool {
    switch self {
    case .echo, .nextVersion: method == .POST
    default: method == .GET || method == .HEAD
    }
  }
}
