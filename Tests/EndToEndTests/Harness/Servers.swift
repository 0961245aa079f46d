// The servers of a test: PoPs, sample origins and nginx, each started, awaited by its own word and
// known by the port that it really took.

import Foundation
import Glibc

/// A server of this machine.
protocol Server: Sendable {
  var port: Int { get }
}

extension Server {
  var url: String { "http://127.0.0.1:\(port)" }

  /// One request on a connection of its own; without a host it names the server, as curl does.
  func request(
    _ method: String = "GET", _ target: String, host: String? = nil,
    _ fields: [String] = [], content: [UInt8]? = nil
  ) async throws -> Response {
    let port = port
    return try await onThread {
      try HTTPConnection(port: port).request(
        method, target, host: host ?? "127.0.0.1:\(port)",
        fields + ["Connection: close"], content: content)
    }
  }
}

/// The port in the first URL that follows a text.
private func port(after text: String, in line: String) throws -> Int {
  let match = line.firstRange(of: text)
    .flatMap { line[$0.upperBound...].firstMatch(of: /https?:\/\/[^\s,]*:(\d+)/) }
    .flatMap { Int($0.1) }
  guard let match else { throw ProcessProblem(description: "no port in '\(line)'") }
  return match
}

/// A running edge-pop.
struct PoP: Server {
  let process: RunningProcess
  let port: Int
  let admin: Int

  /// Starts one before a single upstream.
  static func start(
    on stage: Stage, upstream: any Server, _ arguments: [String] = [],
    variables: [String: String?] = [:]
  ) async throws -> PoP {
    try await start(
      on: stage,
      arguments: ["--upstream", upstream.url, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
        + arguments, variables: variables)
  }

  /// Starts one with any arguments, on a disk of its own if there is one, and waits until it is ready.
  static func start(
    on stage: Stage, arguments: [String], disk: SmallDisk? = nil,
    variables: [String: String?] = [:]
  ) async throws -> PoP {
    let (program, all) =
      try disk?.command(Programs.edgePoP, arguments) ?? (Programs.edgePoP, arguments)
    let process = try stage.start(program, all, variables: variables)
    let line = try await process.line(containing: "listening on ")
    return PoP(
      process: process, port: try EndToEndTests.port(after: "listening on ", in: line),
      admin: try EndToEndTests.port(after: "admin on ", in: line))
  }

  var adminURL: String { "http://127.0.0.1:\(admin)" }

  /// A value of /proc/PID/status in KiB, such as VmRSS or its highest value, VmHWM.
  func memory(_ name: String) throws -> Int {
    let text = try String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8)
    let line = text.split(separator: "\n").first { $0.hasPrefix("\(name):") }
    guard
      let value = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
    else { throw ProcessProblem(description: "no \(name) of \(process.pid)") }
    return value
  }
}

/// A running `edge-load origin`.
struct SampleOrigin: Server {
  let process: RunningProcess
  let port: Int

  /// Starts one over files of the stage.
  static func start(
    on stage: Stage, root: String? = nil, _ arguments: [String] = []
  ) async throws -> SampleOrigin {
    let process = try stage.start(
      Programs.edgeLoad,
      ["origin", "--root", root ?? stage.directory, "--listen", "127.0.0.1:0"] + arguments)
    let line = try await process.line(containing: "origin listening on ")
    return SampleOrigin(
      process: process, port: try EndToEndTests.port(after: "origin listening on ", in: line))
  }

  /// How many requests have reached it, by path.
  func requests() async throws -> [String: Int] {
    struct Counts: Decodable {
      var paths: [String: Int]
    }
    let response = try await request("GET", "/api/stats")
    return try JSONDecoder().decode(Counts.self, from: Data(response.content)).paths
  }
}

/// A running nginx that serves files and logs every request.
struct Nginx: Server {
  let process: RunningProcess
  let port: Int
  private let log: String

  /// Starts one; `server` is put into its server block.
  static func start(on stage: Stage, root: String, server: String = "") async throws -> Nginx {
    let program = try Programs.system("nginx")
    let place = try Socket.bound(listens: false)
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map { "  \($0)_temp_path \(stage.path("nginx-\($0)"));" }
    let configuration = """
      daemon off;
      master_process off;
      pid \(stage.path("nginx.pid"));
      error_log stderr warn;
      events { worker_connections 512; }
      http {
      \(temporary.joined(separator: "\n"))
        include /etc/nginx/mime.types;
        types_hash_max_size 4096;
        log_format requests '$request_method $request_uri $status';
        access_log \(stage.path("nginx.log")) requests;
        server {
          listen 127.0.0.1:\(place.port);
          root \(root);
      \(server)
        }
      }

      """
    let file = try stage.write("nginx.conf", configuration)
    let process = try stage.start(program, ["-c", file, "-p", stage.directory, "-e", "stderr"])
    let nginx = Nginx(process: process, port: place.port, log: stage.path("nginx.log"))
    _ =
      try await eventually("nginx that accepts connections") {
        if process.end.value != nil {
          throw ProcessProblem(description: "nginx ended: \(process.errors.value)")
        }
        return try? Socket.connect(to: place.port)
      } as Socket
    return nginx
  }

  /// Every request that has reached it so far, as `GET /path 200`, in order.
  ///
  /// The line of a request may be written after its last byte was sent. Its only worker does one
  /// thing after the other, so a request of our own marks the place up to which the log is
  /// complete.
  func requests() async throws -> [String] {
    let mark = "/mark-\(UInt64.random(in: 0...UInt64.max))"
    _ = try await request("GET", mark)
    let lines = try await eventually("the mark in nginx's log") { () -> [String]? in
      let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
      return lines.contains { $0.contains(mark) } ? lines.map(String.init) : nil
    }
    return lines.filter { !$0.contains(" /mark-") }
  }
}

/// A running WebSocket server of another make, which sends every message back.
struct WebSocketEcho: Server {
  let process: RunningProcess
  let port: Int

  static func start(on stage: Stage) async throws -> WebSocketEcho {
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Servers/websocket-echo.py").path
    let process = try stage.start(try Programs.system("python3"), [script])
    let line = try await process.line(containing: "listening on ")
    return WebSocketEcho(
      process: process, port: try EndToEndTests.port(after: "listening on ", in: line))
  }
}
