// The Cache-Control and Content-Type of a static file, chosen by its name as a build tool and its
// web server would. A wrong `immutable` cannot be taken back from a browser, so a name counts as
// hashed only when it can hardly be anything else.

/// What a file's name says about how it is cached.
enum CachePolicy: Equatable, Sendable {
  /// The name holds a hash of the content: new content has a new name.
  case hashed
  /// Styles, scripts, fonts, images and the rest, whose name stays when the content changes.
  case asset
  /// A page: stored, but validated on every use.
  case page

  /// The Cache-Control field value of a file under this policy.
  var cacheControl: String {
    switch self {
    case .hashed: "public, max-age=31536000, immutable"
    case .asset: "public, max-age=300"
    case .page: "no-cache"
    }
  }

  /// The policy for a file name (its last path segment).
  init(fileName: String) {
    let name = fileName.lowercased()
    if name.hasSuffix(".html") || name.hasSuffix(".htm") || name.hasSuffix(".xhtml") {
      self = .page
    } else if Self.hasHash(fileName) {
      self = .hashed
    } else {
      self = .asset
    }
  }

  /// Whether some part of the name, between `.`, `-` or `_` and before the extension, is a hash.
  private static func hasHash(_ name: String) -> Bool {
    let parts = name.split(omittingEmptySubsequences: true) { $0 == "." || $0 == "-" || $0 == "_" }
    // The first part names the file and the last is its extension; a hash stands between them.
    guard parts.count >= 3 else { return false }
    return parts.dropFirst().dropLast().contains { isHexHash($0) || isBase64Hash($0) }
  }

  /// `3f9c1b7a`: at least 8 hex digits, both letters and digits (a date has no letters).
  private static func isHexHash(_ part: Substring) -> Bool {
    part.utf8.count >= 8 && part.allSatisfy { $0.isASCII && $0.isHexDigit }
      && part.contains { $0.isNumber } && part.contains { $0.isLetter }
  }

  /// `BX3kQ9aZ`: 8 characters mixing lower case, upper case and digits, as Vite and esbuild write.
  private static func isBase64Hash(_ part: Substring) -> Bool {
    part.utf8.count == 8 && part.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
      && part.contains { $0.isNumber } && part.contains { $0.isUppercase }
      && part.contains { $0.isLowercase }
  }
}

/// Media types by file name extension.
enum MediaType {
  /// The Content-Type of a file name; unknown extensions are plain bytes.
  static func of(fileName: String) -> String {
    guard let dot = fileName.lastIndex(of: ".") else { return fallback }
    return byExtension[fileName[fileName.index(after: dot)...].lowercased()] ?? fallback
  }

  private static let fallback = "application/octet-stream"

  private static let byExtension: [String: String] = [
    "html": "text/html; charset=utf-8", "htm": "text/html; charset=utf-8",
    "xhtml": "application/xhtml+xml", "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8", "mjs": "text/javascript; charset=utf-8",
    "json": "application/json", "map": "application/json", "xml": "application/xml",
    "webmanifest": "application/manifest+json", "wasm": "application/wasm",
    "txt": "text/plain; charset=utf-8", "md": "text/markdown; charset=utf-8",
    "csv": "text/csv; charset=utf-8", "less": "text/plain; charset=utf-8",
    "scss": "text/plain; charset=utf-8",
    "svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg",
    "gif": "image/gif", "webp": "image/webp", "avif": "image/avif", "ico": "image/x-icon",
    "bmp": "image/bmp",
    "woff": "font/woff", "woff2": "font/woff2", "ttf": "font/ttf", "otf": "font/otf",
    "eot": "application/vnd.ms-fontobject",
    "mp4": "video/mp4", "webm": "video/webm", "mp3": "audio/mpeg", "ogg": "audio/ogg",
    "wav": "audio/wav", "m4a": "audio/mp4",
    "pdf": "application/pdf", "zip": "application/zip", "gz": "application/gzip",
    "br": "application/octet-stream", "tar": "application/x-tar",
  ]
}
