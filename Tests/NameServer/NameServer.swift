import Foundation
import Glibc
import Synchronization

// A small name server for tests: UDP and TCP on one port of loopback, on a thread of its own. It says what a test
// tells it to, or nothing at all, and remembers what it was asked.

/// A name server that does as it is told.
public final class NameServer: Sendable {
  /// What is said about one family of addresses of a name.
  public enum Reply: Sendable {
    /// These addresses, for so many seconds.
    case addresses([String], ttl: UInt32 = 60)
    /// There are none of this family.
    case none
    /// Nothing.
    case silence
    /// An error: 2 is SERVFAIL, 3 NXDOMAIN, 5 REFUSED.
    case code(UInt8)
    /// Bytes that are no answer.
    case nonsense
  }

  /// What is said about a name.
  public struct Record: Sendable {
    public var ipv4: Reply
    public var ipv6: Reply
    /// True if answers over UDP say that they are cut off.
    public var isLong = false
    /// A name that this one is another name of, and for how many seconds.
    public var alias: (name: String, ttl: UInt32)?

    public init(
      _ ipv4: Reply, _ ipv6: Reply = .none, isLong: Bool = false,
      alias: (name: String, ttl: UInt32)? = nil
    ) {
      (self.ipv4, self.ipv6, self.isLong, self.alias) = (ipv4, ipv6, isLong, alias)
    }
  }

  /// Something that was asked.
  public struct Question: Sendable, Hashable {
    /// In lower case, without the last dot.
    public var name: String
    public var isIPv6: Bool
    public var isTCP: Bool
  }

  private struct State {
    var records: [String: Record] = [:]
    var questions: [Question] = []
    var isDown = false
  }

  /// The port, of UDP and TCP.
  public let port: Int
  private let state = Mutex(State())
  private let udp: CInt
  private let tcp: CInt
  private let bell: [CInt]

  /// Starts one that knows no name.
  public init() throws {
    var (udp, tcp, port): (CInt, CInt, UInt16) = (-1, -1, 0)
    for _ in 0..<100 {
      (udp, port) = try Self.bound(SOCK_DGRAM, port: 0)
      if let (found, _) = try? Self.bound(SOCK_STREAM, port: port) {
        tcp = found
        break
      }
      close(udp)
    }
    guard tcp >= 0, listen(tcp, 16) == 0 else { throw POSIXError(.EADDRINUSE) }
    var bell: [CInt] = [0, 0]
    guard pipe(&bell) == 0 else { throw POSIXError(.EMFILE) }
    (self.udp, self.tcp, self.port, self.bell) = (udp, tcp, Int(port), bell)
    Thread.detachNewThread { self.run() }
  }

  /// Where it is, as resolvers are told.
  public var address: String { "127.0.0.1:\(port)" }

  /// What it has been asked, in order.
  public var questions: [Question] { state.withLock { $0.questions } }

  /// Says something about a name from now on, or that there is none.
  public func set(_ name: String, _ record: Record?) {
    state.withLock { $0.records[name] = record }
  }

  /// Whether it answers nothing at all.
  public func setDown(_ isDown: Bool) { state.withLock { $0.isDown = isDown } }

  /// Ends it; its ports are closed soon.
  public func stop() { _ = write(bell[1], "x", 1) }

  // MARK: Sockets

  private static func bound(_ type: __socket_type, port: UInt16) throws -> (CInt, UInt16) {
    let descriptor = socket(AF_INET, CInt(type.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
      }
    }
    guard isBound else {
      close(descriptor)
      throw POSIXError(.EADDRINUSE)
    }
    return (descriptor, UInt16(bigEndian: address.sin_port))
  }

  private func run() {
    var connections: [CInt: [UInt8]] = [:]
    while true {
      var waits = ([bell[0], udp, tcp] + connections.keys).map {
        pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
      }
      guard poll(&waits, nfds_t(waits.count), -1) > 0 else { continue }
      if waits[0].revents != 0 { break }
      if waits[1].revents != 0 { answerDatagram() }
      if waits[2].revents != 0 {
        let connection = accept(tcp, nil, nil)
        if connection >= 0 { connections[connection] = [] }
      }
      for wait in waits.dropFirst(3) where wait.revents != 0 {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = recv(wait.fd, &bytes, bytes.count, 0)
        guard count > 0 else {
          close(wait.fd)
          connections[wait.fd] = nil
          continue
        }
        connections[wait.fd, default: []] += bytes.prefix(count)
        while let message = Self.takeMessage(&connections[wait.fd, default: []]) {
          guard let answer = answer(message, isTCP: true) else { continue }
          let framed = [UInt8(answer.count >> 8), UInt8(answer.count & 255)] + answer
          _ = send(wait.fd, framed, framed.count, CInt(MSG_NOSIGNAL))
        }
      }
    }
    for descriptor in [udp, tcp] + bell + connections.keys { close(descriptor) }
  }

  private static func takeMessage(_ bytes: inout [UInt8]) -> [UInt8]? {
    guard bytes.count >= 2 else { return nil }
    let count = Int(bytes[0]) << 8 | Int(bytes[1])
    guard bytes.count >= 2 + count else { return nil }
    defer { bytes.removeFirst(2 + count) }
    return Array(bytes[2..<(2 + count)])
  }

  private func answerDatagram() {
    var bytes = [UInt8](repeating: 0, count: 4096)
    var peer = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    withUnsafeMutablePointer(to: &peer) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { peer in
        let count = recvfrom(udp, &bytes, bytes.count, 0, peer, &size)
        guard count > 0, let answer = answer(Array(bytes.prefix(count)), isTCP: false) else {
          return
        }
        _ = sendto(udp, answer, answer.count, 0, peer, size)
      }
    }
  }

  // MARK: Messages (RFC 1035 §4)

  private func answer(_ query: [UInt8], isTCP: Bool) -> [UInt8]? {
    var labels: [String] = []
    var index = 12
    while index < query.count, query[index] > 0 {
      let end = index + 1 + Int(query[index])
      guard end < query.count else { return nil }
      labels.append(String(decoding: query[(index + 1)..<end], as: UTF8.self).lowercased())
      index = end
    }
    guard index + 5 <= query.count else { return nil }
    let name = labels.joined(separator: ".")
    let isIPv6 = query[index + 2] == 28
    let (record, isDown) = state.withLock { state -> (Record?, Bool) in
      state.questions.append(Question(name: name, isIPv6: isIPv6, isTCP: isTCP))
      return (state.records[name], state.isDown)
    }
    if isDown { return nil }
    let question = Array(query[12..<(index + 5)])
    func message(_ code: UInt8, isCut: Bool = false, _ records: [[UInt8]] = []) -> [UInt8] {
      Array(query[0..<2]) + [0x81 | (isCut ? 2 : 0), 0x80 | code, 0, 1, 0, UInt8(records.count)]
        + [0, 0, 0, 0] + question + records.joined()
    }
    guard let record else { return message(3) }
    if record.isLong, !isTCP { return message(0, isCut: true) }
    var records: [[UInt8]] = []
    var owner: [UInt8] = [0xC0, 0x0C]
    if let alias = record.alias {
      let target = Self.encoded(alias.name)
      records.append(Self.record(owner, 5, alias.ttl, target))
      owner = target
    }
    switch isIPv6 ? record.ipv6 : record.ipv4 {
    case .silence: return nil
    case .nonsense: return Array(query.prefix(2)) + [0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0, 63, 1]
    case .none: return message(0, records)
    case .code(let code): return message(code)
    case .addresses(let addresses, let ttl):
      records += addresses.map { text in
        var bytes = [UInt8](repeating: 0, count: isIPv6 ? 16 : 4)
        inet_pton(isIPv6 ? AF_INET6 : AF_INET, text, &bytes)
        return Self.record(owner, isIPv6 ? 28 : 1, ttl, bytes)
      }
      return message(0, records)
    }
  }

  private static func encoded(_ name: String) -> [UInt8] {
    name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
  }

  private static func record(
    _ owner: [UInt8], _ type: UInt8, _ ttl: UInt32, _ data: [UInt8]
  ) -> [UInt8] {
    let time = withUnsafeBytes(of: ttl.bigEndian) { Array($0) }
    return owner + [0, type, 0, 1] + time + [0, UInt8(data.count)] + data
  }
}
