// Kills, again and again, at any moment of fills, evictions and purges, with a log of purges that is lost or changed
// in between, and a disk that is full for a while: whatever a PoP serves after a restart is whole, belongs to its
// URL, is no older than the last purge that was acknowledged, and as a hit not older than it may be.

import Foundation
import Glibc
import Synchronization
import Testing

/// Content that names its URL and version, and the origin that has it.
private final class VersionedOrigin: Server {
  static let count = 600
  private let listener: Socket
  private let versions = Mutex([Int](repeating: 0, count: count))

  init() throws {
    listener = try Socket.bound(listens: true)
    let listener = listener
    Thread.detachNewThread { [weak self] in
      while let socket = listener.accept() {
        Thread.detachNewThread { [weak self] in
          try? self?.serve(socket)
        }
      }
    }
  }

  deinit { listener.shutDown() }

  var port: Int { listener.port }

  func version(_ number: Int) -> Int { versions.withLock { $0[number] } }

  func advance(_ number: Int) -> Int {
    versions.withLock { versions in
      versions[number] += 1
      return versions[number]
    }
  }

  /// Seconds for which a response is fresh.
  static func maxAge(_ number: Int) -> Int { number % 16 == 0 ? 2 : 6000 }

  static func content(_ number: Int, _ version: Int) -> [UInt8] {
    let name = "\(number):\(version);"
    // From nothing to 400 KB; most are small.
    let size = number % 50 == 0 ? 400_000 : number * number % 20_000
    return Array(String(repeating: name, count: size / name.utf8.count + 1).utf8)
  }

  private func serve(_ socket: Socket) throws {
    let connection = HTTPConnection(socket)
    while true {
      let line = try connection.line()
      while try !connection.line().isEmpty {}
      let path = line.split(separator: " ").dropFirst().first ?? ""
      guard let number = Int(path.dropFirst()), (0..<Self.count).contains(number) else { return }
      let content = Self.content(number, version(number))
      try socket.write(
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=\(Self.maxAge(number))\r\n"
          + "Content-Length: \(content.count)\r\n\r\n")
      try content.withUnsafeBytes(socket.write)
    }
  }
}

/// What may be served, and what was.
private final class CrashModel: Sendable {
  struct Counts: Sendable {
    var responses = 0
    var hits = 0
    var purges = 0
    var failures: [String] = []
  }

  let origin: VersionedOrigin
  /// The version of each URL that a purge was acknowledged for.
  private let floors = Mutex([Int](repeating: 0, count: VersionedOrigin.count))
  let counts = Mutex(Counts())

  init(_ origin: VersionedOrigin) {
    self.origin = origin
  }

  /// Asks until the PoP is gone.
  func ask(_ port: Int, seed: UInt64) {
    var random = Seeded(state: seed)
    guard let connection = try? HTTPConnection(port: port) else { return }
    while true {
      // Some are asked for much more often than others.
      let number = min(random.below(VersionedOrigin.count), random.below(VersionedOrigin.count))
      let floor = floors.withLock { $0[number] }
      guard let response = try? connection.request("GET", "/\(number)") else { return }
      check(response, number, floor)
    }
  }

  private func check(_ response: Response, _ number: Int, _ floor: Int) {
    let status = response["cache-status"] ?? ""
    func fail(_ why: String) {
      counts.withLock { $0.failures.append("/\(number): \(why) (\(status))") }
    }
    counts.withLock { counts in
      counts.responses += 1
      if status.contains("; hit") { counts.hits += 1 }
    }
    guard response.status == 200 else { return fail("status \(response.status)") }
    let name = response.content.prefix { $0 != UInt8(ascii: ";") }
    let parts = String(decoding: name, as: UTF8.self).split(separator: ":").compactMap { Int($0) }
    guard parts.count == 2, parts[0] == number else { return fail("the content of another URL") }
    let expected = VersionedOrigin.content(number, parts[1])
    guard expected.count == response.content.count,
      memcmp(expected, response.content, expected.count) == 0
    else { return fail("torn or mixed content of version \(parts[1])") }
    if parts[1] < floor { fail("version \(parts[1]), and \(floor) was purged") }
    if parts[1] > origin.version(number) { fail("version \(parts[1]) does not exist") }
    let age = response["age"].flatMap { Int($0) } ?? 0
    if status.contains("; hit"), age > VersionedOrigin.maxAge(number) { fail("age \(age)") }
  }

  /// Purges until the PoP is gone.
  func purge(_ port: Int, _ admin: Int, seed: UInt64) {
    var random = Seeded(state: seed)
    guard let connection = try? HTTPConnection(port: admin) else { return }
    while true {
      let number = random.below(VersionedOrigin.count)
      let version = origin.advance(number)
      let body = #"{"scope":"url","urls":["http://127.0.0.1/\#(number)"]}"#
      guard
        let response = try? connection.request(
          "POST", "/purge", ["Content-Type: application/json"], content: Array(body.utf8)),
        response.status == 200
      else { return }
      floors.withLock { $0[number] = max($0[number], version) }
      counts.withLock { $0.purges += 1 }
      usleep(useconds_t(random.below(5000)))
    }
  }
}

private struct Seeded {
  var state: UInt64

  mutating func below(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % bound
  }
}

/// Changes the files of a store that nobody uses.
private final class Intruder: Sendable {
  private struct State: Sendable {
    /// The log as it was at some time.
    var old = Data()
    var changes = 0
  }

  private let directory: String
  private let state = Mutex(State())

  init(_ directory: String) {
    self.directory = directory
  }

  /// Number of changes.
  var changes: Int { state.withLock { $0.changes } }

  private func read(_ name: String) -> Data? {
    try? Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(name)"))
  }

  /// Remembers the log as it is now.
  func look() {
    guard let log = read("purge.log") else { return }
    state.withLock { $0.old = log }
  }

  /// Takes the log away, cuts it, puts an older one there, or flips a bit in one of the files.
  func change(_ below: (Int) -> Int) throws {
    guard let log = read("purge.log"), !log.isEmpty else { return }
    let name = ["purge.log", "purge.mark", "STORE"][below(3)]
    let path = "\(directory)/\(name)"
    var bytes = log
    switch below(6) {
    case 0: return try done { try FileManager.default.removeItem(atPath: "\(directory)/purge.log") }
    case 1: bytes.removeLast(bytes.count - min(bytes.count, below(2)))
    case 2: bytes.removeLast(bytes.count / 2)
    case 3: bytes = state.withLock { $0.old }
    case 4: bytes.removeLast(1 + below(bytes.count))
    default:
      guard var file = read(name), !file.isEmpty else { return }
      file[below(min(file.count, 64))] ^= UInt8(1 << below(8))
      return try done { try file.write(to: URL(fileURLWithPath: path)) }
    }
    try done { try bytes.write(to: URL(fileURLWithPath: "\(directory)/purge.log")) }
  }

  private func done(_ body: () throws -> Void) rethrows {
    try body()
    state.withLock { $0.changes += 1 }
  }
}

extension EndToEnd {
  @Suite struct DiskCrashTests {
    /// Rounds in all, of which 100 at a time go on with one store.
    private static let rounds =
      ProcessInfo.processInfo.environment["CRASH_ROUNDS"].flatMap { Int($0) } ?? 12

    @Test(
      "Nothing torn, mixed or purged is served after any number of SIGKILLs",
      arguments: 0..<(rounds + 99) / 100)
    func kills(_ block: Int) async throws {
      let rounds = min(100, Self.rounds - block * 100)
      let given = ProcessInfo.processInfo.environment["CRASH_SEED"].flatMap { UInt64($0) }
      let seed = given ?? UInt64.random(in: 0...999_999)
      try await Stage.run { stage in
        let origin = try VersionedOrigin()
        let model = CrashModel(origin)
        let (place, admin) = (try Socket.bound(listens: false), try Socket.bound(listens: false))
        var random = Seeded(state: seed)
        // Where that is possible, on a disk that can be filled.
        let disk =
          SmallDisk.isPossible
          ? try await SmallDisk.make(on: stage, at: "disk", kibibytes: 24 << 10) : nil
        let store = "\(disk?.place ?? stage.directory)/store"
        let intruder = Intruder("\(disk?.outside ?? stage.directory)/store")
        for round in 0..<rounds {
          if random.below(3) == 0 { try intruder.change { random.below($0) } }
          // A store that is not there yet cannot begin without room, and says so.
          if random.below(3) == 0, round > 0 { try disk?.fill() }
          let pop = try await PoP.start(
            on: stage,
            arguments: [
              "--upstream", origin.url, "--listen", "127.0.0.1:\(place.port)", "--admin",
              "127.0.0.1:\(admin.port)", "--memory", "1MiB", "--disk", store,
              "--disk-size", "16MiB", "--disk-admission", "all", "--log-level", "critical",
            ], disk: disk)
          let salt = seed &+ UInt64(round) &* 1000
          let lives = 100 + random.below(700)
          await withTaskGroup(of: Void.self) { group in
            for client in 0..<3 {
              group.addTask {
                try? await onThread { model.ask(place.port, seed: salt &+ UInt64(client)) }
              }
            }
            group.addTask {
              try? await onThread { model.purge(place.port, admin.port, seed: salt &+ 7) }
            }
            group.addTask {
              // The moment of the kill is what is tried here, not a wait for something. Only a PoP that
              // has done next to nothing lives on.
              try? await Task.sleep(for: .milliseconds(lives / 2))
              intruder.look()
              disk?.free()
              try? await Task.sleep(for: .milliseconds(lives / 2))
              _ = try? await eventually("hits and purges") {
                let counts = model.counts.withLock { $0 }
                let isEnough = counts.hits > (round + 1) * 4 && counts.purges > (round + 1) * 2
                return isEnough || !counts.failures.isEmpty ? true : nil
              }
              await pop.process.stop(SIGKILL)
            }
          }
          let failures = model.counts.withLock { $0.failures }
          if !failures.isEmpty {
            Issue.record(
              "CRASH_SEED=\(seed), round \(round): \(failures.prefix(5).joined(separator: "\n"))")
            return
          }
        }
        let counts = model.counts.withLock { $0 }
        // Without hits, or purges, nothing would have been tried.
        #expect(counts.hits > rounds * 4 && counts.purges > rounds * 2, "\(counts)")
        if rounds > 12 {
          print(
            "\(rounds) kills (CRASH_SEED=\(seed)): \(counts.responses) responses, \(counts.hits) hits, "
              + "\(counts.purges) purges, \(intruder.changes) times files were changed, none wrong")
        }
      }
    }
  }
}
