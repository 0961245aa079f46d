// Small files an operator points at: the configuration, a token. Read with the system's own calls,
// so that a pipe or a device works as well as a file (Foundation refuses those) and so that "no such
// file or directory" is said in the same plain words everywhere.

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Reading of small files.
public enum TextFile {
  /// Why a file was not read.
  public struct Unreadable: Error, Sendable, Hashable {
    /// Why, in the words of the system.
    public let reason: String
  }

  /// Configuration and tokens are far smaller; a larger file is the wrong file.
  static let largest = ByteSize.mebibytes(16)

  /// The content of the file at `path`.
  public static func bytes(path: String) throws(Unreadable) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Unreadable(reason: "\(KernelError.latest)") }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count == 0 { return content }
      if count < 0 {
        let error = KernelError.latest
        if error.code == EINTR { continue }
        throw Unreadable(reason: "\(error)")
      }
      content += chunk[..<count]
      guard content.count <= largest.bytes else {
        throw Unreadable(reason: "larger than \(largest)")
      }
    }
  }
}
