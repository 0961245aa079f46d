// The last part of a file name: a digest of the content, or what people and programs number things by?

/// A file name without its ending, taken apart at the last dot or dash.
struct NamedDigest {
  private let stem: Range<Int>
  private let ending: FileEnding
  private let folders: BuildFolders
  /// True if a build tool's word, such as `chunk`, stands behind the stem.
  private let isChunk: Bool

  init(_ stem: Range<Int>, _ ending: FileEnding, _ folders: BuildFolders, isChunk: Bool) {
    self.stem = stem
    self.ending = ending
    self.folders = folders
    self.isChunk = isChunk
  }

  /// True if it is a digest. O(n).
  func isDigest(_ path: Span<UInt8>) -> Bool {
    var start = stem.upperBound
    while start > stem.lowerBound, !path[start - 1].isNamePartSeparator { start -= 1 }
    let token = DigestToken(path, start..<stem.upperBound)
    if start == stem.lowerBound { return isWholeDigest(path, token) }
    // `-BfX2bXyz.js`: somebody cut a name off.
    if start == stem.lowerBound + 1 { return false }
    if token.isHexadecimal, token.count >= 8 {
      return isHexadecimalDigest(path, token, behindDot: path[start - 1] == ASCII.dot)
    }
    if ending == .data { return false }
    if token.count == 8, token.isAlphanumeric { return isDigestOfEight(path, token) }
    if token.count == 10, token.isAlphanumeric, token.upper == 0, path[start - 1] == ASCII.dot {
      return token.lettersAfterDigit >= 1 && token.digits >= 2 && token.score(path) >= -8
    }
    if token.count >= 16, token.other == 0, ending.isProgram || ending == .wasm {
      // 26 and 27 characters: ULID and KSUID.
      return token.count != 26 && token.count != 27 && token.lettersAfterDigit >= 2
        && token.score(path) >= token.count * 3
    }
    return endsInBase64URL(path, token)
  }

  // MARK: Hexadecimal

  /// Lengths of whole digests, and of those that build tools cut them to.
  private static func isDigestLength(_ count: Int) -> Bool {
    switch count {
    case 16, 20, 32, 40, 48, 56, 64, 96, 128: true
    default: false
    }
  }

  /// A name that is nothing but a digest: 16 hexadecimal digits and more, or eight of base64url in
  /// a folder that build tools write.
  private func isWholeDigest(_ path: Span<UInt8>, _ token: DigestToken) -> Bool {
    guard token.isHexadecimal else {
      return ending.isProgram && token.count == 8 && token.isMixed && token.other == 0
        && folders.isOutput && token.score(path) >= 10
    }
    guard Self.isDigestLength(token.count), token.digits >= 2, token.letters >= 1 else {
      return false
    }
    if ending.isProgram { return true }
    if token.changes < 2 { return false }
    switch ending {
    case .data: return token.count >= 20 && !isUUID(path, token, isWhole: true)
    // What people upload is often named so, by something else than its content.
    case .photo, .film: return token.count != 32
    case .picture, .drawing: return !isUUID(path, token, isWhole: true)
    case .script, .style, .font, .wasm, .table: return true
    }
  }

  /// Eight hexadecimal digits and more behind a name. 24 are an object id.
  private func isHexadecimalDigest(
    _ path: Span<UInt8>, _ token: DigestToken, behindDot: Bool
  ) -> Bool {
    if token.count == 24 { return false }
    if token.count >= 16 {
      guard token.letters >= 1, token.digits >= 2 else { return false }
      if ending.isProgram { return true }
      guard Self.isDigestLength(token.count), token.changes >= 2 else { return false }
      if ending == .data, token.count < 20 { return false }
      let mayBeSomebodys = ending == .data || ending.isMedia && !(behindDot && ending == .drawing)
      return !mayBeSomebodys || !isUUID(path, token, isWhole: false)
    }
    if ending == .data { return false }
    if token.letters == 0 {
      return token.count == 8 && behindDot && isBuiltByName(path) && !isDate(path, token.range)
    }
    guard token.digits > 0, !isCodePoint(path, token) else { return false }
    if token.count == 8, behindDot, PathDigest.isKnown(path, token.range) { return false }
    if ending.isMedia {
      // 12 behind a dash: a hardware address.
      guard token.count == 8 || token.count == 10 || token.count == 12 && behindDot else {
        return false
      }
      return token.digits >= 2 && token.changes >= 2 && !holdsYear(path, token)
    }
    if token.count == 12, !behindDot, !ending.isProgram { return false }
    if token.longestNumber >= 8 || holdsYear(path, token) { return false }
    // `facade12`: a word and a number.
    let isNumberedWord =
      token.changes == 1 && token.letters >= 5 && !path[token.range.lowerBound].isDigit
    return !isNumberedWord
      || !DigestToken.isWord(
        path, token.range.lowerBound..<(token.range.lowerBound + token.letters))
  }

  /// True if all else about the name is as build tools write it, so that eight digits may be a digest.
  private func isBuiltByName(_ path: Span<UInt8>) -> Bool {
    guard ending.isProgram else { return false }
    if isChunk || folders.isStatic { return true }
    // Docusaurus: `0058b4c6.32582273.js`
    return stem.count == 17
      && DigestToken(path, stem.lowerBound..<(stem.lowerBound + 8)).isHexadecimal
  }

  /// True for 32 digits with the version and the variant of a UUID (RFC 9562 §4). Behind a name only
  /// versions that are made for things count, with what their clocks have shown so far.
  private func isUUID(_ path: Span<UInt8>, _ token: DigestToken, isWhole: Bool) -> Bool {
    guard token.count == 32 else { return false }
    let start = token.range.lowerBound
    guard let variant = path[start + 16].hexValue, variant >> 2 == 0b10,
      let version = path[start + 12].hexValue
    else { return false }
    if isWhole { return version >= 1 && version <= 8 }
    let first = path[start]
    return switch version {
    case 4: true
    case 1: path[start + 13] == 0x31
    case 6: first == 0x31
    case 7: first == 0x30 && path[start + 1] == 0x31
    default: false
    }
  }

  /// True for a code point of Unicode with zeros before it: `0001f600`.
  private func isCodePoint(_ path: Span<UInt8>, _ token: DigestToken) -> Bool {
    let start = token.range.lowerBound
    guard path[start] == ASCII.zero, path[start + 1] == ASCII.zero else { return false }
    return path[start + 2] == ASCII.zero
      || path[start + 2] == 0x31 && path[start + 3] == ASCII.zero
  }

  /// `20240115`
  private func isDate(_ path: Span<UInt8>, _ range: Range<Int>) -> Bool {
    let start = range.lowerBound
    guard let year = path.decimal(start..<(start + 4)),
      let month = path.decimal((start + 4)..<(start + 6)),
      let day = path.decimal((start + 6)..<range.upperBound)
    else { return false }
    return year >= 1900 && year < 2100 && month >= 1 && month <= 12 && day <= 31
  }

  /// `feb2024`, `2024dec`: letters around a year.
  private func holdsYear(_ path: Span<UInt8>, _ token: DigestToken) -> Bool {
    guard token.digits == 4, token.longestNumber == 4 else { return false }
    guard let start = token.range.first(where: { path[$0].isDigit }),
      let year = path.decimal(start..<(start + 4))
    else { return false }
    return year >= 1900 && year < 2100
  }

  // MARK: Base64url, base32, base36

  /// What a score must reach: less in a folder of a build tool, more for what people name too.
  private var threshold: Int {
    if ending.isMedia { return folders.isOutput ? 0 : 15 }
    return folders.isOutput ? -12 : 5
  }

  private func isDigestOfEight(_ path: Span<UInt8>, _ token: DigestToken) -> Bool {
    if token.isMixed { return token.score(path) >= threshold }
    if token.upper > 0 { return isBase32(path, token) }
    return token.digits >= 1 && !ending.isMedia && token.lettersAfterDigit >= 1
      && token.score(path) >= max(threshold, -10)
  }

  /// esbuild, and Angular with it: `chunk-3YZNMVVB.js`. One in five has no digit.
  private func isBase32(_ path: Span<UInt8>, _ token: DigestToken) -> Bool {
    let isInAlphabet = token.range.allSatisfy { !path[$0].isDigit || path[$0] &- 0x32 < 6 }
    guard isInAlphabet else { return token.score(path) >= 15 }
    if ending.isMedia {
      return (token.digits > 0 || folders.isOutput) && token.score(path) >= threshold
    }
    let name = path.extracting(stem.lowerBound..<(token.range.lowerBound - 1))
    if Entry(rawValue: name.asWord) != nil || name.equalsIgnoringCase("polyfills") { return true }
    return token.score(path) >= (folders.isOutput ? -25 : threshold)
  }

  /// What esbuild and Angular name files by, as numbers, by their bytes.
  private enum Entry: UInt64 {
    case chunk = 0x63_6875_6E6B
    case main = 0x6D61_696E
    case styles = 0x7374_796C_6573
    case scripts = 0x73_6372_6970_7473
    case worker = 0x776F_726B_6572
  }

  /// Digests of base64url may have dashes of their own: eight characters behind a dash or a dot.
  private func endsInBase64URL(_ path: Span<UInt8>, _ token: DigestToken) -> Bool {
    let eight = stem.upperBound - 8
    if eight - 1 > stem.lowerBound, path[eight - 1].isNamePartSeparator,
      eight <= token.range.lowerBound
    {
      let digest = DigestToken(path, eight..<stem.upperBound)
      if digest.other == 0 {
        if digest.isMixed {
          if digest.score(path) >= threshold { return true }
        } else {
          return !ending.isMedia && folders.isOutput && digest.digits >= 1
            && digest.lettersAfterDigit >= 1 && digest.score(path) >= -20
        }
      }
    }
    // Symfony cuts them to seven.
    return token.count == 7 && token.isMixed && token.other == 0 && ending.isProgram
      && folders.isOutput && token.score(path) >= 10
  }
}
