// What a file is that somebody took for a log: told by its first bytes, so that nobody gets a report about a picture.

/// What files begin with that are no logs, or none that can be read.
enum FileKind {
  private struct Sign {
    let bytes: [UInt8]
    var offset = 0
    /// The rest of a sentence that begins with the name of the file.
    let sentence: String

    init(_ bytes: [UInt8], at offset: Int = 0, _ sentence: String) {
      (self.bytes, self.offset, self.sentence) = (bytes, offset, sentence)
    }

    static func compressed(_ bytes: [UInt8], _ how: String) -> Sign {
      Sign(bytes, "is \(how); give it plain, or compressed with gzip")
    }

    static func other(_ bytes: [UInt8], at offset: Int = 0, _ what: String) -> Sign {
      Sign(bytes, at: offset, "is not a log: it is \(what)")
    }
  }

  private static let utf16 = "is text in UTF-16; give it in UTF-8 (iconv -f UTF-16 -t UTF-8)"

  private static let signs: [Sign] = [
    .compressed([0x28, 0xB5, 0x2F, 0xFD], "compressed with zstd"),
    .compressed(Array("BZh".utf8), "compressed with bzip2"),
    .compressed([0xFD, 0x37, 0x7A, 0x58, 0x5A], "compressed with xz"),
    .compressed([0x04, 0x22, 0x4D, 0x18], "compressed with lz4"),
    .compressed(Array("PK\u{3}\u{4}".utf8), "a zip archive"),
    .compressed([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], "a 7z archive"),
    Sign([0x1F, 0x8B], "is compressed with gzip twice; give it plain, or compressed once"),
    Sign([0xFF, 0xFE], utf16), Sign([0xFE, 0xFF], utf16),
    .other(Array("ustar".utf8), at: 257, "a tar archive; give the log that is in it"),
    .other([0x89, 0x50, 0x4E, 0x47], "a PNG image"), .other([0xFF, 0xD8, 0xFF], "a JPEG image"),
    .other(Array("GIF8".utf8), "a GIF image"), .other(Array("%PDF-".utf8), "a PDF document"),
    .other([0x7F, 0x45, 0x4C, 0x46], "an ELF program"),
    .other(Array("SQLite format 3\0".utf8), "an SQLite database"),
    .other(Array("PAR1".utf8), "a Parquet file"),
  ]

  /// Markup begins with one of these, in whatever case.
  private static let markup = [
    ("<!doctype html", "an HTML page"), ("<html", "an HTML page"), ("<head", "an HTML page"),
    ("<?xml", "XML"), ("<svg", "an SVG image"),
  ]

  /// So many bytes tell; fewer do if there are no more.
  static let length = 512

  /// Why a file that begins so cannot be a log; nil if it can.
  static func problem(_ begin: ArraySlice<UInt8>) -> String? {
    if let sign = signs.first(where: { begin.dropFirst($0.offset).starts(with: $0.bytes) }) {
      return sign.sentence
    }
    let text = String(
      decoding: begin.drop { $0 <= 0x20 || $0 >= 0x80 }.prefix(16), as: UTF8.self
    ).lowercased()
    if let (_, what) = markup.first(where: { text.hasPrefix($0.0) }) {
      return "is not a log: it is \(what)"
    }
    return isWide(begin.prefix(64)) ? utf16 : nil
  }

  /// Whether each other byte is zero, as of text in UTF-16 without a mark.
  private static func isWide(_ begin: ArraySlice<UInt8>) -> Bool {
    guard begin.count >= 16 else { return false }
    let zeros = begin.indices.filter { begin[$0] == 0 }.map { $0 - begin.startIndex }
    return zeros.count == begin.count / 2
      && (zeros.allSatisfy { $0 % 2 == 0 } || zeros.allSatisfy { $0 % 2 == 1 })
  }

  /// Whether a line has bytes that no text has; tabs and what colours a terminal are text.
  static func isText(_ line: ArraySlice<UInt8>) -> Bool {
    line.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 || $0 == 0x0D || $0 == 0x1B }
  }
}
