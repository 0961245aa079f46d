// The page for a directory without index.html: plain links, so that a person can walk the tree and
// a crawler can find every file.

/// A directory's entries as a small HTML page.
struct DirectoryListing {
  /// The directory's decoded segments below the root.
  var segments: [String]
  /// What it holds, sorted.
  var entries: [SiteEntry]

  /// How long a listing is fresh: files come and go.
  static let cacheControl = "max-age=60"

  /// The page.
  var html: String {
    let title = Self.escaped("/" + segments.map { $0 + "/" }.joined())
    var lines = ["<!doctype html>", "<meta charset=\"utf-8\">", "<title>\(title)</title>"]
    lines += ["<h1>\(title)</h1>", "<ul>"]
    if !segments.isEmpty { lines.append("<li><a href=\"../\">../</a>") }
    for entry in entries {
      let slash = entry.isDirectory ? "/" : ""
      let link = "./" + TargetText.percentEncoded(entry.name) + slash
      lines.append("<li><a href=\"\(link)\">\(Self.escaped(entry.name))\(slash)</a>")
    }
    lines += ["</ul>", ""]
    return lines.joined(separator: "\n")
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
    return result
  }
}
