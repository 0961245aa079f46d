import Testing

@testable import EdgeCache

// No-Vary-Search (draft-ietf-httpbis-no-vary-search-05) as data.

/// A field, two queries, and whether a response to one may answer the other.
struct VarianceRow: Sendable, CustomTestStringConvertible {
  var name: String
  var field: String
  var first: String
  var second: String
  var isEquivalent: Bool

  var testDescription: String {
    "\(name): \(field): \(first) \(isEquivalent ? "=" : "≠") \(second)"
  }
}

/// Queries that are equivalent.
private func same(
  _ name: String, _ field: String, _ first: String, _ second: String
) -> VarianceRow {
  VarianceRow(name: name, field: field, first: first, second: second, isEquivalent: true)
}

/// Queries that are not.
private func two(
  _ name: String, _ field: String, _ first: String, _ second: String
) -> VarianceRow {
  VarianceRow(name: name, field: field, first: first, second: second, isEquivalent: false)
}

@Suite struct SearchVarianceTests {
  private func read(_ lines: String...) -> SearchVariance? {
    var section = FieldSection()
    section.append(name: "no-vary", value: "params".utf8)
    for line in lines { section.append(name: "No-Vary-Search", value: line.utf8) }
    return SearchVariance(section)
  }

  private func canonical(_ variance: SearchVariance, _ query: String) -> [UInt8] {
    let bytes = Array(query.utf8)
    return variance.canonicalQuery(bytes.span)
  }

  @Test(arguments: comparisons) func compares(_ row: VarianceRow) throws {
    let read = read(row.field)
    let variance = try #require(read)
    #expect(
      (canonical(variance, row.first) == canonical(variance, row.second)) == row.isEquivalent)
  }

  /// What the field says (§5.2); names are separated by spaces.
  @Test(arguments: [
    ("key-order", "all but", "", false),
    ("key-order=?1", "all but", "", false),
    ("key-order;x=1", "all but", "", false),
    ("key-order, params=?0", "all but", "", false),
    ("key-order, params=()", "all but", "", false),
    ("key-order=?0, key-order", "all but", "", false),
    ("params", "only", "", true),
    ("params=?1", "only", "", true),
    ("params;x", "only", "", true),
    ("params, key-order=?0", "only", "", true),
    ("params, key-order", "only", "", false),
    ("params=?0, params", "only", "", true),
    ("params, except=()", "only", "", true), ("except=()", "only", "", true),
    ("except=(\"x\")", "only", "x", true), ("key-order, except=(\"x\")", "only", "x", false),
    ("params=(\"a\")", "all but", "a", true),
    ("params=(\"a\" \"b\"), key-order", "all but", "a b", false),
    ("params=( \"b\"  \"a\" );x", "all but", "a b", true),
    ("params=(\"a\";x=1 \"b\";y)", "all but", "a b", true),
    ("params=(\"a\" \"a\")", "all but", "a", true),
    ("params=(\"%61\")", "all but", "a", true),
    ("params, except=(\"x\")", "only", "x", true),
    ("except=(\"x\"), params", "only", "x", true),
    ("params, key-order, except=(\"x\")", "only", "x", false),
    ("params, unknown=1, except=(\"x\");y=2, other=(a b)", "only", "x", true),
    ("params, except=(not-strings), except=(\"x\")", "only", "x", true),
  ])
  func reads(
    _ field: String, _ scope: String, _ names: String, _ keyOrderMatters: Bool
  ) throws {
    let read = read(field)
    let variance = try #require(read)
    let names = Set(names.split(separator: " ").map { Array($0.utf8) })
    #expect(variance.scope == (scope == "only" ? .only(names) : .allBut(names)))
    #expect(variance.keyOrderMatters == keyOrderMatters)
  }

  /// What amounts to no field, or is in error (§5.2).
  @Test(arguments: [
    // The draft's examples.
    "unknown-key", "key-order=\"not a boolean\"", "params=\"not a boolean or inner list\"",
    "params=(not-a-string)", "params=(\"a\"), except=(\"x\")", "params=(), except=()",
    "params=?0, except=(\"x\")", "params, except=(not-a-string)",
    "params, except=\"not an inner list\"", "params, except=?1",
    "params=?0", "params=()", "key-order=?0",
    // Types.
    "key-order=1", "key-order=()", "key-order=(?1)", "key-order=yes", "params=1", "params=a",
    "params=(\"a\" b)", "params=(\"a\" 1)", "params=(\"a\" ?1)", "params=(:YQ==:)",
    "params=(%\"a\")", "params, except=(\"a\" b)", "params, except", "params, except=\"a\"",
    "key-order, params=a", "key-order=a, params", "params=(\"a\"), key-order=1",
    "key-order, params, except=a",
    // The last of an entry counts.
    "params, params=?0", "key-order, key-order=?0", "params=(\"a\"), params=()",
    // Form.
    "", " ", "\"key-order\"", "Key-Order", "PARAMS", "key-order,", ",key-order", "key-order params",
    "key-order, , params", "params=", "params=(", "params=(\"a\"", "params=\"a",
    "params=(\"a\",\"b\")",
    "params=(\"a\"\"b\")", "params=(\"é\")", "params=?2", "params=?", "params = ?1", "params;",
    "params, except=(\"x\"", "params, !", "?1", "()", "params=true",
  ])
  func isDefault(_ field: String) {
    #expect(read(field) == nil)
  }

  @Test func absent() {
    #expect(read() == nil)
  }

  /// All lines are one dictionary (RFC 9651 §4.2).
  @Test func severalLines() {
    #expect(read("params", "except=(\"x\")") == read("params, except=(\"x\")"))
    #expect(read("key-order", "params=(\"a\")") == read("params=(\"a\"), key-order"))
    #expect(read("params=(\"a\"", "\"b\")") == nil)
    #expect(read("params", "params=?0") == nil)
    #expect(read("params", "") == nil)
    #expect(read("params", "!") == nil)
  }

  /// Two responses that say the same have one variance.
  @Test func equality() {
    #expect(read("params=(\"a\" \"b\")") == read("params=(\"b\" \"%61\" \"a\")"))
    #expect(read("params") == read("params, except=()"))
    #expect(read("params=(\"a\")") != read("params=(\"a\"), key-order"))
    #expect(read("params=(\"a\")") != read("params, except=(\"a\")"))
  }

  /// Names in the field (§5.3), and names and values in a query: `+`, percent-encoding and UTF-8.
  @Test(arguments: [
    ("", []), ("a", [0x61]), ("A", [0x41]), ("+", [0x20]), ("%20", [0x20]), ("%2B", [0x2B]),
    ("%2b", [0x2B]), ("a+b", [0x61, 0x20, 0x62]), ("%61%62", [0x61, 0x62]), ("%", [0x25]),
    ("%4", [0x25, 0x34]), ("%4g", [0x25, 0x34, 0x67]), ("%g4", [0x25, 0x67, 0x34]),
    ("%%41", [0x25, 0x41]), ("%2541", [0x25, 0x34, 0x31]), ("%4%31", [0x25, 0x34, 0x31]),
    ("%+1", [0x25, 0x20, 0x31]), ("%00", [0]), ("%3D%26", [0x3D, 0x26]), ("%7F", [0x7F]),
    ("%C3%A9", [0xC3, 0xA9]), ("é", [0xC3, 0xA9]), ("%c3%a9", [0xC3, 0xA9]),
    ("%F0%9F%98%80", [0xF0, 0x9F, 0x98, 0x80]),
    // A byte order mark is a character.
    ("%EF%BB%BFa", [0xEF, 0xBB, 0xBF, 0x61]),
    // One U+FFFD for each maximal subpart.
    ("%F6", [0xEF, 0xBF, 0xBD]), ("a%80b", [0x61, 0xEF, 0xBF, 0xBD, 0x62]),
    ("%E2%82", [0xEF, 0xBF, 0xBD]), ("%F0%9F%98", [0xEF, 0xBF, 0xBD]),
    ("%E2%82a", [0xEF, 0xBF, 0xBD, 0x61]),
    ("%C0%80", [0xEF, 0xBF, 0xBD, 0xEF, 0xBF, 0xBD]),
    ("%ED%A0%80", [0xEF, 0xBF, 0xBD, 0xEF, 0xBF, 0xBD, 0xEF, 0xBF, 0xBD]),
    ("%C3%C3%A9", [0xEF, 0xBF, 0xBD, 0xC3, 0xA9]),
  ])
  func decodes(_ text: String, _ expected: [UInt8]) {
    let bytes = Array(text.utf8)
    #expect(FormEncoding.decoded(bytes.span, 0..<bytes.count) == expected)
  }

  /// An escape does not reach past the end of its name.
  @Test func decodesWithinARange() {
    let bytes = Array("x%41y".utf8)
    #expect(FormEncoding.decoded(bytes.span, 1..<4) == [0x41])
    #expect(FormEncoding.decoded(bytes.span, 1..<3) == [0x25, 0x34])
    #expect(FormEncoding.decoded(bytes.span, 1..<2) == [0x25])
    #expect(FormEncoding.decoded(bytes.span, 2..<2) == [])
  }

  /// Names and values with their lengths in front.
  @Test func form() throws {
    let read = read("key-order")
    let variance = try #require(read)
    let a: [UInt8] = [0, 0, 0, 1, 0x61, 0, 0, 0, 0]
    let b: [UInt8] = [0, 0, 0, 1, 0x62, 0, 0, 0, 1, 0]
    #expect(canonical(variance, "b=%00&a") == a + b)
    #expect(canonical(variance, "") == [])
  }

  static let comparisons: [VarianceRow] = [
    // The draft's examples (§6.1), which hold for any variance but the default.
    same("no query and an empty one", "key-order", "", ""),
    same("percent-encoding", "key-order", "a=x", "%61=%78"),
    same("not ASCII", "key-order", "a=é", "a=%C3%A9"),
    same("not UTF-8", "key-order", "a=%f6", "a=%ef%bf%bd"),
    same("empty parameters", "key-order", "a=x&&&&", "a=x"),
    same("empty value", "key-order", "a=", "a"),
    same("space", "key-order", "a=%20", "a=+"), same("space", "key-order", "a=+", "a= &"),
    same("percent-encoding", "params=(\"b\")", "a=x", "%61=%78"),
    same("empty parameters", "params=(\"b\")", "&a=x&", "a=x"),
    same("percent-encoding", "params, except=(\"a\")", "a=x", "%61=%78"),
    // The draft's example of an encoded name (§5.3.1).
    same("encoded name", "params=(\"%C3%A9+%E6%B0%97\")", "é 気=1", "é+気=2"),
    same("encoded name", "params=(\"%C3%A9+%E6%B0%97\")", "%C3%A9%20気=3", "%C3%A9+%E6%B0%97=4"),
    same("encoded name", "params=(\"%C3%A9+%E6%B0%97\")", "é%20%E6%B0%97=5", ""),
    two("other name", "params=(\"%C3%A9+%E6%B0%97\")", "é気=1", "é気=2"),
    two("composed and not", "key-order", "a=%C3%A9", "a=e%CC%81"),
    // Order.
    same("key order", "key-order", "a=1&b=2", "b=2&a=1"),
    same("key order of three", "key-order", "c=3&a=1&b=2", "b=2&c=3&a=1"),
    same("key order, encoded", "key-order", "%62=2&a=1", "a=1&b=2"),
    same("names interleaved", "key-order", "a=1&b=1&a=2", "b=1&a=1&a=2"),
    same("empty name", "key-order", "=1&a=2", "a=2&=1"),
    two("order within a name", "key-order", "a=1&a=2", "a=2&a=1"),
    two("order within a name, between others", "key-order", "a=1&b&a=2", "a=2&b&a=1"),
    two("values exchanged", "key-order", "a=1&b=2", "a=2&b=1"),
    two("another value", "key-order", "a=1&b=2", "a=1&b=3"),
    two("one more", "key-order", "a=1", "a=1&b=2"), two("twice", "key-order", "a=1", "a=1&a=1"),
    two("order matters", "params=(\"x\")", "a=1&b=2", "b=2&a=1"),
    two("order matters", "params, except=(\"a\" \"b\")", "a=1&b=2", "b=2&a=1"),
    two("order set to matter", "params=(\"x\"), key-order=?0", "a=1&b=2", "b=2&a=1"),
    same("order of what is left out", "params=(\"x\" \"y\")", "x=1&a=1&y=2", "y=3&x=4&a=1"),
    // What does not matter.
    same("utm", "params=(\"utm_source\" \"utm_medium\")", "id=1&utm_source=a", "id=1&utm_medium=b"),
    same("without it", "params=(\"x\")", "x=1&a=2", "a=2"),
    same("only it", "params=(\"x\")", "x=1", ""), same("only it", "params=(\"x\")", "x", "x=1&x=2"),
    same("each of a name", "params=(\"x\")", "x=1&a=2&x=3", "a=2"),
    same("encoded in the query", "params=(\"x\")", "%78=1&a=2", "a=2"),
    same("encoded in the field", "params=(\"%78\")", "x=1&a=2", "a=2"),
    same("space in the field", "params=(\"a b\")", "a+b=1", "a%20b=2"),
    same("plus in the field", "params=(\"a+b\")", "a+b=1", "a%20b=2"),
    same("encoded plus in the field", "params=(\"a%2Bb\")", "a%2Bb=1", "a%2bb=2"),
    two("encoded plus in the query", "params=(\"a+b\")", "a%2Bb=1", "a%2Bb=2"),
    two("plus in the query", "params=(\"a%2Bb\")", "a+b=1", "a+b=2"),
    same("quote in the field", #"params=("a\"b")"#, "a\"b=1", "a%22b=2"),
    same("bad escape in the field", "params=(\"a%zz\")", "a%zz=1", "a%25zz=2"),
    same("not UTF-8 in the field", "params=(\"%f6\")", "%f6=1", "%ff=2"),
    same("empty name in the field", "params=(\"\")", "=1&a=2", "a=2"),
    two("empty name elsewhere", "params=(\"x\")", "=1&a=2", "a=2"),
    two("another name", "params=(\"x\")", "y=1", "y=2"),
    two("letter case", "params=(\"x\")", "X=1", "X=2"),
    two("part of a name", "params=(\"x\")", "xy=1", "xy=2"),
    two("no pattern", "params=(\"x*\")", "xy=1", "xy=2"),
    two("in a value", "params=(\"x\")", "a=x", "a=y"),
    two("brackets", "params=(\"x\")", "x[]=1", "x[]=2"),
    same("brackets", "params=(\"x[]\")", "x[]=1", "x%5B%5D=2"),
    // No parameter matters.
    same("any", "params", "a=1&b=2", "c=3"), same("any", "params", "a=1", ""),
    same("any", "params, except=()", "a=1", "&&="), same("any", "params, key-order", "a=1&b", "b"),
    // Some do.
    same("the others", "params, except=(\"id\")", "id=1&a=2", "b=3&id=1&c"),
    two("this one", "params, except=(\"id\")", "id=1", "id=2"),
    two("this one not there", "params, except=(\"id\")", "id=1", ""),
    two("this one empty", "params, except=(\"id\")", "id", ""),
    two("this one twice", "params, except=(\"id\")", "id=1", "id=1&id=1"),
    two("this one, encoded", "params, except=(\"%69d\")", "id=1", "i%64=2"),
    same("order of these", "params, except=(\"a\" \"b\"), key-order", "a=1&x&b=2", "b=2&a=1&y"),
    two("order within one", "params, except=(\"a\"), key-order", "a=1&a=2", "a=2&a=1"),
    // How a query is taken apart.
    two("equals in a value", "key-order", "a=b=c", "a=b"),
    same("encoded equals in a value", "key-order", "a=b=c", "a=b%3Dc"),
    two("encoded equals in a name", "key-order", "a%3Db=c", "a=b%3Dc"),
    two("encoded ampersand", "key-order", "a=1%26b=2", "a=1&b=2"),
    two("semicolon", "key-order", "a=1;b=2", "a=1&b=2"),
    two("name and value", "key-order", "ab=c", "a=bc"), two("empty name", "key-order", "=a", "a"),
    two("two and one", "key-order", "a&b", "a=b"), two("a zero", "key-order", "a=%00", "a="),
    same("lone equals", "key-order", "=", "=&"), two("lone equals", "key-order", "=", ""),
    two("letter case of a value", "key-order", "a=b", "a=B"),
    two("leading question mark", "key-order", "?a=1", "a=1"),
    two(
      "looks like a number in front", "key-order", "a=%00%00%00%01b%00%00%00%00", "a=&b="),
  ]
}
