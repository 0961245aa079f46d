// URLs that name their content by its hash, as build tools write them.
//
// A wrong yes keeps a changing file for a year, a wrong no costs a validation. So a name must hold what
// looks like a digest and like nothing that people number files with: versions, dates, sizes, words,
// years, code points, and the identifiers of things (UUID, ULID, KSUID, object ids, addresses). It
// applies only where the origin says nothing about freshness, and only to content that fits the name.

/// What the name of a file says about its content.
public enum HashedURL: Sendable, Hashable {
  /// Nothing.
  case none
  /// The name holds a hash, and the content may be what it names.
  case fits
  /// The name holds a hash, but the content is something else: another type, no type, or empty.
  case differs

  /// Judges a response with these fields to a request with that key, whose path counts in its normal form.
  /// A name that some server takes for something else says nothing. O(path).
  init(_ key: CacheKey, _ fields: FieldSection, isEmpty: Bool) {
    guard key.hasPlainName else {
      self = .none
      return
    }
    let normal = key.normalized
    self.init(normal.bytes.span.extracting(normal.pathRange), fields, isEmpty: isEmpty)
  }

  /// True if the path of a key holds a digest. O(path).
  static func matches(_ key: CacheKey) -> Bool {
    guard key.hasPlainName else { return false }
    let normal = key.normalized
    return matches(normal.bytes.span.extracting(normal.pathRange))
  }

  private init(_ path: Span<UInt8>, _ fields: FieldSection, isEmpty: Bool) {
    guard let name = FileName(path), Self.holdsDigest(path, name) else {
      self = .none
      return
    }
    guard !isEmpty, let type = fields.only(.contentType),
      name.ending.fits(fields.bytes.readableBytesUInt8Span.extracting(type.range))
    else {
      self = .differs
      return
    }
    self = .fits
  }

  /// True for paths such as `/assets/index-BfX2bXyz.js` and `main.3f2a9c1b.css`; false for
  /// `jquery-3.7.1.min.js`, `photo-20240101.jpg` and `icon-128x128.png`. O(path).
  public static func matches(_ path: Span<UInt8>) -> Bool {
    guard let name = FileName(path) else { return false }
    return holdsDigest(path, name)
  }

  /// The last part of a path, without its query.
  private struct FileName {
    /// Where it begins: behind the last slash.
    let start: Int
    /// Where its last dot is.
    let dot: Int
    /// What is behind the dot.
    let ending: FileEnding

    /// Nil for names that build tools do not name by a hash. O(path).
    init?(_ path: Span<UInt8>) {
      var end = 0
      var start = 0
      var dot = 0
      while end < path.count {
        let byte = path[end]
        if byte == ASCII.question { break }
        if byte == ASCII.slash { start = end &+ 1 }
        if byte == ASCII.dot { dot = end }
        end &+= 1
      }
      guard dot > start, let ending = FileEnding(path.extracting((dot + 1)..<end)) else {
        return nil
      }
      self.start = start
      self.dot = dot
      self.ending = ending
    }
  }

  static func last(_ byte: UInt8, _ path: Span<UInt8>, _ range: Range<Int>) -> Int? {
    var index = range.upperBound
    while index > range.lowerBound {
      index -= 1
      if path[index] == byte { return index }
    }
    return nil
  }

  private static func holdsDigest(_ path: Span<UInt8>, _ name: FileName) -> Bool {
    let ending = name.ending
    guard let stem = stem(path, name.start..<name.dot, ending) else { return false }
    let mayBeMarked = BuildFolders.mayBeMarked(path, before: name.start)
    // Most names are told by a glance: of words alone, or with a short number at the end.
    if !mayBeMarked, !mayEndInDigest(path, stem) { return false }
    let folders = BuildFolders(
      path, before: name.start, mayBeMarked: mayBeMarked,
      asksForPeople: ending.isMedia || ending == .data)
    if let start = folders.hashedFrom {
      return BuildFolders.holdsDigest(path, from: start, stem)
    }
    if folders.isFramework, isFrameworkDigest(path, stem) { return true }
    if ending == .table || folders.isPersonal || isUUID(path, stem) { return false }
    return NamedDigest(stem, ending, folders, isChunk: stem.upperBound < name.dot).isDigest(path)
  }

  /// False if no rule takes a name that ends so, wherever it lies.
  private static func mayEndInDigest(_ path: Span<UInt8>, _ stem: Range<Int>) -> Bool {
    var index = stem.upperBound
    var isTelling = false
    while index > stem.lowerBound {
      index -= 1
      let byte = path[index]
      // A dash may belong to a digest of eight.
      if byte.isNamePartSeparator, stem.upperBound - index > 8 || byte == ASCII.dot { break }
      if byte.isDigit || byte &- 0x41 < 26 { isTelling = true }
    }
    return isTelling && stem.upperBound - index >= 8
  }

  /// A file name without its ending, and without what build tools put between hash and ending.
  private static func stem(
    _ path: Span<UInt8>, _ name: Range<Int>, _ ending: FileEnding
  ) -> Range<Int>? {
    var stem = name
    while let inner = last(ASCII.dot, path, stem), inner > stem.lowerBound,
      Addition(rawValue: path.extracting((inner + 1)..<stem.upperBound).asWord) != nil
    {
      stem = stem.lowerBound..<inner
    }
    if ending == .wasm, stem.count > 3,
      path.extracting((stem.upperBound - 3)..<stem.upperBound).equalsIgnoringCase("_bg")
    {
      stem = stem.lowerBound..<(stem.upperBound - 3)
    }
    return stem.isEmpty ? nil : stem
  }

  /// What build tools put between hash and ending, as numbers, by their bytes.
  private enum Addition: UInt64 {
    case min = 0x6D_696E
    case chunk = 0x63_6875_6E6B
    case bundle = 0x6275_6E64_6C65
    case js = 0x6A73
    case css = 0x63_7373
    case module = 0x6D6F_6475_6C65
    case lean = 0x6C65_616E
    case async = 0x61_7379_6E63
    case iframe = 0x6966_7261_6D65
    case cache = 0x63_6163_6865
    case entry = 0x65_6E74_7279
    case digested = 0x6469_6765_7374_6564
    case esm = 0x65_736D
    case worker = 0x776F_726B_6572
  }

  /// .NET: ten of base36 behind a dot.
  private static func isFrameworkDigest(_ path: Span<UInt8>, _ stem: Range<Int>) -> Bool {
    guard let dot = last(ASCII.dot, path, stem), stem.upperBound - dot == 11 else { return false }
    let token = DigestToken(path, (dot + 1)..<stem.upperBound)
    return token.isAlphanumeric && token.upper == 0 && token.score(path) >= -30
  }

  /// True if the stem ends in 8-4-4-4-12 hexadecimal digits: an identifier, not a hash.
  private static func isUUID(_ path: Span<UInt8>, _ stem: Range<Int>) -> Bool {
    guard stem.count >= 36 else { return false }
    let start = stem.upperBound - 36
    for offset in 0..<36 {
      let byte = path[start + offset]
      let isDashPlace = offset == 8 || offset == 13 || offset == 18 || offset == 23
      if isDashPlace ? byte != ASCII.dash : byte.hexValue == nil { return false }
    }
    return true
  }
}
