// `edge-load origin`: argument validation and wiring of the sample origin.

import ArgumentParser
import EdgeFleet
import NIOCore
import NIOPosix

/// Serves the files below a directory and a small dynamic API over HTTP/1.1.
struct OriginCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "origin",
    abstract: "Serve files and a small dynamic API: something to put a cache in front of.",
    discussion: """
      Files get an ETag, Last-Modified and the Cache-Control that a build tool would set. \
      Below /api/: time, echo, hello, slow, products, stats. Also /bytes/N, /slow-bytes/N, and what workloads and purge tests read. \
      Says "origin listening on URL" on standard error once it accepts connections, \
      and exits with status 0 on SIGINT or SIGTERM.
      """
  )

  @Option(
    help: "The directory to serve; nothing outside of it is ever read.", completion: .directory)
  var root: String

  @Option(help: "Address and port to listen on; port 0 takes a free one; repeatable.")
  var listen = [ListenAddress(host: "127.0.0.1", port: 3000)]

  @Option(help: "Held back before every response head, such as 20ms.", transform: TimeSpan.parse)
  var latency = TimeSpan.zero

  @Option(help: "The region's name, in X-Origin and in the API's answers.")
  var name = "us"

  @Option(
    help: "Request log: - for standard output, a path to append to, or off.", completion: .file())
  var log = "off"

  func validate() throws {
    guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw ValidationError("--name must be visible ASCII without spaces, such as us")
    }
  }

  func run() throws {
    guard let files = SiteFiles(root: root) else {
      throw CommandFailure.cannotStart(
        "no directory at \(root); give --root a directory that can be read")
    }
    DescriptorLimit.raise()
    let threads = NIOThreadPool(numberOfThreads: 2)
    threads.start()
    let log = try OriginLog(log)
    let site = OriginSite(
      files: files, api: OriginAPI(region: name), counts: RequestCounts(), latency: latency,
      log: log, threads: threads)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let servers = try listen.map { try site.listen(on: $0, group: group) }
    let stop = StopSignal { for server in servers { server.close(promise: nil) } }
    for (address, server) in zip(listen, servers) {
      let port = server.localAddress?.port ?? address.port
      writeToStandardError("origin listening on \(address.url(port: port))\n")
    }
    for server in servers { try? server.closeFuture.wait() }
    try? group.syncShutdownGracefully()
    try? threads.syncShutdownGracefully()
    stop.cancel()
    if let problem = log.problem {
      throw CommandFailure(status: CommandFailure.sawErrors, line: problem)
    }
  }
}

/// An address and port to listen on.
struct ListenAddress: Equatable, Sendable, ExpressibleByArgument, CustomStringConvertible {
  /// A name or a numeric address, without brackets.
  var host: String
  /// 0 to 65535; 0 takes a free port.
  var port: Int

  /// An address from its parts.
  init(host: String, port: Int) {
    (self.host, self.port) = (host, port)
  }

  /// Reads `host:port`, `[::1]:port` or `:port`.
  init?(argument: String) {
    guard let colon = argument.lastIndex(of: ":") else { return nil }
    let digits = argument[argument.index(after: colon)...]
    guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits) else {
      return nil
    }
    var host = argument[..<colon]
    if host.hasPrefix("[") {
      guard host.hasSuffix("]") else { return nil }
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    self.init(host: host.isEmpty ? "0.0.0.0" : String(host), port: Int(port))
  }

  var description: String {
    host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  var defaultValueDescription: String { description }

  /// The URL of this address with the port that was really taken.
  func url(port: Int) -> String {
    "http://\(ListenAddress(host: host, port: port))"
  }
}
