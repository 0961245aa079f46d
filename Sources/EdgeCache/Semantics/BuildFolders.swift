// What the folders of a path say about the names in them.

/// The folders above a file.
struct BuildFolders {
  /// Where the path goes on behind a folder in which a build tool names everything by its content:
  /// `_app/immutable/` (SvelteKit), `_next/static/`, `_astro/`, and `_nuxt/` without `_nuxt/builds/`.
  private(set) var hashedFrom: Int?
  /// Below `_framework/` (.NET), where some names hold a hash and others do not.
  private(set) var isFramework = false
  /// Below a folder of what people upload.
  private(set) var isPersonal = false
  /// Right in a folder that build tools write: `assets`, `chunks`, `dist`, `build`, `_static`.
  private(set) var isOutput = false
  /// Right in `static/js` or `static/css`.
  private(set) var isStatic = false

  /// False if no folder before `end` is one of ``hashedFrom`` or ``isFramework``. O(n).
  static func mayBeMarked(_ path: Span<UInt8>, before end: Int) -> Bool {
    var index = end - 1
    while index > 0 {
      index -= 1
      // `/_app`, `/_next`, `/immutable`
      if path[index] == ASCII.slash,
        path[index + 1] == 0x5F || path[index + 1] == 0x69 && path[index + 3] == 0x6D
      {
        return true
      }
    }
    return false
  }

  /// Looks at the folders before a file name that starts at `end`: at all of them if they may be
  /// marked or if it matters whether people upload to them. O(n).
  init(_ path: Span<UInt8>, before end: Int, mayBeMarked: Bool, asksForPeople: Bool) {
    var upper = end - 1
    var below = 0..<0
    while upper > 0 {
      let slash = HashedURL.last(ASCII.slash, path, 0..<upper) ?? -1
      let folder = path.extracting((slash + 1)..<upper)
      if below.isEmpty {
        isOutput = Output(rawValue: folder.asWord) != nil
        isStatic = Self.isStatic(path, slash, folder)
      }
      if mayBeMarked {
        if Self.isHashed(path, slash, folder, below) {
          hashedFrom = upper + 1
          return
        }
        if folder.equals("_framework") { isFramework = true }
      }
      if asksForPeople, Self.isPersonal(folder) { isPersonal = true }
      if !mayBeMarked, !asksForPeople { return }
      below = (slash + 1)..<upper
      upper = slash
    }
  }

  private static func isHashed(
    _ path: Span<UInt8>, _ slash: Int, _ folder: Span<UInt8>, _ below: Range<Int>
  ) -> Bool {
    switch folder.count {
    case 5: folder.equals("_nuxt") && !path.extracting(below).equals("builds")
    case 6: folder.equals("_astro") || folder.equals("static") && isBelow("_next", path, slash)
    case 9: folder.equals("immutable")
    default: false
    }
  }

  private static func isStatic(_ path: Span<UInt8>, _ slash: Int, _ folder: Span<UInt8>) -> Bool {
    (folder.equals("js") || folder.equals("css")) && isBelow("static", path, slash)
  }

  /// True if the folder that ends at `slash` has that name.
  private static func isBelow(_ name: StaticString, _ path: Span<UInt8>, _ slash: Int) -> Bool {
    let start = slash - name.utf8CodeUnitCount
    return start >= 0 && path.extracting(start..<slash).equals(name)
      && (start == 0 || path[start - 1] == ASCII.slash)
  }

  private enum Output: UInt64 {
    case assets = 0x6173_7365_7473
    case chunks = 0x6368_756E_6B73
    case dist = 0x6469_7374
    case build = 0x62_7569_6C64
    case _static = 0x5F_7374_6174_6963
  }

  private static func isPersonal(_ folder: Span<UInt8>) -> Bool {
    People(rawValue: folder.asWord) != nil || folder.equals("attachments")
  }

  private enum People: UInt64 {
    case user = 0x7573_6572
    case users = 0x75_7365_7273
    case avatar = 0x6176_6174_6172
    case avatars = 0x61_7661_7461_7273
    case gravatar = 0x6772_6176_6174_6172
    case upload = 0x7570_6C6F_6164
    case uploads = 0x75_706C_6F61_6473
    case photos = 0x7068_6F74_6F73
  }

  /// Whether a name in such a folder, or a folder between, holds a digest of any kind: all that
  /// is turned down is what a development server writes there, words. O(n).
  static func holdsDigest(_ path: Span<UInt8>, from start: Int, _ stem: Range<Int>) -> Bool {
    let eight = stem.upperBound - 8
    if eight >= stem.lowerBound, eight == stem.lowerBound || path[eight - 1].isNamePartSeparator {
      let token = DigestToken(path, eight..<stem.upperBound)
      if token.other == 0 {
        if token.isHexadecimal, token.digits > 0 { return true }
        if token.isMixed {
          if token.score(path) >= -40 { return true }
        } else if token.digits > 0 || token.upper > 0, token.score(path) >= -25 {
          return true
        }
      }
    }
    var tail = stem.upperBound
    while tail > stem.lowerBound, !path[tail - 1].isNamePartSeparator { tail -= 1 }
    let last = DigestToken(path, tail..<stem.upperBound)
    if last.isHexadecimal, last.count >= 6, last.digits > 0, last.letters > 0 { return true }
    if holdsHexadecimal(path, stem) { return true }
    let whole = DigestToken(path, stem)
    if whole.count >= 8, whole.digits >= 2, whole.lettersAfterDigit >= 1 || whole.changes >= 4 {
      return true
    }
    // `_next/static/BUILD/_buildManifest.js`
    var lower = start
    while lower < stem.lowerBound {
      let upper = path.firstIndex(of: ASCII.slash, in: lower..<stem.lowerBound) ?? stem.lowerBound
      let folder = DigestToken(path, lower..<upper)
      if folder.count >= 16, folder.other == 0, folder.lettersAfterDigit >= 2 { return true }
      lower = upper + 1
    }
    return false
  }

  /// True if eight hexadecimal digits or more stand together, letters and digits.
  private static func holdsHexadecimal(_ path: Span<UInt8>, _ stem: Range<Int>) -> Bool {
    var count = 0
    var digits = 0
    for index in stem {
      if path[index].hexValue == nil {
        if count >= 8, digits > 0, digits < count { return true }
        (count, digits) = (0, 0)
      } else {
        count += 1
        if path[index].isDigit { digits += 1 }
      }
    }
    return count >= 8 && digits > 0 && digits < count
  }
}

extension UInt8 {
  /// True for what stands before a digest: a dot or a dash.
  var isNamePartSeparator: Bool { self == ASCII.dot || self == ASCII.dash }
}

extension Span<UInt8> {
  /// Whether these bytes are `text`. O(n).
  fileprivate func equals(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    return text.withUTF8Buffer { other in
      for index in 0..<other.count where self[index] != other[index] { return false }
      return true
    }
  }
}
