import CEpoll
import Glibc
import Synchronization

// Sockets between processes of this machine, over which they hand each other what they have open. Their names are in no
// directory (abstract), so that nothing of them is left when a process ends, however it ends.
//
// Unsafe memory: descriptors are passed by pointer. Invariant: each is to a list that lives across the call, of the
// count that the kernel is told, and of room for as many as can come with one byte.

/// A connection between two processes; blocking, of one thread at a time. Closed with the last who has it.
public final class LocalSocket: Sendable {
  private let open: Atomic<CInt>

  /// Takes over a descriptor.
  public init(_ descriptor: CInt) { open = Atomic(descriptor) }

  deinit { close() }

  /// The descriptor; negative once it is closed.
  public var descriptor: CInt { open.load(ordering: .relaxed) }

  /// Closes it now, whoever has it.
  public func close() {
    let closing = open.exchange(-1, ordering: .relaxed)
    if closing >= 0 { Glibc.close(closing) }
  }

  /// Ends it for whoever waits on it, and closes it.
  public func end() {
    Glibc.shutdown(descriptor, CInt(SHUT_RDWR))
    close()
  }

  private static func make() -> LocalSocket? {
    let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    return descriptor < 0 ? nil : LocalSocket(descriptor)
  }

  /// A socket that listens under a name; nil, with `errno`, if somebody else has it.
  public static func listen(_ name: String) -> LocalSocket? {
    guard let socket = make(), cepoll_local_bind(socket.descriptor, name) == 0,
      Glibc.listen(socket.descriptor, 16) == 0
    else { return nil }
    return socket
  }

  /// A connection to who listens under a name; nil if there is nobody.
  public static func connect(_ name: String) -> LocalSocket? {
    guard let socket = make(), cepoll_local_connect(socket.descriptor, name) == 0 else {
      return nil
    }
    return socket
  }

  /// The next who connected; nil if there is none.
  public func accept() -> LocalSocket? {
    let accepted = Glibc.accept(descriptor, nil, nil)
    if accepted < 0 { return nil }
    _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
    return LocalSocket(accepted)
  }

  /// The user and the process at the other end.
  public var peer: (user: uid_t, process: pid_t)? {
    var (user, process): (CUnsignedInt, CInt) = (0, 0)
    return cepoll_local_peer(descriptor, &user, &process) == 0 ? (user, process) : nil
  }

  /// True if the other end belongs to the user that this process runs as, or to root.
  public var isTrusted: Bool { peer.map { $0.user == geteuid() || $0.user == 0 } ?? false }

  /// Lets each later call fail after so many milliseconds without progress.
  public func setPatience(milliseconds: Int) {
    var time = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
    }
  }

  /// Writes a line; false if the other end is gone.
  @discardableResult
  public func write(line: String) -> Bool {
    let bytes = Array("\(line)\n".utf8)
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  /// What came of waiting for a line.
  public enum Line: Sendable, Hashable {
    case line(String)
    /// The other end is gone, or says more than it may.
    case ended
    /// The time was over before the line was complete.
    case late

    /// What was said, if something was.
    public var text: String? { if case .line(let text) = self { text } else { nil } }
  }

  /// Reads a line of so many bytes at most, and nothing behind it. All of it has to come within so many milliseconds.
  public func readLine(within milliseconds: Int, atMost most: Int = 16 << 10) -> Line {
    let deadline = Monotonic.now() + Int64(milliseconds) * 1_000_000
    var line: [UInt8] = []
    while line.count <= most {
      var byte: UInt8 = 0
      let count = recv(descriptor, &byte, 1, CInt(MSG_DONTWAIT))
      if count == 1 {
        if byte == UInt8(ascii: "\n") { return .line(String(decoding: line, as: UTF8.self)) }
        line.append(byte)
        continue
      }
      guard count < 0, errno == EAGAIN || errno == EINTR else { return .ended }
      let left = deadline - Monotonic.now()
      if left <= 0 { return .late }
      var place = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      _ = poll(&place, 1, CInt(clamping: left / 1_000_000 + 1))
    }
    return .ended
  }

  /// Gives the other end descriptors, which stay open here; false if it is gone.
  public func send(descriptors: [CInt]) -> Bool {
    var rest = descriptors[...]
    while !rest.isEmpty {
      let some = Array(rest.prefix(Int(CEPOLL_MOST_DESCRIPTORS)))
      let count = cepoll_send_descriptors(descriptor, some, CInt(some.count))
      if count < 0, errno == EINTR { continue }
      guard count == 1 else { return false }
      rest = rest.dropFirst(some.count)
    }
    return true
  }

  /// Takes so many descriptors from the other end; nil if it is gone, or there are others. Then none is left open.
  public func receiveDescriptors(_ wanted: Int) -> [CInt]? {
    var taken: [CInt] = []
    while taken.count < wanted {
      var some = [CInt](repeating: -1, count: Int(CEPOLL_MOST_DESCRIPTORS))
      let count = cepoll_receive_descriptors(descriptor, &some)
      if count < 0, errno == EINTR { continue }
      taken += some.prefix(max(0, Int(count)))
      guard count > 0, taken.count <= wanted else {
        for descriptor in taken { Glibc.close(descriptor) }
        return nil
      }
    }
    return taken
  }
}
