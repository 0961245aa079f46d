import CBrotli
import CZlib
import NIOCore
import Synchronization

// Where coded content ends (RFC 9110 §8.4.1). Clients do not look: a page whose gzip was cut is shown as far as it goes.
// Where HTTP does not say how long a content is, a server that fails in the midst of one often ends it as if it were
// all. So it is decoded as it goes by, into nothing, as Varnish does; only its end matters.
//
// What is no such coding, or broken in another way, is none of our business: only content that is right as far as it
// goes, and stops before its end, counts as cut. Neither is what would take too much to look at: then it goes by
// unwatched.

/// The memory that all watches together may take.
final class CodingRoom: Sendable {
  private let used = Atomic<Int>(0)
  private let limit: Int

  /// Bytes for all decoders of a store.
  static let standard = 64 << 20

  init(limit: Int = CodingRoom.standard) { self.limit = limit }

  /// True if there was room for so many bytes.
  func take(_ bytes: Int) -> Bool {
    if used.wrappingAdd(bytes, ordering: .relaxed).newValue <= limit { return true }
    give(bytes)
    return false
  }

  /// Gives some back.
  func give(_ bytes: Int) { used.wrappingSubtract(bytes, ordering: .relaxed) }

  /// Bytes that are taken.
  var taken: Int { used.load(ordering: .relaxed) }
}

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

  /// Most bytes that come out for each that goes in: more is made to keep others busy, and is not looked at further.
  fileprivate static let mostExpansion = 256

  /// A watch over a response's content; nil if HTTP says how long it is, or if it is only a part, or not coded in a
  /// way that is known here, or if there is no room. Of several codings the last one is watched.
  static func of(_ head: borrowing ResponseHead, room: CodingRoom) -> CodingWatch? {
    switch head.framing {
    case .none, .length: return nil
    case .chunked, .untilClose: break
    }
    guard head.status != 206, let coding = Self.coding(head.fields, room) else { return nil }
    // Nothing at all, and a connection that ends, is no answer to anything.
    return CodingWatch(coding, mayBeEmpty: head.framing == .chunked || head.status != 200)
  }

  private init(_ coding: Coding, mayBeEmpty: Bool) {
    self.coding = coding
    self.mayBeEmpty = mayBeEmpty
  }

  private static func coding(_ fields: FieldSection, _ room: CodingRoom) -> Coding? {
    enum Name { case gzip, deflate, brotli, zstandard }
    let bytes = fields.bytes.readableBytesUInt8Span
    var last: Name?
    for field in fields.fields where field.name == .other && field.nameRange.count == 16 {
      guard bytes.extracting(field.nameRange.range).equalsIgnoringCase("content-encoding") else {
        continue
      }
      bytes.forEachListElement(field.value.range) { element in
        let name = bytes.extracting(element)
        if name.equalsIgnoringCase("gzip") || name.equalsIgnoringCase("x-gzip") {
          last = .gzip
        } else if name.equalsIgnoringCase("deflate") {
          last = .deflate
        } else if name.equalsIgnoringCase("br") {
          last = .brotli
        } else if name.equalsIgnoringCase("zstd") || name.equalsIgnoringCase("dcz") {
          last = .zstandard
        } else if !name.equalsIgnoringCase("identity") {
          last = nil
        }
        return true
      }
    }
    return switch last {
    case .gzip: InflateWatch(.gzip, room).map { .inflate($0) }
    case .deflate: InflateWatch(.zlib, room).map { .inflate($0) }
    case .brotli: BrotliWatch(room).map { .brotli($0) }
    case .zstandard: .zstandard(ZstandardWatch())
    case nil: nil
    }
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
  private let room: CodingRoom
  private var state = State.within
  private let wrapper: Wrapper
  /// The first two bytes, which say whether there is a wrapper of zlib, until they are there.
  private var beginning: [UInt8]?
  /// Bytes of what is decoded that are looked at together.
  private static let window = 16 << 10
  /// Bytes that zlib takes, of which 32 KiB are what came last.
  private static let cost = 48 << 10

  init?(_ wrapper: Wrapper, _ room: CodingRoom) {
    guard room.take(Self.cost) else { return nil }
    self.room = room
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
    room.give(Self.cost)
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
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.window) { decode(into: $0) }
    stream.pointee.next_out = nil
  }

  private func decode(into scratch: UnsafeMutableBufferPointer<UInt8>) {
    while state == .within {
      stream.pointee.next_out = scratch.baseAddress
      stream.pointee.avail_out = UInt32(scratch.count)
      switch inflate(stream, Z_NO_FLUSH) {
      case Z_STREAM_END:
        state = .atEnd
        if stream.pointee.avail_in > 0 { beginAnew(stream.pointee.next_in?.pointee) }
      case Z_OK:
        if stream.pointee.avail_in == 0, stream.pointee.avail_out > 0 { return }
        if stream.pointee.total_out >> 20 > 0,
          Int(stream.pointee.total_out) / CodingWatch.mostExpansion > Int(stream.pointee.total_in)
        {
          state = .unknown
        }
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

  private let decoder: OpaquePointer
  private let room: CodingRoom
  private var state = State.within
  private var bytesIn = 0
  private var bytesOut = 0
  /// Bytes that are counted for the decoder: it keeps what it has decoded, up to its window.
  private var cost = BrotliWatch.least
  private static let least = 64 << 10
  private static let mostWindow = 16 << 20

  init?(_ room: CodingRoom) {
    guard room.take(Self.least) else { return nil }
    guard let decoder = BrotliDecoderCreateInstance(nil, nil, nil) else {
      room.give(Self.least)
      return nil
    }
    self.decoder = decoder
    self.room = room
  }

  deinit {
    BrotliDecoderDestroyInstance(decoder)
    room.give(cost)
  }

  var isCut: Bool { state == .within }

  func take(_ content: ByteBuffer) {
    guard state == .within else { return }
    bytesIn += content.readableBytes
    content.withUnsafeReadableBytes { bytes in
      var left = bytes.count
      var next = bytes.bindMemory(to: UInt8.self).baseAddress
      var space = 0
      while state == .within {
        let outcome = BrotliDecoderDecompressStream(decoder, &left, &next, &space, nil, nil)
        switch outcome {
        case BROTLI_DECODER_RESULT_SUCCESS: state = .atEnd
        case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT: return
        case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
          var size = 0
          _ = BrotliDecoderTakeOutput(decoder, &size)
          bytesOut += size
          if !isAffordable { state = .unknown }
        default: state = .unknown
        }
      }
    }
  }

  /// True while there is room for what the decoder keeps, and what comes out is in proportion to what goes in.
  private var isAffordable: Bool {
    if bytesOut >> 20 > 0, bytesOut / CodingWatch.mostExpansion > bytesIn { return false }
    while cost - Self.least < min(bytesOut, Self.mostWindow) {
      let more = max(cost - Self.least, 64 << 10)
      guard room.take(more) else { return false }
      cost += more
    }
    return true
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
