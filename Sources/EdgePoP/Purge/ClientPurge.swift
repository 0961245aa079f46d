import EdgeCache
import EdgeFleet

// PURGE as plug-ins of content management systems send it: to where clients connect, for the URL of the request,
// or for tags that a field names. No standard has it; these are the habits of Varnish, Squid and Fastly.

/// Reads a request with the method PURGE.
enum ClientPurge {
  /// True if the method is PURGE.
  static func isMeant(_ head: borrowing RequestHead) -> Bool {
    head.fields.text(head.methodRange) == "PURGE"
  }

  /// What is to be purged: the tags that `Surrogate-Key`, `Cache-Tag` or `xkey-purge` name; or else the URL, and
  /// with `X-Purge-Method: regex` what begins as the path before `.*`. `Fastly-Soft-Purge: 1` and
  /// `xkey-softpurge` make it soft.
  static func request(_ head: borrowing RequestHead) throws -> PurgeRequest {
    let fields = head.fields
    let bytes = fields.bytes.readableBytesUInt8Span
    var tags: [String] = []
    var mode = PurgeMode.hard
    var isPattern = false
    for field in fields.fields {
      let name = bytes.extracting(field.nameRange.range)
      let value = fields.text(field.value)
      if name.equalsIgnoringCase("surrogate-key") || name.equalsIgnoringCase("xkey-purge") {
        tags += value.split { $0 == " " || $0 == "\t" }.map(String.init)
      } else if name.equalsIgnoringCase("xkey-softpurge") {
        tags += value.split { $0 == " " || $0 == "\t" }.map(String.init)
        mode = .soft
      } else if name.equalsIgnoringCase("cache-tag") {
        tags += value.split(separator: ",").map { trimmed($0) }.filter { !$0.isEmpty }
      } else if name.equalsIgnoringCase("fastly-soft-purge"), value == "1" {
        mode = .soft
      } else if name.equalsIgnoringCase("x-purge-method") {
        isPattern = value == "regex"
      }
    }
    let scope: PurgeRequest.Scope
    do {
      if !tags.isEmpty {
        scope = .tags(try tags.map(PurgeRequest.tag))
      } else {
        let host = fields.text(head.authority)
        let path = fields.text(head.path)
        if isPattern {
          guard path.hasSuffix(".*"), !path.dropLast(2).contains(where: "*+?()[]{}|^$\\".contains)
          else {
            throw PurgeRequest.Problem(
              description: "X-Purge-Method: regex is known only for a path that ends with .*")
          }
          scope = .prefixes([try PurgeURL(parsing: "http://\(host)\(path.dropLast(2))")])
        } else {
          scope = .urls([try PurgeURL(parsing: "http://\(host)\(path)")])
        }
      }
    } catch let problem as ValueProblem {
      throw PurgeRequest.Problem(description: "\(problem)")
    }
    return try PurgeRequest(checking: scope, mode: mode)
  }

  private static func trimmed(_ text: Substring) -> String {
    let rest = text.drop { $0 == " " || $0 == "\t" }
    let end = rest.lastIndex { $0 != " " && $0 != "\t" }.map { rest.index(after: $0) }
    return String(rest[..<(end ?? rest.startIndex)])
  }
}
