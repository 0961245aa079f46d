import NIOCore
import Testing

@testable import EdgeCache

// Reading Cache-Control (RFC 9111 §5.2): lines, and what is understood of them.

/// `Cache-Control` lines, separated by `↵`, and the directives as words.
struct DirectiveRow: Sendable, CustomTestStringConvertible {
  var lines: String
  var directives: String

  init(_ lines: String, _ directives: String) {
    self.lines = lines
    self.directives = directives
  }

  var testDescription: String { lines.isEmpty ? "(empty)" : lines }

  static let rows: [DirectiveRow] = [
    // Names.
    .init("no-store", "no-store"), .init("no-cache", "no-cache"), .init("private", "private"),
    .init("public", "public"), .init("must-revalidate", "must-revalidate"),
    .init("proxy-revalidate", "proxy-revalidate"), .init("must-understand", "must-understand"),
    .init("no-transform", "no-transform"), .init("immutable", "immutable"),
    .init("only-if-cached", "only-if-cached"), .init("max-age=5", "max-age=5"),
    .init("s-maxage=5", "s-maxage=5"), .init("min-fresh=5", "min-fresh=5"),
    .init("max-stale=5", "max-stale=5"), .init("stale-if-error=5", "stale-if-error=5"),
    .init("stale-while-revalidate=5", "stale-while-revalidate=5"),
    .init("NO-STORE", "no-store"), .init("Max-Age=5", "max-age=5"),
    .init("S-MaxAge=5", "s-maxage=5"), .init("no_store", ""), .init("nostore", ""),
    .init("no-stor", ""), .init("no-stores", ""), .init("x-no-store", ""), .init("maxage=5", ""),
    .init("", ""), .init(",", ""), .init(",,,", ""), .init("unknown", ""), .init("a=b", ""),
    .init("=5", ""), .init("=", ""),
    // Lists.
    .init("no-store,no-cache", "no-store no-cache"),
    .init("no-store , no-cache", "no-store no-cache"),
    .init("no-store\t,\tno-cache", "no-store no-cache"),
    .init(",no-store,,no-cache,", "no-store no-cache"),
    .init("no-store↵no-cache", "no-store no-cache"), .init("↵no-store", "no-store"),
    .init("max-age=5 no-store", "max-age=0"), .init("no-store; no-cache", ""),
    .init("public, max-age=5, must-revalidate", "public max-age=5 must-revalidate"),
    // Numbers.
    .init("max-age=0", "max-age=0"), .init("max-age=00", "max-age=0"),
    .init("max-age=007", "max-age=7"), .init("max-age=2147483647", "max-age=2147483647"),
    .init("max-age=2147483648", "max-age=2147483648"),
    .init("max-age=2147483649", "max-age=2147483648"),
    .init("max-age=99999999999999999999999", "max-age=2147483648"),
    .init("max-age=9223372036854775808", "max-age=2147483648"),
    .init("max-age", "max-age=0"), .init("max-age=", "max-age=0"), .init("max-age=-1", "max-age=0"),
    .init("max-age=+5", "max-age=0"), .init("max-age=5.5", "max-age=0"),
    .init("max-age=5s", "max-age=0"), .init("max-age=0x5", "max-age=0"),
    .init("max-age=five", "max-age=0"), .init("max-age:5", ""), .init("max-age==5", "max-age=0"),
    .init("max-age=5 5", "max-age=0"), .init("s-maxage=x", "s-maxage=0"),
    .init("s-maxage", "s-maxage=0"), .init("min-fresh=x", ""), .init("min-fresh", ""),
    .init("max-stale", "max-stale=2147483648"), .init("max-stale=x", ""), .init("max-stale=", ""),
    .init("stale-if-error", ""), .init("stale-if-error=x", ""),
    .init("stale-while-revalidate=-1", ""),
    // Whitespace and quotes around values.
    .init("max-age = 5", "max-age=5"), .init("max-age= 5", "max-age=5"),
    .init("max-age =5", "max-age=5"), .init("max-age=\"5\"", "max-age=5"),
    .init("max-age=\"\"", "max-age=0"), .init("max-age=\"5", "max-age=0"),
    .init("max-age=5\"", "max-age=0"), .init("max-age='5'", "max-age=0"),
    .init("max-age=\"5\"5", "max-age=0"), .init("max-age=\" 5\"", "max-age=0"),
    .init("s-maxage=\"5\"", "s-maxage=5"), .init("\"max-age=5\"", ""),
    // Arguments where there are none, and lists within quotes.
    .init("no-store=1", "no-store"), .init("no-store=\"x\"", "no-store"),
    .init("private=\"set-cookie\"", "qualified"), .init("no-cache=\"set-cookie\"", "qualified"),
    .init("private=set-cookie", "qualified"), .init("no-cache=", "no-cache"),
    .init("no-cache=\"\"", "no-cache"),
    .init("no-cache=\"a b\"", "no-cache"), .init("private=\"a\", private", "private qualified"),
    .init("no-cache=\"a, b\", max-age=5", "qualified max-age=5"),
    .init("private=\"a, no-store, b\"", "qualified"), .init("x=\"no-store\"", ""),
    .init("x=\"a, max-age=5\"", ""), .init("x=\"a\\\", no-store\"", ""),
    .init("x=\"a\\\\\", no-store", "no-store"), .init("x=\"\", no-store", "no-store"),
    .init("immutable=no", "immutable"), .init("must-revalidate=0", "must-revalidate"),
    // A quote that is never closed hides nothing.
    .init("x=\"a, no-store", "no-store"), .init("x=\", private, max-age=5", "private max-age=5"),
    .init("no-cache=\"a, private", "no-cache private"), .init("x=\"a\\\", no-store", "no-store"),
    .init("max-age=5, x=\", no-store", "max-age=5 no-store"),
    .init("x=\"a↵no-store", "no-store"), .init("x=\"a↵y=\"b, no-store", "no-store"),
    // The first of several counts.
    .init("max-age=5, max-age=9", "max-age=5"), .init("max-age=5↵max-age=9", "max-age=5"),
    .init("max-age=x, max-age=9", "max-age=0"), .init("max-age, max-age=9", "max-age=0"),
    .init("s-maxage=9, s-maxage=5", "s-maxage=9"), .init("no-store, no-store", "no-store"),
    .init("public, private", "public private"), .init("max-age=5, MAX-AGE=9", "max-age=5"),
    .init("max-age=5, s-maxage=9", "max-age=5 s-maxage=9"),
    .init("min-fresh=5, min-fresh=9", "min-fresh=5"),
    .init("max-stale=5, max-stale", "max-stale=5"),
  ]
}

extension CacheControl {
  /// The directives as words, in a fixed order.
  var words: String {
    let flags: [(Bool, String)] = [
      (noStore, "no-store"), (noCache, "no-cache"), (isPrivate, "private"), (isPublic, "public"),
      (mustRevalidate, "must-revalidate"), (proxyRevalidate, "proxy-revalidate"),
      (mustUnderstand, "must-understand"), (noTransform, "no-transform"),
      (immutable, "immutable"), (isQualified, "qualified"), (onlyIfCached, "only-if-cached"),
    ]
    let numbers: [(Int64?, String)] = [
      (maxAge, "max-age"), (sMaxAge, "s-maxage"), (minFresh, "min-fresh"), (maxStale, "max-stale"),
      (staleIfError, "stale-if-error"), (staleWhileRevalidate, "stale-while-revalidate"),
    ]
    let words =
      flags.filter(\.0).map(\.1)
      + numbers.compactMap { number, name in number.map { "\(name)=\($0)" } }
    return words.sorted().joined(separator: " ")
  }
}

@Suite struct CacheControlTests {
  @Test(arguments: DirectiveRow.rows) func directives(_ row: DirectiveRow) {
    var fields = FieldSection()
    for line in row.lines.split(separator: "↵", omittingEmptySubsequences: false) {
      fields.append(name: "cache-control", value: line.utf8)
    }
    let wanted = row.directives.split(separator: " ").sorted().joined(separator: " ")
    #expect(CacheControl(fields).words == wanted)
  }

  @Test func absent() {
    #expect(CacheControl(FieldSection()) == CacheControl())
  }

  /// `Pragma: no-cache` counts only where there is no Cache-Control (§5.4).
  @Test(arguments: [
    ("Pragma: no-cache", "no-cache"), ("Pragma: No-Cache", "no-cache"), ("Pragma: x", ""),
    ("Pragma: x, no-cache", "no-cache"), ("Pragma: no-cache↵Cache-Control: max-age=5", "max-age=5"),
    ("Pragma: no-cache↵Cache-Control:", ""), ("Pragma: no-store", ""),
  ]) func pragma(_ fields: String, _ wanted: String) {
    let head = CoreExchange.parseRequest("GET / HTTP/1.1↵Host: a↵\(fields)")
    #expect(CacheControl.ofRequest(head.fields).words == wanted)
  }
}
