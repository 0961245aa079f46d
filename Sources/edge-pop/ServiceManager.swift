import EdgeFleet
import Glibc

// What a service manager is told (sd_notify): systemd with Type=notify, and others that understand it. It names a socket
// in the environment, and gets lines there.
//
// Unsafe memory: the address of that socket is made by bytes. Invariant: no more is copied than it has room for.

/// The service manager that has started this program, if it listens.
enum ServiceManager {
  /// Clients are accepted. `process` is said where another process was known before.
  static func ready(isNew: Bool) { tell("READY=1" + (isNew ? "\nMAINPID=\(getpid())" : "")) }

  /// The program is about to end.
  static func stopping() { tell("STOPPING=1") }

  /// Sends lines; what cannot be sent at once is not.
  private static func tell(_ lines: String) {
    guard let path = Environment.value("NOTIFY_SOCKET") else { return }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var name = Array(path.utf8)
    // A name that is in no directory begins with a zero.
    if name.first == UInt8(ascii: "@") { name[0] = 0 }
    let fits = withUnsafeMutableBytes(of: &address.sun_path) { place in
      guard name.count < place.count else { return false }
      place.copyBytes(from: name)
      return true
    }
    guard fits else { return }
    let descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    let length = MemoryLayout.offset(of: \sockaddr_un.sun_path).map { $0 + name.count } ?? 0
    let bytes = Array(lines.utf8)
    _ = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(
          descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT), $0,
          socklen_t(length))
      }
    }
  }
}
