import Testing

@testable import EdgeCache

// What a site's rules leave of a query.

/// Rules, a target, and what must be left of it.
struct QueryRulesRow: Sendable, CustomTestStringConvertible {
  var name: String
  var rules: QueryRules
  var target: String
  var expectation: String

  /// A row; names are separated by spaces, and no list is not an empty one.
  init(
    _ name: String, sorts: Bool = false, include: String? = nil, exclude: String = "",
    _ target: String, _ expectation: String
  ) {
    self.name = name
    rules = QueryRules(
      sorts: sorts, include: include.map(Self.names), exclude: Self.names(exclude))
    self.target = target
    self.expectation = expectation
  }

  private static func names(_ text: String) -> [[UInt8]] {
    text.split(separator: " ").map { Array($0.utf8) }
  }

  var testDescription: String { "\(name): \(target)" }
}

@Suite struct QueryRulesTests {
  @Test(arguments: rows) func leaves(_ row: QueryRulesRow) {
    let result = row.rules.canonical(Array(row.target.utf8))
    #expect(String(decoding: result, as: UTF8.self) == row.expectation)
  }

  /// What is left is left again: a key that was made is not changed by the same rules.
  @Test(arguments: rows) func isStable(_ row: QueryRulesRow) {
    let once = row.rules.canonical(Array(row.target.utf8))
    #expect(row.rules.canonical(once) == once)
  }

  /// The path is never touched.
  @Test(arguments: rows) func keepsThePath(_ row: QueryRulesRow) {
    let result = row.rules.canonical(Array(row.target.utf8))
    let path = row.target.utf8.prefix { $0 != ASCII.question }
    #expect(result.prefix { $0 != ASCII.question }.elementsEqual(path))
  }

  @Test(arguments: [
    ("none", QueryRules(), true),
    ("sorts", QueryRules(sorts: true), false),
    ("includes nothing", QueryRules(include: []), false),
    ("includes", QueryRules(include: [[0x61]]), false),
    ("excludes", QueryRules(exclude: [[0x61]]), false),
  ])
  func isIdentity(_ name: String, _ rules: QueryRules, _ expected: Bool) {
    #expect(rules.isIdentity == expected, "\(name)")
  }

  static let rows: [QueryRulesRow] = [
    // No rule.
    .init("identity", "/", "/"), .init("identity", "/?", "/?"), .init("identity", "", ""),
    .init("identity", "/?b=2&a=1&&c", "/?b=2&a=1&&c"), .init("identity", "/?&", "/?&"),
    .init("identity", "/a?b?c=%41", "/a?b?c=%41"),
    // Sorting.
    .init("sorts", sorts: true, "/?b=2&a=1", "/?a=1&b=2"),
    .init("sorted before", sorts: true, "/?a=1&b=2", "/?a=1&b=2"),
    .init("one name keeps its order", sorts: true, "/?b=1&a=2&a=1&b=0", "/?a=2&a=1&b=1&b=0"),
    .init("prefix first", sorts: true, "/?ab=1&a=2", "/?a=2&ab=1"),
    .init("by name, not value", sorts: true, "/?a=z&a-b=a", "/?a=z&a-b=a"),
    .init("by byte", sorts: true, "/?a=1&B=2&_=3", "/?B=2&_=3&a=1"),
    .init("name without value", sorts: true, "/?b&a&b=1&a=", "/?a&a=&b&b=1"),
    .init("empty name", sorts: true, "/?a=1&=2&=1", "/?=2&=1&a=1"),
    .init("as written", sorts: true, "/?b=1&%61=2", "/?%61=2&b=1"),
    .init("no query", sorts: true, "/b/a", "/b/a"),
    .init("no path", sorts: true, "?b&a", "?a&b"),
    .init("empty target", sorts: true, "", ""),
    .init("second question mark", sorts: true, "/?b=?&a?=1", "/?a?=1&b=?"),
    .init("question mark first", sorts: true, "/??b&?a", "/??a&?b"),
    .init("slash in a query", sorts: true, "/x?b=/&a=/y", "/x?a=/y&b=/"),
    .init("equals in a value", sorts: true, "/?b=1=2&a==", "/?a==&b=1=2"),
    .init("ampersand in a path", sorts: true, "/b&a?d&c", "/b&a?c&d"),
    // Empty parameters.
    .init("empty ones go", sorts: true, "/?a&&b", "/?a&b"),
    .init("empty ones go", sorts: true, "/?&a&", "/?a"),
    .init("empty ones go", exclude: "x", "/?&&a=1&&&b=2&&", "/?a=1&b=2"),
    .init("only empty ones", sorts: true, "/?&&", "/"),
    .init("empty query", sorts: true, "/?", "/"), .init("empty query", exclude: "x", "/a?", "/a"),
    // Excluding.
    .init("excludes", exclude: "utm", "/?a=1&utm=2&b=3", "/?a=1&b=3"),
    .init("excludes the first", exclude: "a", "/?a=1&b=2", "/?b=2"),
    .init("excludes the last", exclude: "b", "/?a=1&b=2", "/?a=1"),
    .init("excludes all", exclude: "a b", "/p?a=1&b=2", "/p"),
    .init("excludes each of a name", exclude: "a", "/?a=1&b=2&a=3&a", "/?b=2"),
    .init("keeps the order", exclude: "x", "/?c&x&b&a", "/?c&b&a"),
    .init("without value", exclude: "a", "/?a&b", "/?b"),
    .init("part of a name", exclude: "ut", "/?utm=1&u=2", "/?utm=1&u=2"),
    .init("longer than a name", exclude: "utmx", "/?utm=1", "/?utm=1"),
    .init("letter case", exclude: "a", "/?A=1&a=2", "/?A=1"),
    .init("encoded name", exclude: "a", "/?%61=1&a=2", "/"),
    .init("encoded rule", exclude: "%61", "/?%61=1&a=2", "/"),
    .init("a value is no name", exclude: "x", "/?a=x&b=x=1", "/?a=x&b=x=1"),
    .init("a path is no parameter", exclude: "x", "/x?a", "/x?a"),
    .init("prefix", exclude: "utm_*", "/?utm_source=1&utm_=2&utm=3&a=4", "/?utm=3&a=4"),
    .init("prefix is the name", exclude: "utm*", "/?utm=1&ut=2&utmx", "/?ut=2"),
    .init("prefix of a value", exclude: "x*", "/?a=xy", "/?a=xy"),
    .init("everything", exclude: "*", "/?a=1&=2&b", "/"),
    .init("asterisk in the middle", exclude: "a*b", "/?axb=1&a*b=2", "/?axb=1"),
    .init("two asterisks", exclude: "a**", "/?a*=1&a*b=2&a=3", "/?a=3"),
    .init("several rules", exclude: "fbclid gclid utm_*", "/?gclid=1&a&utm_x&fbclid", "/?a"),
    // Including.
    .init("includes", include: "id", "/?a=1&id=2&b=3", "/?id=2"),
    .init("includes nothing", include: "", "/p?a=1&b", "/p"),
    .init("includes nothing there", include: "x", "/p?a=1", "/p"),
    .init("includes each of a name", include: "a", "/?a=2&b&a=1", "/?a=2&a=1"),
    .init("includes in order", include: "a b", "/?b=1&c=2&a=3", "/?b=1&a=3"),
    .init("includes a prefix", include: "p_*", "/?p_b=1&q=2&p_a=3&p=4", "/?p_b=1&p_a=3"),
    .init("includes everything", include: "*", "/?b&&a", "/?b&a"),
    // Together.
    .init("excluded though included", include: "a b", exclude: "b", "/?b=1&a=2", "/?a=2"),
    .init("prefix less a name", include: "p_*", exclude: "p_x", "/?p_x=1&p_y=2", "/?p_y=2"),
    .init("sorts what is left", sorts: true, exclude: "x", "/?c&x&b&a", "/?a&b&c"),
    .init("sorts what is included", sorts: true, include: "a b", "/?b=1&c&a=2", "/?a=2&b=1"),
    .init(
      "all of them", sorts: true, include: "p* q", exclude: "px", "/?q=1&px=2&pb&z&pa&q=0",
      "/?pa&pb&q=1&q=0"),
  ]

  /// A name of no bytes is a name like any other.
  @Test func emptyName() {
    let target = Array("/?=1&a=2&".utf8)
    #expect(QueryRules(exclude: [[]]).canonical(target) == Array("/?a=2".utf8))
    #expect(QueryRules(include: [[]]).canonical(target) == Array("/?=1".utf8))
  }

  /// Bytes that no URL has are bytes all the same.
  @Test func anyBytes() {
    let target: [UInt8] = [0x2F, 0x3F, 0xFF, 0x3D, 0x00, 0x26, 0xFE, 0x26, 0x80]
    #expect(
      QueryRules(sorts: true).canonical(target) == [
        0x2F, 0x3F, 0x80, 0x26, 0xFE, 0x26, 0xFF, 0x3D, 0x00,
      ])
    #expect(
      QueryRules(exclude: [[0xFE], [0xFF, ASCII.asterisk]]).canonical(target) == [
        0x2F, 0x3F, 0x80,
      ])
  }
}
