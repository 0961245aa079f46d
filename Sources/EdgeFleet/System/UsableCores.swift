import NIOCore

/// The cores that this process may run on.
public enum UsableCores {
  /// How many there are: those of the machine, as far as a container, or whoever pinned the process (`taskset`,
  /// `CPUAffinity=` of systemd), leaves them to it. At least 1.
  public static var count: Int {
    let all = System.coreCount
    guard let status = try? TextFile.bytes(path: "/proc/thread-self/status"),
      let pinned = allowed(status)
    else { return all }
    return max(1, min(all, pinned))
  }

  /// The number of cores in the mask of `Cpus_allowed` of a thread's status: hexadecimal digits, with commas between
  /// them (proc(5)). Nil if there is none.
  static func allowed(_ status: [UInt8]) -> Int? {
    let name = Array("Cpus_allowed:".utf8)
    for line in status.split(separator: UInt8(ascii: "\n")) where line.starts(with: name) {
      var count = 0
      for byte in line.dropFirst(name.count) {
        count += Character(Unicode.Scalar(byte)).hexDigitValue?.nonzeroBitCount ?? 0
      }
      return count == 0 ? nil : count
    }
    return nil
  }
}
