import CDisk
import EdgeCache
import Glibc

// Content in a file of a disk store, which goes to a socket without passing through memory of this process.
//
// Unsafe memory. Invariant: what is read goes to scratch memory that lives across the call, and at most its
// size; nobody looks at it.

/// A part of a file, to be sent.
final class FileRegion: DiskRegion {
  let count: Int
  private let file: OpenFile
  private let offset: Int

  init(_ file: OpenFile, offset: Int, count: Int) {
    self.file = file
    self.offset = offset
    self.count = count
  }

  /// The directory of the volume that it belongs to.
  var volume: String { file.volume }

  /// True if sending some of its bytes does not wait for the disk.
  func isResident(_ range: Range<Int>) -> Bool {
    file.isResident((offset + range.lowerBound)..<(offset + range.upperBound))
  }

  /// Brings bytes into the page cache; waits for the disk. False if they cannot be read.
  func load(_ range: Range<Int>) -> Bool {
    let size = 64 << 10
    return withUnsafeTemporaryAllocation(byteCount: size, alignment: 16) { scratch in
      var position = offset + range.lowerBound
      let end = offset + range.upperBound
      while position < end {
        let moved = pread(
          file.descriptor, scratch.baseAddress, min(size, end - position), off_t(position))
        if moved < 0, errno == EINTR { continue }
        if moved <= 0 { return false }
        position += moved
      }
      return true
    }
  }

  /// Moves bytes to a socket, as many as it takes; below 0 for an error in `errno`.
  func send(_ range: Range<Int>, to socket: CInt) -> Int {
    while true {
      let moved = cdisk_send(socket, file.descriptor, off_t(offset + range.lowerBound), range.count)
      if moved >= 0 || errno != EINTR { return moved }
    }
  }
}
