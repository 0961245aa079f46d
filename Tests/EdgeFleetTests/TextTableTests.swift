// Tables as people see them, letter by letter.

import EdgeFleet
import Testing

@Suite struct TextTableTests {
  private typealias Cell = TextTable.Cell

  private static let columns: [TextTable.Column] = [.words("POP"), .numbers("MS"), .words("")]

  private static func row(_ texts: String...) -> [Cell] { texts.map { Cell($0) } }

  @Test("Words begin, and numbers end, below each other; no line ends in spaces")
  func aligned() {
    var table = TextTable(Self.columns, coloured: false)
    let lines = table.lines([
      Self.row("sin1", "7", "timed out"), Self.row("fra", "1234", ""),
    ])
    #expect(lines == ["POP     MS", "sin1     7  timed out", "fra   1234"])
  }

  @Test("There are titles without rows")
  func empty() {
    var table = TextTable(Self.columns, coloured: false)
    #expect(table.lines([]) == ["POP  MS"])
  }

  @Test("More rows have no more titles, and make columns wider but never narrower")
  func parts() {
    var table = TextTable([.words("URL"), .numbers("SIZE")], coloured: false)
    #expect(table.lines([Self.row("/aaaa", "1")]) == ["URL    SIZE", "/aaaa     1"])
    #expect(table.lines([Self.row("/b", "12345")]) == ["/b     12345"])
    #expect(table.lines([Self.row("/c", "1")]) == ["/c         1"])
  }

  @Test("What is wider than the widest column moves what is behind it, in its own line only")
  func widest() {
    var table = TextTable([.words("URL"), .numbers("SIZE")], coloured: false, widest: 4)
    #expect(
      table.lines([Self.row("/aaaaaaa", "1"), Self.row("/b", "2")])
        == ["URL   SIZE", "/aaaaaaa     1", "/b       2"])
  }

  @Test("Colours take no room, and are left out where there are none")
  func coloured() {
    let rows = [[Cell("a", colour: 31), Cell("7", colour: 33), Cell("why")]]
    var plain = TextTable(Self.columns, coloured: false, titleColour: 1)
    #expect(plain.lines(rows) == ["POP  MS", "a     7  why"])
    var table = TextTable(Self.columns, coloured: true, titleColour: 1)
    #expect(
      table.lines(rows) == [
        "\u{1B}[1mPOP\u{1B}[0m  \u{1B}[1mMS\u{1B}[0m",
        "\u{1B}[31ma\u{1B}[0m     \u{1B}[33m7\u{1B}[0m  why",
      ])
  }

  @Test("A letter of several scalars is as wide as one")
  func letters() {
    var table = TextTable([.words("CITY"), .words("RESULT")], coloured: false)
    #expect(
      table.lines([Self.row("Zu\u{308}rich", "purged"), Self.row("Frankfurt", "PENDING")])
        == ["CITY       RESULT", "Zu\u{308}rich     purged", "Frankfurt  PENDING"])
  }
}
