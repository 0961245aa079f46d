// Errors of system calls in plain words, the same wherever a call fails.

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Why the kernel would not do something.
struct KernelError: Error, Sendable, Hashable, CustomStringConvertible {
  let code: CInt

  init(_ code: CInt) { self.code = code }

  /// The error of the system call that just failed on this thread.
  static var latest: KernelError { KernelError(errno) }

  /// The system's words, in lower case as they come after a colon.
  var description: String {
    guard let words = strerror(code) else { return "error \(code)" }
    return String(cString: words).lowercased()
  }
}
