import FoundationEssentials
import Glibc
import NIOCore
import NIOPosix
import Testing

@testable import edge_load

/// A sample origin over a temporary directory.
struct TestOrigin {
  let directory: String
  let url: String
  let counts = RequestCounts()
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  private let threads = NIOThreadPool(numberOfThreads: 1)
  private let channel: any Channel

  init(latency: TimeSpan = .zero) async throws {
    var template = Array("/tmp/edge-load-test.XXXXXX".utf8CString)
    directory = String(cString: try #require(mkdtemp(&template)))
    threads.start()
    let files = try #require(SiteFiles(root: directory))
    let site = OriginSite(
      files: files, api: OriginAPI(region: "test"), counts: counts, latency: latency,
      log: try OriginLog("off"), threads: threads)
    let group = self.group
    channel = try await onOwnThread {
      try site.listen(on: ListenAddress(host: "127.0.0.1", port: 0), group: group)
    }
    url = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)"
  }

  func write(_ name: String, _ text: String) throws {
    try text.write(toFile: directory + "/" + name, atomically: false, encoding: .utf8)
  }

  func stop() async throws {
    try await channel.close()
    try await group.shutdownGracefully()
    try await threads.shutdownGracefully()
    try FileManager.default.removeItem(atPath: directory)
  }

  /// Sends bytes and returns all that comes back until the origin closes.
  func exchange(_ request: String) async throws -> String {
    let port = channel.localAddress?.port ?? 0
    return try await onOwnThread {
      let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(socket) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = in_port_t(port).bigEndian
      address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
      let status = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      guard status == 0 else { return "" }
      _ = writeWhole(request, to: socket)
      var bytes: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 65536)
      while case let count = read(socket, &buffer, buffer.count), count > 0 {
        bytes += buffer[..<count]
      }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  /// One GET on a connection of its own.
  func get(_ target: String, _ fields: String = "") async throws -> String {
    try await exchange("GET \(target) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(fields)\r\n")
  }
}

@Suite("Origin on sockets")
struct OriginServerTests {
  @Test("Files come with validators, and links never lead out of the root")
  func files() async throws {
    let origin = try await TestOrigin()
    try origin.write("index.html", "front")
    try origin.write("app.3f9c1b7ade01.js", "0123456789")
    #expect(symlink("/etc/passwd", origin.directory + "/leak") == 0)
    #expect(mkfifo(origin.directory + "/fifo", 0o600) == 0)

    let front = try await origin.get("/")
    #expect(front.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(front.hasSuffix("\r\n\r\nfront"))
    #expect(front.contains("Cache-Control: no-cache\r\n"))
    #expect(front.contains("X-Origin: test\r\n"))

    let hashed = try await origin.get("/app.3f9c1b7ade01.js", "Range: bytes=2-4\r\n")
    #expect(hashed.hasPrefix("HTTP/1.1 206 "))
    #expect(hashed.contains("Content-Range: bytes 2-4/10\r\n"))
    #expect(hashed.contains("immutable"))
    #expect(hashed.hasSuffix("\r\n\r\n234"))

    let tag = hashed.split(separator: "\r\n").first { $0.hasPrefix("ETag: ") }?.dropFirst(6) ?? ""
    let same = try await origin.get("/app.3f9c1b7ade01.js", "If-None-Match: \(tag)\r\n")
    #expect(same.hasPrefix("HTTP/1.1 304 "))

    for target in ["/leak", "/fifo", "/none"] {
      #expect(try await origin.get(target).hasPrefix("HTTP/1.1 404 "), "\(target)")
    }
    #expect(try await origin.get("/../etc/passwd").hasPrefix("HTTP/1.1 400 "))
    try await origin.stop()
  }

  @Test("HEAD has the length and no content; other methods are refused")
  func methods() async throws {
    let origin = try await TestOrigin()
    try origin.write("a.css", "body{}")
    let head = try await origin.exchange(
      "HEAD /a.css HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(head.contains("Content-Length: 6\r\n"))
    #expect(head.hasSuffix("\r\n\r\n"))
    let post = try await origin.exchange(
      "POST /a.css HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")
    #expect(post.hasPrefix("HTTP/1.1 405 "))
    #expect(post.contains("Allow: GET, HEAD\r\n"))
    try await origin.stop()
  }

  @Test("Echo answers an expectation, and waits for the latency with content at hand")
  func echo() async throws {
    let origin = try await TestOrigin(latency: .milliseconds(20))
    let answer = try await origin.exchange(
      "POST /api/echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\n"
        + "Content-Type: text/x\r\nContent-Length: 5\r\n\r\nhello")
    #expect(answer.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"))
    #expect(answer.contains("Content-Type: text/x\r\n"))
    #expect(answer.hasSuffix("\r\n\r\nhello"))
    try await origin.stop()
  }

  @Test("Pipelined requests are answered in order, and counted")
  func pipelined() async throws {
    let origin = try await TestOrigin()
    let answer = try await origin.exchange(
      "GET /api/slow?ms=30 HTTP/1.1\r\nHost: a\r\n\r\nGET /bytes/3?cache=max-age=7 HTTP/1.1\r\n"
        + "Host: a\r\nConnection: close\r\n\r\n")
    let heads = answer.components(separatedBy: "HTTP/1.1 200 OK").dropFirst()
    #expect(heads.count == 2)
    #expect(heads.first?.contains("waitedMilliseconds\":30") == true)
    #expect(heads.last?.contains("Cache-Control: max-age=7\r\n") == true)
    #expect(origin.counts.snapshot().paths == ["/api/slow": 1, "/bytes/3": 1])
    try await origin.stop()
  }

  @Test("Large generated content arrives whole")
  func stream() async throws {
    let origin = try await TestOrigin()
    let target = try LoadTarget(url: origin.url + "/bytes/5000000")
    var plan = LoadPlan(targets: [target], connections: 1, duration: .seconds(300))
    (plan.requests, plan.timeout) = (3, .seconds(60))
    let report = try await run(plan)
    #expect(report.isClean)
    #expect(report.requests == 3)
    #expect(report.bytes > 5_000_000 * 3)
    try await origin.stop()
  }

  @Test("Generated names: the same content each time, ranges of it, and an entity tag")
  func generated() async throws {
    let origin = try await TestOrigin()
    let target = "/w/3000/part1.0a1b2c3d4e5f.js"
    let whole = try await origin.get(target)
    #expect(whole.contains("immutable"))
    #expect(whole.contains("Content-Length: 3000\r\n"))
    // All but the head, which has the time in it.
    let again = try await origin.get(target)
    #expect(again.split(separator: "\r\n\r\n").last == whole.split(separator: "\r\n\r\n").last)
    let tag = GeneratedName(path: Array(target.utf8), size: 3000).entityTag
    let same = try await origin.get(target, "If-None-Match: \(tag)\r\n")
    #expect(same.hasPrefix("HTTP/1.1 304 "))
    let part = try await origin.get(target, "Range: bytes=10-19\r\n")
    #expect(part.contains("Content-Range: bytes 10-19/3000\r\n"))
    try await origin.stop()
  }

  @Test("Versioned resources change when they are told to")
  func versioned() async throws {
    let origin = try await TestOrigin()
    #expect(try await origin.get("/versioned/3").contains("ETag: \"v1-3\"\r\n"))
    let next = try await origin.exchange(
      "POST /versioned/3/next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        + "Content-Length: 0\r\n\r\n")
    #expect(next.contains("ETag: \"v2-3\"\r\n"))
    #expect(try await origin.get("/versioned/3").hasSuffix("resource 3, version 2\n"))
    #expect(try await origin.get("/versioned/3/next").hasPrefix("HTTP/1.1 405 "))
    try await origin.stop()
  }

  @Test("A load with content: all of it arrives, and comes back")
  func content() async throws {
    let origin = try await TestOrigin()
    var plan = LoadPlan(
      targets: [try LoadTarget(url: origin.url + "/api/echo")], connections: 3,
      duration: .seconds(300), timeout: .seconds(60))
    (plan.method, plan.contentSize, plan.requests) = ("POST", 700_000, 12)
    let report = try await run(plan)
    #expect(report.isClean)
    #expect(report.bytes > 12 * 700_000)
    try await origin.stop()
  }

  @Test("A prefilled workload: an infinite cache has only what is dynamic to ask for")
  func workload() async throws {
    let origin = try await TestOrigin()
    var plan = LoadPlan(
      targets: [try LoadTarget(url: origin.url)], connections: 4, duration: .seconds(300),
      timeout: .seconds(60))
    plan.workload = NamedWorkload.assets.model
    plan.workload?.core = 50
    (plan.prefills, plan.requests, plan.conditional) = (true, 300, 0.2)
    let report = try await run(plan)
    #expect(report.isClean)
    #expect(report.requests == 300)
    let counts = origin.counts.snapshot()
    let dynamic = counts.paths.filter { $0.key.hasPrefix("/api/") }.values.reduce(0, +)
    #expect(report.infiniteCache?.forwards == dynamic)
    #expect(counts.total == 350)
    #expect((report.statusClasses["3xx"] ?? 0) > 20)
    try await origin.stop()
  }

  @Test("Every answer is held back, thousands at once, for the latency and hardly longer")
  func latency() async throws {
    let origin = try await TestOrigin(latency: .milliseconds(200))
    var plan = LoadPlan(
      targets: [try LoadTarget(url: origin.url)], connections: 1000, duration: .seconds(600),
      timeout: .seconds(120))
    plan.workload = NamedWorkload.assets.model
    plan.requests = 2000
    let report = try await run(plan)
    #expect(report.isClean)
    #expect((report.latencyMicroseconds["all"]?.min ?? 0) >= 200_000)
    // One after the other they would take more than six minutes and a half.
    #expect(report.seconds < 200)
    try await origin.stop()
  }
}
