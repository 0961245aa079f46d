import Foundation
import NIOCore
import Testing

@testable import EdgeCache

/// Coded content that is whole, cut, and neither.
@Suite struct CodingWatchTests {
  private static func bytes(_ text: String) -> [UInt8] {
    Array(Data(base64Encoded: text) ?? Data())
  }

  // Forty lines of text, by gzip, zlib, zlib without its wrapper, brotli and zstd; and 20000 letters by zstd without a
  // checksum.
  static let gzip = bytes(
    "H4sIAAAAAAACA5XUuw3DMBAE0dxVbAm+PX/LYUBJBATRMAm4fUMlTHTRRA97ezuqruqLij5l"
      + "rZpbmWpDY+u/Q2VoKd/ztKm113HZzyBoYBokDW40uNPgQYMnDV40eGM4To2tA2MH1g7MHdg7"
      + "MHhg8cDkgc2Nzc33jc2NzY3Njc2NzY3Njc2NzRObJzZP/tSxeWLzxOaJzRObJzZPYv4HJhBo"
      + "qcYHAAA=")
  static let zlib = bytes(
    "eJyV1LsNwzAQBNHcVWwJvj1/y2FASQQE0TAJuH1DJUx00UQPe3s7qq7qi4o+Za2aW5lqQ2Pr"
      + "v0NlaCnf87Sptddx2c8gaGAaJA1uNLjT4EGDJw1eNHhjOE6NrQNjB9YOzB3YOzB4YPHA5IHN"
      + "jc3N943Njc2NzY3Njc2NzY3Njc0Tmyc2T/7UsXli88Tmic0Tmyc2T2L+B4U/lTc=")
  static let deflate = bytes(
    "ldS7DcMwEATR3FVsCb49f8thQEkEBNEwCbh9QyVMdNFED3t7O6qu6ouKPmWtmluZakNj679D"
      + "ZWgp3/O0qbXXcdnPIGhgGiQNbjS40+BBgycNXjR4YzhOja0DYwfWDswd2DsweGDxwOSBzY3N"
      + "zfeNzY3Njc2NzY3Njc2NzY3NE5snNk/+1LF5YvPE5onNE5snNk9i/gc=")
  static let brotli = bytes(
    "H8UHAMRyW6ekC5G7A9QWP4Bjc+hUitoB2DL8g0XYeHhsIROOBoF06f9rro6MeyDwxNkx0qB0"
      + "LcSHEW/O/DHcpiNKKmpaaKWNbnSnR8x3v9VSSy211FJLLbVkZWVlZWVlZWVlZW1tbW1tbW1t"
      + "zQw=")
  static let zstandard = bytes(
    "KLUv/QRY9QQAwgUSF7AnHQCseXsvJgnxNXbU1tZsSoGzk4sB////v23btt22bVtDgTAQBO6y"
      + "iiXFlTl4jEdEkMEjloRBjmc8hBzWQQcSDUMAq1gSJyCAM0oPmWJ0jpiRKDoj5kiMThEzEkVn"
      + "xBSJ0RkxR2J0ipiReHTeGzHtjcR6o5PeiDlvJMobnfFGTHgj8d0IdhddEUskRZeIFUmiK2Kx"
      + "SFw0ilAnPQkG")
  static let unchecked = bytes(
    "KLUv/QBYTQAAEGFhAQAbzg6w")

  private static let skipped: [UInt8] = [0x5E, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3]

  private static let room = CodingRoom()

  private static func head(
    _ coding: String, _ framing: String = "Transfer-Encoding: chunked", status: String = "200"
  ) -> ResponseHead {
    CoreExchange.parseResponse("HTTP/1.1 \(status) X↵Content-Encoding: \(coding)↵\(framing)")
  }

  private static func isCut(
    _ coding: String, _ content: ArraySlice<UInt8>, step: Int = .max
  ) throws -> Bool {
    let watch = try #require(CodingWatch.of(head(coding), room: room))
    var rest = content
    while !rest.isEmpty {
      watch.take(ByteBuffer(bytes: rest.prefix(step)))
      rest = rest.dropFirst(step)
    }
    return watch.isCut
  }

  /// A coding and content that is whole in it.
  private static let whole: [(String, [UInt8])] = [
    ("gzip", gzip), ("GZIP", gzip), ("x-gzip", gzip), ("br, gzip", gzip), ("deflate", zlib),
    ("deflate", deflate), ("br", brotli), ("zstd", zstandard), ("zstd", unchecked),
    ("dcz", skipped + zstandard), ("gzip, br", brotli), ("gzip, identity", gzip),
  ]

  @Test("What is cut anywhere is known to be, in whatever pieces it comes", arguments: whole)
  func cut(_ coding: String, _ content: [UInt8]) throws {
    for step in [1, 7, .max] {
      #expect(try !Self.isCut(coding, content[...], step: step), "\(coding) in steps of \(step)")
      for count in 1..<content.count {
        #expect(
          try Self.isCut(coding, content[..<count], step: step),
          "\(coding), \(count) of \(content.count) bytes in steps of \(step)")
      }
    }
  }

  @Test("Members and frames, one behind another (RFC 1952 §2.2, RFC 8878 §3.1)")
  func several() throws {
    for (coding, one) in [("gzip", Self.gzip), ("zstd", Self.zstandard)] {
      let two = one + one
      for step in [1, .max] {
        #expect(try !Self.isCut(coding, two[...], step: step))
        for count in (one.count + 1)..<two.count {
          #expect(try Self.isCut(coding, two[..<count], step: step), "\(coding) \(count)")
        }
      }
    }
    #expect(try !Self.isCut("zstd", (Self.zstandard + Self.skipped)[...]))
  }

  @Test("What is behind the end, or is no such coding, is none of our business")
  func tolerated() throws {
    for (coding, content) in Self.whole {
      for rest in [[0], [0, 0, 0, 0, 0], Array("garbage".utf8)] as [[UInt8]] {
        for step in [1, .max] {
          #expect(try !Self.isCut(coding, (content + rest)[...], step: step), "\(coding) \(rest)")
        }
      }
    }
    let text = Array("this is plain text, whatever its head says of it".utf8)
    for coding in ["gzip", "deflate", "zstd", "dcz"] {
      #expect(try !Self.isCut(coding, text[...]), "\(coding)")
    }
    // Damage is not an early end.
    var damaged = Self.gzip
    damaged[damaged.count - 6] ^= 1
    #expect(try !Self.isCut("gzip", damaged[...]))
  }

  @Test("What would take too much memory goes by unwatched, and gives back what it took")
  func bounded() throws {
    let room = CodingRoom(limit: 100 << 10)
    var watches = try (0..<2).map { _ in try #require(CodingWatch.of(Self.head("gzip"), room: room))
    }
    #expect(watches.count == 2 && CodingWatch.of(Self.head("gzip"), room: room) == nil)
    #expect(CodingWatch.of(Self.head("br"), room: room) == nil)
    #expect(CodingWatch.of(Self.head("zstd"), room: room) != nil)
    watches.removeLast()
    #expect(CodingWatch.of(Self.head("deflate"), room: room) != nil)
    watches = []
    #expect(room.taken == 0)
  }

  @Test("What is made to keep others busy is not looked at to its end")
  func expansion() throws {
    // A block of deflate that stands for a megabyte of one byte, and again, and again: a thousandth of it goes in.
    var bomb =
      Self.gzip[..<10] + [0xEC, 0xC1, 1, 1, 0, 0, 0, 0x80, 0x90, 0xFE, 0xAF, 0xEE, 8, 0x0A]
    bomb += [UInt8](repeating: 0, count: 4 << 10)
    let watch = try #require(CodingWatch.of(Self.head("gzip"), room: Self.room))
    watch.take(ByteBuffer(bytes: bomb))
    #expect(!watch.isCut)
    let text = Self.gzip[..<100]
    let other = try #require(CodingWatch.of(Self.head("gzip"), room: Self.room))
    other.take(ByteBuffer(bytes: text))
    #expect(other.isCut)
  }

  @Test("Nothing at all is cut only where the end of the connection is the end")
  func empty() throws {
    #expect(CodingWatch.of(Self.head("gzip"), room: Self.room)?.isCut == false)
    #expect(CodingWatch.of(Self.head("gzip", "X: y"), room: Self.room)?.isCut == true)
    #expect(
      CodingWatch.of(Self.head("gzip", "X: y", status: "302"), room: Self.room)?.isCut == false)
  }

  @Test(
    "What HTTP says the length of, a part, and what is not coded, is not watched",
    arguments: [
      ("gzip", "Content-Length: 5", "200"), ("identity", "X: y", "200"), ("dcb", "X: y", "200"),
      ("gzip, dcb", "X: y", "200"), ("unknown", "X: y", "200"), ("gzip", "X: y", "206"),
      ("gzip", "X: y", "204"), ("gzip", "X: y", "304"),
    ])
  func unwatched(coding: String, framing: String, status: String) {
    #expect(CodingWatch.of(Self.head(coding, framing, status: status), room: Self.room) == nil)
  }

  @Test(
    "Content that is cut is broken off, and not stored (RFC 9110 §8.4.1, RFC 9111 §3.3)",
    arguments: ["max-age=60", "no-store"], ["Transfer-Encoding: chunked", "X: y"])
  func broken(policy: String, framing: String) {
    for (coding, content) in Self.whole {
      for count in [content.count, content.count - 1, 3] {
        let world = CoreWorld()
        let exchange = world.begin("GET / HTTP/1.1↵Host: a")
        let follower = world.begin("GET / HTTP/1.1↵Host: a")
        exchange.upstreamHead(
          "HTTP/1.1 200 OK↵Content-Encoding: \(coding)↵Cache-Control: \(policy)↵\(framing)")
        exchange.upstreamContent(Array(content[..<count]))
        exchange.upstreamEnd()
        let isWhole = count == content.count
        #expect(exchange.received.isComplete == isWhole && exchange.received.isAborted != isWhole)
        follower.poll()
        if !follower.awaitsUpstream {
          #expect(follower.received.isComplete == isWhole && follower.isOver)
        }
        if !isWhole { #expect(exchange.status.detail == .failed(.truncated)) }
        let isStored = isWhole && policy == "max-age=60" && coding != "dcz"
        #expect(world.store.statistics.responses == (isStored ? 1 : 0), "\(coding)")
        #expect(world.store.statistics.reservedBytes == 0)
      }
    }
  }
}
