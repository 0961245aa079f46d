// gzip (RFC 1952), one member after the other, with the checks of zlib: a log that was cut, that has a wrong checksum,
// or that is followed by something else, is told and not read as if it were whole.
//
// Unsafe memory: zlib's state has its own address in itself, so it is allocated once and never moved; its pointers to
// input and output are set for one call and taken away after it.

import CZlib

/// Decompresses a stream of gzip.
final class Gunzip {
  /// What is wrong with a stream.
  enum Problem: Error, Equatable {
    /// It ends within a member.
    case cut
    /// A checksum is wrong, or something that is no gzip stands within a member.
    case damaged
    /// Something follows the last member.
    case trailing

    /// The rest of a sentence that begins with the name of the file; `line` is the last one that was read.
    func sentence(line: Int) -> String {
      switch self {
      case .cut:
        "cannot be decompressed after line \(line): its gzip data ends early; it is damaged"
      case .damaged: "cannot be decompressed after line \(line): its gzip data is damaged"
      case .trailing: "has something behind its gzip data, after line \(line); it is damaged"
      }
    }
  }

  private enum State { case within, between, padding }

  private let stream: UnsafeMutablePointer<z_stream>
  private var state = State.within
  private var members = 0
  /// Bytes that are decompressed at a time.
  private static let piece = 256 << 10
  /// zlib's number for gzip with the largest window.
  private static let gzip: Int32 = 31

  /// Begins; nil if there is no memory.
  init?() {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let size = Int32(MemoryLayout<z_stream>.size)
    guard inflateInit2_(stream, Self.gzip, ZLIB_VERSION, size) == Z_OK else { return nil }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// Decompresses more of the stream behind what is in `output`.
  func take(_ input: ArraySlice<UInt8>, into output: inout [UInt8]) throws(Problem) {
    var rest = input
    while let first = rest.first {
      switch state {
      case .within: rest = rest.dropFirst(try inflate(rest, into: &output))
      case .between where first == 0x1F:
        inflateReset(stream)
        state = .within
      case .between, .padding:
        // Tapes and block devices fill up with zeros.
        guard first == 0 else { throw .trailing }
        state = .padding
        rest = rest.drop { $0 == 0 }
      }
    }
  }

  /// The stream has ended.
  func finish() throws(Problem) {
    if state == .within { throw .cut }
  }

  /// Decompresses a part of one member; returns how much of the input was taken.
  private func inflate(
    _ input: ArraySlice<UInt8>, into output: inout [UInt8]
  ) throws(Problem) -> Int {
    var taken = 0
    var isFull = false
    // Where all of the output was used zlib may still hold some.
    while state == .within, taken < input.count || isFull {
      let old = output.count
      let before = taken
      output.append(contentsOf: repeatElement(0, count: Self.piece))
      var status = Z_OK
      var made = 0
      input.dropFirst(taken).withUnsafeBufferPointer { source in
        output.withUnsafeMutableBufferPointer { target in
          stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
          stream.pointee.avail_in = UInt32(source.count)
          stream.pointee.next_out = target.baseAddress.map { $0 + old }
          stream.pointee.avail_out = UInt32(Self.piece)
          status = CZlib.inflate(stream, Z_NO_FLUSH)
          taken += source.count - Int(stream.pointee.avail_in)
          made = Self.piece - Int(stream.pointee.avail_out)
          (stream.pointee.next_in, stream.pointee.next_out) = (nil, nil)
        }
      }
      output.removeLast(Self.piece - made)
      isFull = made == Self.piece
      switch status {
      case Z_STREAM_END:
        members += 1
        state = .between
      case Z_OK, Z_BUF_ERROR:
        // Nothing more comes of this.
        if made == 0, taken == before { return taken }
      default: throw members > 0 && stream.pointee.total_out == 0 ? .trailing : .damaged
      }
    }
    return taken
  }
}
