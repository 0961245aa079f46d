// A connection is a descriptor, and shells commonly allow a process 1024 of them while the system
// would grant many times that: a server takes what it may have.

import Glibc

/// The bound on descriptors of this process.
public enum DescriptorLimit {
  /// How many there may be; nil if that is not bounded, or cannot be told.
  public static var current: Int? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
    return Int(exactly: limit.rlim_cur)
  }

  /// Raises the soft limit to the hard limit; what the system refuses stays as it was.
  public static func raise() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0,
      limit.rlim_cur < limit.rlim_max
    else { return }
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  /// What keeps a program from beginning that needs as many files, the standard streams among them, as a sentence; nil
  /// if nothing does. Libraries trap where they cannot have what they need, so this is asked first, after ``raise()``.
  public static func shortage(least: Int) -> String? {
    guard let current, current < least else { return nil }
    return
      "only \(current) files may be open, and at least \(least) are needed: raise the limit with 'ulimit -n', or "
      + "LimitNOFILE= of a systemd service"
  }
}
