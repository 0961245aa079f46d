// What the machine has: a size that it cannot have is a mistake of the hand that wrote it.

import Glibc

/// The memory of this machine.
public enum MachineMemory {
  /// How much there is; nil if that cannot be found out.
  public static var size: ByteSize? {
    let (pages, page) = (sysconf(Int32(_SC_PHYS_PAGES)), sysconf(Int32(_SC_PAGESIZE)))
    guard pages > 0, page > 0 else { return nil }
    let (bytes, overflows) = pages.multipliedReportingOverflow(by: page)
    return overflows ? nil : ByteSize(bytes: bytes)
  }
}

/// The sizes of file systems.
public enum FileSystemSize {
  /// The size of the file system that a directory is in, or will be when it is made; nil if that cannot be found out.
  public static func of(_ path: String) -> ByteSize? {
    var place = path
    while true {
      var status = statvfs()
      if statvfs(place, &status) == 0 {
        let (bytes, overflows) = UInt64(status.f_blocks).multipliedReportingOverflow(
          by: UInt64(status.f_frsize))
        return overflows || bytes == 0 ? nil : ByteSize(bytes: Int(clamping: bytes))
      }
      // What is not there yet is made in the directory above it.
      guard errno == ENOENT, place != "/", place != "." else { return nil }
      guard let slash = place.lastIndex(of: "/") else {
        place = "."
        continue
      }
      place = slash == place.startIndex ? "/" : String(place[..<slash])
    }
  }
}
