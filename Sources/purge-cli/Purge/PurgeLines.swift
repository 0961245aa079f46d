// A list of purges as text, for `purge-cli purge FILE`.

import EdgeFleet

/// Reads lists of purges.
enum PurgeLines {
  /// The scopes of a file, or of standard input for `-`.
  static func read(_ path: String) throws -> [PurgeRequest.Scope] {
    let name = path == "-" ? "standard input" : path
    let bytes: [UInt8]
    do throws(TextFile.Unreadable) {
      bytes = try TextFile.bytes(path: path == "-" ? "/dev/stdin" : path)
    } catch {
      throw WrongUse("\(name): \(error.reason)")
    }
    let scopes = try parse(String(decoding: bytes, as: UTF8.self), name: name)
    if scopes.isEmpty { throw WrongUse("\(name): there is nothing to purge in it") }
    return scopes
  }

  /// The scopes of a text; lines of one kind that follow each other are one scope.
  static func parse(_ text: String, name: String) throws -> [PurgeRequest.Scope] {
    var scopes: [PurgeRequest.Scope] = []
    // Some editors begin a file with a byte order mark.
    let text =
      text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated()
    {
      let line = trimmed(line)
      if line.isEmpty || line.hasPrefix("#") { continue }
      do {
        let scope = try scope(line)
        if let joined = scopes.last.flatMap({ $0.joined(with: scope) }) {
          scopes[scopes.count - 1] = joined
        } else {
          scopes.append(scope)
        }
      } catch {
        throw WrongUse("\(name), line \(index + 1): \(error)")
      }
    }
    return scopes
  }

  private static func scope(_ line: Substring) throws -> PurgeRequest.Scope {
    let split = line.firstIndex { $0 == " " || $0 == "\t" } ?? line.endIndex
    let (word, value) = (line[..<split], String(trimmed(line[split...])))
    switch word {
    case "url": return .urls([try PurgeURL(parsing: value)])
    case "prefix": return .prefixes([try PurgeURL(parsing: value)])
    case "host": return .hosts([try PurgeRequest.host(value)])
    case "tag": return .tags([try PurgeRequest.tag(value)])
    case "everything" where value.isEmpty: return .everything
    default:
      guard value.isEmpty, word.contains("://") else {
        throw ValueProblem(
          String(line), "begins with none of url, prefix, host, tag and everything")
      }
      return .urls([try PurgeURL(parsing: String(word))])
    }
  }

  private static func trimmed(_ line: Substring) -> Substring {
    let rest = line.drop { $0 == " " || $0 == "\t" }
    guard let end = rest.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return "" }
    return rest[...end]
  }
}

extension PurgeRequest.Scope {
  /// Both in one purge, if they are of one kind and not too many.
  fileprivate func joined(with other: PurgeRequest.Scope) -> PurgeRequest.Scope? {
    guard count + other.count <= PurgeRequest.most else { return nil }
    return switch (self, other) {
    case (.urls(let one), .urls(let more)): .urls(one + more)
    case (.prefixes(let one), .prefixes(let more)): .prefixes(one + more)
    case (.hosts(let one), .hosts(let more)): .hosts(one + more)
    case (.tags(let one), .tags(let more)): .tags(one + more)
    case (.everything, .everything): .everything
    default: nil
    }
  }
}
