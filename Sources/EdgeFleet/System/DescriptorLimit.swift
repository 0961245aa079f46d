// A connection is a descriptor, and shells commonly allow a process 1024 of them while the system
// would grant many times that: a server takes what it may have.

import Glibc

/// The bound on descriptors of this process.
public enum DescriptorLimit {
  /// Raises the soft limit to the hard limit; what the system refuses stays as it was.
  public static func raise() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0,
      limit.rlim_cur < limit.rlim_max
    else { return }
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
