@testable import EdgeCache

/// The tables; each file `…Rows.swift` adds those of its subject.
enum Rows {
  /// All rows that are request heads.
  static let requests: [Row] =
    methods + targets + versions + lineEnds + fields + hosts + connections + expectations
    + lengths + codings + codingLines + lengthAndCoding

  /// All rows that are heads of responses to something other than HEAD.
  static let responses: [Row] = statusLines + responseFields + responseFraming
}
