import EdgeMemory
import Glibc

/// What the kernel and the allocator say about this process.
struct ProcessMemory {
  /// Bytes of resident memory.
  var resident = 0
  /// Bytes that the allocator has given out.
  var allocated = 0
  /// Page faults so far.
  var faults = 0
  /// CPU seconds so far.
  var cpu = 0.0

  /// Asks now.
  static func now() -> ProcessMemory {
    var memory = ProcessMemory()
    if let file = fopen("/proc/self/statm", "r") {
      var line = [CChar](repeating: 0, count: 128)
      fgets(&line, 128, file)
      fclose(file)
      let text = String(
        decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) }
      memory.resident = (pages ?? 0) * sysconf(Int32(_SC_PAGESIZE))
    }
    memory.allocated = Allocator.allocated
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    memory.faults = usage.ru_minflt
    memory.cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime)
    return memory
  }

  private static func seconds(_ time: timeval) -> Double {
    Double(time.tv_sec) + Double(time.tv_usec) / 1e6
  }
}

/// Bytes as MiB with one digit.
func mebibytes(_ bytes: Int) -> String {
  decimal(Double(bytes) / 1_048_576, 1)
}

/// A number with that many digits behind the point.
func decimal(_ value: Double, _ digits: Int) -> String {
  let scale = pow(10, Double(digits))
  let whole = Int((value * scale).rounded())
  guard digits > 0 else { return "\(whole)" }
  let fraction = String(abs(whole) % Int(scale))
  let zeros = String(repeating: "0", count: digits - fraction.count)
  return "\(whole / Int(scale)).\(zeros)\(fraction)"
}
