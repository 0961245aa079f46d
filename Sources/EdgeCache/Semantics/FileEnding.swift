// What the ending of a file name says about its content, and which media types agree with that.

/// A kind of file that build tools name by the hash of its content, told by the ending of its name.
public enum FileEnding: UInt8, Sendable, Hashable {
  /// Scripts: `js`, `mjs`, `cjs`.
  case script
  /// Style sheets: `css`.
  case style
  /// `json` and `webmanifest`.
  case data
  /// Drawings: `svg`.
  case drawing
  /// Pictures made of dots, photographs (``photo``) left out: `png`, `gif`, `webp`, `avif`, `ico`.
  case picture
  /// Photographs: `jpg`, `jpeg`.
  case photo
  /// Films and sounds: `mp4`, `webm`, `mp3`, `ogg`, `wav`.
  case film
  /// Fonts: `woff`, `woff2`, `ttf`, `otf`, `eot`.
  case font
  /// WebAssembly: `wasm`.
  case wasm
  /// Tables that programs load beside themselves: `dat`.
  case table

  /// The kind of an ending, given without its dot; nil for those that build tools do not name by a
  /// hash. Source maps are among these: what their names hold is the hash of the script. O(1).
  init?(_ ending: Span<UInt8>) {
    switch Known(rawValue: ending.asWord) {
    case .js, .mjs, .cjs: self = .script
    case .css: self = .style
    case .json: self = .data
    case .svg: self = .drawing
    case .png, .gif, .webp, .avif, .ico: self = .picture
    case .jpg, .jpeg: self = .photo
    case .mp4, .webm, .mp3, .ogg, .wav: self = .film
    case .woff, .woff2, .ttf, .otf, .eot: self = .font
    case .wasm: self = .wasm
    case .dat: self = .table
    case nil:
      guard ending.equalsIgnoringCase("webmanifest") else { return nil }
      self = .data
    }
  }

  /// Endings as numbers, by their bytes.
  private enum Known: UInt64 {
    case js = 0x6A73
    case mjs = 0x6D_6A73
    case cjs = 0x63_6A73
    case css = 0x63_7373
    case json = 0x6A73_6F6E
    case svg = 0x73_7667
    case png = 0x70_6E67
    case gif = 0x67_6966
    case webp = 0x7765_6270
    case avif = 0x6176_6966
    case ico = 0x69_636F
    case jpg = 0x6A_7067
    case jpeg = 0x6A70_6567
    case mp4 = 0x6D_7034
    case webm = 0x7765_626D
    case mp3 = 0x6D_7033
    case ogg = 0x6F_6767
    case wav = 0x77_6176
    case woff = 0x776F_6666
    case woff2 = 0x77_6F66_6632
    case ttf = 0x74_7466
    case otf = 0x6F_7466
    case eot = 0x65_6F74
    case wasm = 0x7761_736D
    case dat = 0x64_6174
  }

  /// True for what a site's programs are made of. Everything else is made by people as well, who
  /// name it by numbers of their own.
  var isProgram: Bool { self == .script || self == .style }

  /// True for pictures and films, which people upload.
  var isMedia: Bool {
    switch self {
    case .drawing, .picture, .photo, .film: true
    case .script, .style, .data, .font, .wasm, .table: false
    }
  }

  /// True for a media type (RFC 9110 §8.3.1) that content with this ending may have. Parameters do
  /// not matter; a picture may have been turned into another format for a client that takes it. O(n).
  func fits(_ type: Span<UInt8>) -> Bool {
    let end = type.firstIndex(of: ASCII.semicolon, in: 0..<type.count) ?? type.count
    let essence = type.extracting(type.trimmingWhitespace(0..<end))
    guard let slash = essence.firstIndex(of: ASCII.slash, in: 0..<essence.count) else {
      return false
    }
    let top = essence.extracting(0..<slash)
    let sub = essence.extracting((slash + 1)..<essence.count)
    let isApplication = top.equalsIgnoringCase("application")
    switch self {
    case .script: return (isApplication || top.equalsIgnoringCase("text")) && Self.isScript(sub)
    case .style: return essence.equalsIgnoringCase("text/css")
    case .data:
      return (isApplication || top.equalsIgnoringCase("text")) && sub.equalsIgnoringCase("json")
        || sub.hasSuffix("+json")
    case .drawing: return essence.equalsIgnoringCase("image/svg+xml")
    case .picture, .photo:
      return top.equalsIgnoringCase("image") && !sub.equalsIgnoringCase("svg+xml")
    case .film:
      return top.equalsIgnoringCase("video") || top.equalsIgnoringCase("audio")
        || isApplication && (sub.equalsIgnoringCase("ogg") || sub.equalsIgnoringCase("mp4"))
    case .font: return top.equalsIgnoringCase("font") || isApplication && Self.isFont(sub)
    // Many servers know no type for these and send them as what they are, bytes.
    case .wasm:
      return isApplication
        && (sub.equalsIgnoringCase("wasm") || sub.equalsIgnoringCase("octet-stream"))
    case .table: return isApplication && sub.equalsIgnoringCase("octet-stream")
    }
  }

  /// The subtypes of scripts that browsers accept (WHATWG MIME Sniffing §4.6).
  private static func isScript(_ sub: Span<UInt8>) -> Bool {
    sub.equalsIgnoringCase("javascript") || sub.equalsIgnoringCase("x-javascript")
      || sub.equalsIgnoringCase("ecmascript") || sub.equalsIgnoringCase("x-ecmascript")
  }

  private static func isFont(_ sub: Span<UInt8>) -> Bool {
    sub.hasPrefix("font-") || sub.hasPrefix("x-font-")
      || sub.equalsIgnoringCase("vnd.ms-fontobject")
      || sub.equalsIgnoringCase("vnd.ms-opentype") || sub.equalsIgnoringCase("octet-stream")
  }
}

extension Span<UInt8> {
  /// These bytes as one number, letters in lower case; 0 if there are none or more than eight. O(1).
  var asWord: UInt64 {
    guard count <= 8 else { return 0 }
    var word: UInt64 = 0
    for index in 0..<count { word = word << 8 | UInt64(self[index].asciiLowercased) }
    return word
  }

  fileprivate func hasPrefix(_ text: StaticString) -> Bool {
    let length = text.utf8CodeUnitCount
    return count >= length && extracting(0..<length).equalsIgnoringCase(text)
  }

  fileprivate func hasSuffix(_ text: StaticString) -> Bool {
    let length = text.utf8CodeUnitCount
    return count >= length && extracting((count - length)..<count).equalsIgnoringCase(text)
  }
}
