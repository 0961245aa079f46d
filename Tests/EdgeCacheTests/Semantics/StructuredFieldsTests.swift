import Testing

@testable import EdgeCache

/// Lists of strings (RFC 9651 §3.1, §3.3.3), as `Cache-Groups` is one (RFC 9875 §2).
@Suite struct StructuredFieldsTests {
  /// A section with a field line for each value, and with other fields around them.
  private func section(_ lines: [String]) -> FieldSection {
    var section = FieldSection()
    section.append(name: "cache-group", value: "\"before\"".utf8)
    for (index, line) in lines.enumerated() {
      section.append(
        name: index.isMultiple(of: 2) ? "Cache-Groups" : "cache-groups", value: line.utf8)
      section.append(name: "x-cache-groups", value: "\"between\"".utf8)
    }
    return section
  }

  private func strings(_ lines: [String], atMost: Int = 100) -> [String]? {
    StructuredFields.strings(section(lines), name: "cache-groups", atMost: atMost)?.map {
      String(decoding: $0, as: UTF8.self)
    }
  }

  @Test(arguments: [
    ("one", ["\"a\""], ["a"]),
    ("several", ["\"a\", \"b\",\"c\""], ["a", "b", "c"]),
    ("several lines", ["\"a\"", "\"b\", \"c\""], ["a", "b", "c"]),
    ("whitespace", ["\"a\" \t,\t \"b\""], ["a", "b"]),
    ("twice", ["\"a\", \"a\""], ["a", "a"]),
    ("empty string", ["\"\", \"a\""], ["", "a"]),
    ("comma within", ["\"a,b\""], ["a,b"]),
    ("escapes", [#""a\"b", "c\\d""#], [#"a"b"#, #"c\d"#]),
    ("letter case is kept", ["\"A\", \"a\""], ["A", "a"]),
    ("spaces are kept", ["\" a b \""], [" a b "]),
    ("like other types", ["\"1\", \"?1\", \"()\""], ["1", "?1", "()"]),
    ("parameters", ["\"a\";p, \"b\";q=1;r=\"x, y\""], ["a", "b"]),
    ("parameter of a date", ["\"a\";d=@1659578233"], ["a"]),
    ("empty list", [""], []),
  ])
  func reads(_ name: String, _ lines: [String], _ expected: [String]) {
    #expect(strings(lines) == expected, "\(name)")
  }

  @Test(arguments: [
    ("absent", []),
    ("token", ["a"]), ("token among strings", ["\"a\", b"]), ("integer", ["1"]),
    ("decimal", ["1.5"]), ("boolean", ["?1"]), ("date", ["@1"]), ("bytes", [":YQ==:"]),
    ("display string", ["%\"a\""]), ("inner list", ["(\"a\")"]),
    ("inner list among strings", ["\"a\", (\"b\")"]),
    ("not closed", ["\"a"]), ("not opened", ["a\""]), ("no comma", ["\"a\" \"b\""]),
    ("trailing comma", ["\"a\","]), ("leading comma", [",\"a\""]), ("two commas", ["\"a\",,\"b\""]),
    ("empty first line", ["", "\"a\""]), ("empty last line", ["\"a\"", ""]),
    ("split over lines", ["\"a", "b\" c"]), ("bad escape", [#""a\b""#]),
    ("escape at the end", [#""a\"#]), ("not ASCII", ["\"é\""]), ("control", ["\"a\u{1}\""]),
    ("delete", ["\"a\u{7F}\""]), ("tab within", ["\"a\tb\""]), ("single quotes", ["'a'"]),
    ("bad parameter", ["\"a\";"]), ("bad parameter name", ["\"a\";P"]),
    ("bad parameter value", ["\"a\";p=\""]), ("error in a later line", ["\"a\"", "!"]),
    ("error past the limit", ["\"a\", \"b\", \"c\", d"]),
  ])
  func refuses(_ name: String, _ lines: [String]) {
    #expect(strings(lines, atMost: 2) == nil, "\(name)")
  }

  @Test(arguments: [
    (0, []), (1, ["a"]), (2, ["a", "b"]), (3, ["a", "b", "c"]), (4, ["a", "b", "c"]),
  ])
  func atMost(_ limit: Int, _ expected: [String]) {
    #expect(strings(["\"a\", \"b\"", "\"c\""], atMost: limit) == expected)
  }

  /// RFC 9875 §2 asks for 32 characters and 128 groups at least.
  @Test func manyAndLong() {
    let names = (0..<128).map { "\(String(repeating: "x", count: 64))\($0)" }
    let line = names.map { "\"\($0)\"" }.joined(separator: ", ")
    #expect(strings([line], atMost: 128) == names)
  }

  @Test(arguments: [
    ([], nil), (["a"], "a"), (["a", "b"], "a, b"), ([""], ""), (["", ""], ", "),
    (["a, b", "c"], "a, b, c"),
  ])
  func joins(_ lines: [String], _ expected: String?) {
    let name = Array("CACHE-groups".utf8)
    let section = section(lines)
    #expect(StructuredFields.joined(section, name: name.span) == expected.map { Array($0.utf8) })
    #expect(
      StructuredFields.joined(section, name: "cache-groups") == expected.map { Array($0.utf8) })
  }
}
