import CBrotli
import CZlib
import NIOCore

// Where coded content ends (RFC 9110 §8.4.1). Clients do not look: a page whose gzip was cut is shown as far as it goes.
// Where HTTP does not say how long a content is, a server that fails in the midst of one often ends it as if it were
// all. So it is decoded as it goes by, into nothing, as Varnish does; only its end matters.
//
// What is no such coding, or broken in another way, is none of our business: only content that is right as far as it
// goes, and stops before its end, counts as cut.

/// Watches coded content go by, and knows whether it has come to its end.
final class CodingWatch {
  private enum Coding {
    case inflate(InflateWatch)
    case brotli(BrotliWatch)
    case zstandard(ZstandardWatch)
  }

  private var coding: Coding
  private var isEmpty = true
  private let mayBeEmpty: Bool

  /// A watch over a response's content; nil if HTTP says how long it is, or if it is only a part, or not coded in a
  /// way that is known here. Of several codings the last one is watched.
  init?(_ head: ResponseHead) {
    switch head.framing {
    case .chunked: mayBeEmpty = true
    // Nothing at all, and a connection that ends, is no answer to anything.
    case .untilClose: mayBeEmpty = head.status != 200
    case .none, .length: return nil
    }
    guard head.status != 206, let coding = Self.coding(head.fields) else { return nil }
    self.coding = coding
  }

  private static func coding(_ fields: FieldSection) -> Coding? {
    let bytes = fields.bytes.readableBytesUInt8Span
    var last: Coding?
    for field in fields.fields where field.name == .other && field.nameRange.count == 16 {
      guard bytes.extracting(field.nameRange.range).equalsIgnoringCase("content-encoding") else {
        continue
      }
      bytes.forEachListElement(field.value.range) { element in
        let name = bytes.extracting(element)
        if name.equalsIgnoringCase("gzip") || name.equalsIgnoringCase("x-gzip") {
          last = .inflate(InflateWatch(.gzip))
        } else if name.equalsIgnoringCase("deflate") {
          last = .inflate(InflateWatch(.zlib))
        } else if name.equalsIgnoringCase("br") {
          last = .brotli(BrotliWatch())
        } else if name.equalsIgnoringCase("zstd") || name.equalsIgnoringCase("dcz") {
          last = .zstandard(ZstandardWatch())
        } else if !name.equalsIgnoringCase("identity") {
          last = nil
        }
        return true
      }
    }
    return last
  }

  /// Takes some content in. O(bytes that it decodes to).
  func take(_ content: ByteBuffer) {
    if content.readableBytes == 0 { return }
    isEmpty = false
    switch coding {
    case .inflate(let watch): watch.take(content)
    case .brotli(let watch): watch.take(content)
    case .zstandard(var watch):
      watch.take(content.readableBytesUInt8Span)
      coding = .zstandard(watch)
    }
  }

  /// True if content that ends here lacks something.
  var isCut: Bool {
    if isEmpty { return !mayBeEmpty }
    return switch coding {
    case .inflate(let watch): watch.isCut
    case .brotli(let watch): watch.isCut
    case .zstandard(let watch): watch.isCut
    }
  }
}

/// gzip (RFC 1952), and deflate (RFC 1950), which some servers send without its wrapper (RFC 9110 §8.4.1.2).
private final class InflateWatch {
  enum Wrapper: Int32 {
    case gzip = 31
    case zlib = 15
    case none = -15
  }

  private enum State { case within, atEnd, unknown }

  /// Has its own address in its state, so it may not move.
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  private let scratch = UnsafeMutablePointer<UInt8>.allocate(capacity: InflateWatch.room)
  private var state = State.within
  private let wrapper: Wrapper
  /// The first two bytes, which say whether there is a wrapper of zlib, until they are there.
  private var beginning: [UInt8]?
  private static let room = 16 << 10

  init(_ wrapper: Wrapper) {
    self.wrapper = wrapper
    beginning = wrapper == .zlib ? [] : nil
    stream.initialize(to: z_stream())
    let outcome = inflateInit2_(
      stream, wrapper.rawValue, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    if outcome != Z_OK { state = .unknown }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
    scratch.deallocate()
  }

  var isCut: Bool { state == .within }

  func take(_ content: ByteBuffer) {
    if state == .unknown { return }
    content.withUnsafeReadableBytes { bytes in
      var rest = bytes[...]
      if var beginning {
        while beginning.count < 2, let byte = rest.popFirst() { beginning.append(byte) }
        self.beginning = beginning.count < 2 ? beginning : nil
        if beginning.count < 2 { return }
        let isWrapped =
          beginning[0] & 15 == 8 && (Int(beginning[0]) << 8 | Int(beginning[1])) % 31 == 0
        if !isWrapped, inflateReset2(stream, Wrapper.none.rawValue) != Z_OK { state = .unknown }
        beginning.withUnsafeBytes { run($0) }
      }
      run(UnsafeRawBufferPointer(rebasing: rest))
    }
  }

  private func run(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.bindMemory(to: UInt8.self).baseAddress, !bytes.isEmpty else { return }
    // What comes behind a member is another one, or nothing that a decoder looks at.
    if state == .atEnd { beginAnew(bytes.first) }
    stream.pointee.next_in = UnsafeMutablePointer(mutating: base)
    stream.pointee.avail_in = UInt32(bytes.count)
    while state == .within {
      stream.pointee.next_out = scratch
      stream.pointee.avail_out = UInt32(Self.room)
      switch inflate(stream, Z_NO_FLUSH) {
      case Z_STREAM_END:
        state = .atEnd
        if stream.pointee.avail_in > 0 { beginAnew(stream.pointee.next_in?.pointee) }
      case Z_OK:
        if stream.pointee.avail_in == 0, stream.pointee.avail_out > 0 { return }
      case Z_BUF_ERROR: return
      default: state = .unknown
      }
    }
  }

  /// Goes on if a byte behind a member begins another one.
  private func beginAnew(_ byte: UInt8?) {
    if wrapper == .gzip, byte == 0x1F, inflateReset(stream) == Z_OK { state = .within }
  }
}

/// Brotli (RFC 7932).
private final class BrotliWatch {
  private enum State { case within, atEnd, unknown }

  private let decoder = BrotliDecoderCreateInstance(nil, nil, nil)
  private var state = State.within

  deinit { BrotliDecoderDestroyInstance(decoder) }

  var isCut: Bool { state == .within && decoder != nil }

  func take(_ content: ByteBuffer) {
    guard state == .within, let decoder else { return }
    content.withUnsafeReadableBytes { bytes in
      var left = bytes.count
      var next = bytes.bindMemory(to: UInt8.self).baseAddress
      var room = 0
      while state == .within {
        let outcome = BrotliDecoderDecompressStream(decoder, &left, &next, &room, nil, nil)
        switch outcome {
        case BROTLI_DECODER_RESULT_SUCCESS: state = .atEnd
        case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT: return
        case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
          var size = 0
          _ = BrotliDecoderTakeOutput(decoder, &size)
        default: state = .unknown
        }
      }
    }
  }
}

/// Zstandard (RFC 8878): frames and blocks say how long they are, so nothing need be decoded.
private struct ZstandardWatch {
  private enum State { case magic, descriptor, block, skippedSize, unknown }

  private var state = State.magic
  /// Bytes of what is read at present, and how many it takes.
  private var value: UInt64 = 0
  private var read = 0
  private var wanted = 4
  /// Bytes that are passed over before that.
  private var skip = 0
  private var hasChecksum = false
  private var frames = 0

  var isCut: Bool {
    switch state {
    case .unknown: false
    // Between frames, with nothing of the next one.
    case .magic: frames == 0 || skip > 0 || (read > 0 && beginsFrame)
    case .descriptor, .block, .skippedSize: true
    }
  }

  /// True if the first byte of what may be a magic number is that of one.
  private var beginsFrame: Bool { value & 0xFF == 0x28 || value & 0xF0 == 0x50 }

  mutating func take(_ bytes: Span<UInt8>) {
    var index = 0
    while state != .unknown {
      let passed = min(skip, bytes.count - index)
      skip -= passed
      index += passed
      if skip > 0 { return }
      while read < wanted {
        guard index < bytes.count else { return }
        value |= UInt64(bytes[index]) << UInt64(8 * read)
        read += 1
        index += 1
      }
      step(value)
    }
  }

  private mutating func expect(_ next: State, bytes: Int, after passed: Int = 0) {
    (state, wanted, skip, read, value) = (next, bytes, passed, 0, 0)
  }

  private mutating func step(_ value: UInt64) {
    switch state {
    case .magic where value == 0xFD2F_B528: expect(.descriptor, bytes: 1)
    case .magic where value & 0xFFFF_FFF0 == 0x184D_2A50: expect(.skippedSize, bytes: 4)
    // Bytes behind the last frame are nobody's.
    case .magic, .unknown: state = .unknown
    case .skippedSize:
      // Of a frame that carries nothing; content has another one.
      expect(.magic, bytes: 4, after: Int(value))
    case .descriptor:
      let isSingle = value & 32 != 0
      hasChecksum = value & 4 != 0
      let size = [isSingle ? 1 : 0, 2, 4, 8][Int(value >> 6)]
      let dictionary = [0, 1, 2, 4][Int(value & 3)]
      expect(.block, bytes: 3, after: (isSingle ? 0 : 1) + dictionary + size)
    case .block:
      let type = value >> 1 & 3
      if type == 3 {
        state = .unknown
        return
      }
      let size = type == 1 ? 1 : Int(value >> 3)
      if value & 1 == 0 { return expect(.block, bytes: 3, after: size) }
      frames += 1
      expect(.magic, bytes: 4, after: size + (hasChecksum ? 4 : 0))
    }
  }
}
