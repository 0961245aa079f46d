import EdgeCache
import NIOCore

/// One request, driven as a connection drives it, with an upstream that answers in chunks.
final class Transfer {
  private var transaction: Transaction
  private let look: FirstLook
  private let length: Int
  private var sent = 0
  private var began = false
  /// True while its own upstream is to answer; a request that follows another only waits.
  private var leads = false

  /// True if it was answered from the store.
  private(set) var isHit = false
  /// True when nothing is left to do.
  private(set) var isOver = false

  /// Begins a request for a resource of `length` bytes.
  init(path: String, length: Int, store: Store, now: Instant) {
    let text = "GET \(path) HTTP/1.1\r\nHost: www.example.com\r\nAccept-Encoding: gzip, br\r\n\r\n"
    var parser = RequestParser()
    guard case .head(let request, _)? = try? parser.parse(ByteBuffer(string: text)) else {
      fatalError("the benchmark's own request is malformed")
    }
    let key = CacheKey(request, isSecure: false, secret: store.secret)
    let route = RequestRoute(cached: 0, passThrough: 0)
    let directives = route.directives(request.fields)
    look = FirstLook.take(
      request: request, key: key, directives: directives, route: route, store: store, now: now)
    transaction = Transaction(
      request: request, key: key, directives: directives, route: route, store: store)
    transaction.listen(wake: {}, resume: {})
    self.length = length
  }

  /// Goes one step further: what was asked for, or the next chunk.
  func step(_ now: Instant, _ received: inout ReceiveBuffers) {
    if case .answer = look {
      isHit = true
      isOver = true
      return
    }
    if !began {
      began = true
      transaction.handle(.begin(look), now: now)
      drain(now)
      let head = Self.head(length)
      if leads { transaction.handle(.upstreamHead(head), now: now) }
    } else if !leads {
      transaction.handle(.flightNews, now: now)
    } else if sent < length {
      let chunk = received.next(atMost: length - sent)
      sent += chunk.readableBytes
      transaction.handle(.upstreamContent(chunk), now: now)
    } else {
      transaction.handle(.upstreamEnd(nil), now: now)
    }
    drain(now)
  }

  private func drain(_ now: Instant) {
    while let action = transaction.nextAction(clientIsWritable: true, now: now) {
      switch action {
      case .sendStored, .sendEnd, .sendError, .abortClient: isOver = true
      case .forward:
        leads = true
        sent = 0
      case .cancelUpstream: leads = false
      default: break
      }
    }
  }

  /// A head as origins send them, about 350 bytes.
  @inline(never)
  private static func head(_ length: Int) -> ResponseHead {
    let text = """
      HTTP/1.1 200 OK\r
      Server: nginx/1.24.0\r
      Date: Tue, 14 Nov 2023 22:13:20 GMT\r
      Content-Type: text/html; charset=utf-8\r
      Content-Length: \(length)\r
      Last-Modified: Mon, 13 Nov 2023 08:00:00 GMT\r
      Connection: keep-alive\r
      ETag: "6551d6c0-\(length)"\r
      Cache-Control: public, max-age=86400\r
      X-Content-Type-Options: nosniff\r
      Strict-Transport-Security: max-age=31536000\r
      Access-Control-Allow-Origin: *\r
      Accept-Ranges: bytes\r
      \r\n
      """
    var parser = ResponseParser()
    let bytes = ByteBuffer(string: text)
    do throws(MalformedMessage) {
      guard case .head(let head, let consumed) = try parser.parse(bytes, toHead: false),
        consumed == bytes.readableBytes
      else { fatalError("the benchmark's own response is not whole") }
      return head
    } catch {
      fatalError("the benchmark's own response is malformed: \(error)")
    }
  }
}

/// Chunks as a socket gives them: a buffer for each read, of the size that reads have lately had.
struct ReceiveBuffers {
  private let allocator = ByteBufferAllocator()
  private let source = ByteBuffer(repeating: 0x78, count: 65_536)

  mutating func next(atMost count: Int) -> ByteBuffer {
    let size = min(count, 65_536)
    var buffer = allocator.buffer(capacity: size < 2048 ? 2048 : 65_536)
    if let bytes = source.getSlice(at: 0, length: size) { buffer.writeImmutableBuffer(bytes) }
    return buffer
  }
}

/// A generator of numbers that gives the same ones each time.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A number from 0 up to 1.
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
