// Tables of the command lines: words to the left, numbers to the right, two spaces in between. Rows
// may come in parts, so that a long list need not be whole before its beginning is shown: columns get
// wider from part to part, never narrower.

/// Rows of text in columns under a line of titles.
public struct TextTable: Sendable {
  /// What a column is called, and to which side its cells go.
  public struct Column: Sendable {
    let title: String
    let isNumber: Bool

    /// A column of words, whose cells begin below each other.
    public static func words(_ title: String) -> Column { Column(title: title, isNumber: false) }

    /// A column of numbers, whose cells end below each other.
    public static func numbers(_ title: String) -> Column { Column(title: title, isNumber: true) }
  }

  /// What is in a row and a column.
  public struct Cell: Sendable {
    let text: String
    let colour: Int?

    /// A cell with `text`, in a rendition of ``Terminal/coloured(_:_:)`` where there are colours.
    public init(_ text: String, colour: Int? = nil) {
      (self.text, self.colour) = (text, colour)
    }
  }

  private let columns: [Column]
  private let isColoured: Bool
  private let titleColour: Int?
  private let widest: Int
  private var widths: [Int]
  private var hasTitles = false

  /// An empty table. No column is made wider than `widest`: what is wider moves what is behind it.
  public init(
    _ columns: [Column], coloured isColoured: Bool, titleColour: Int? = nil, widest: Int = .max
  ) {
    (self.columns, self.isColoured, self.titleColour) = (columns, isColoured, titleColour)
    self.widest = widest
    widths = Array(repeating: 0, count: columns.count)
  }

  /// The lines of more rows, below that of the titles if they are the first. Each row has a cell for
  /// each column. O(cells).
  public mutating func lines(_ rows: [[Cell]]) -> [String] {
    var rows = rows
    if !hasTitles { rows.insert(columns.map { Cell($0.title, colour: titleColour) }, at: 0) }
    hasTitles = true
    for cells in rows {
      for column in columns.indices {
        widths[column] = max(widths[column], min(cells[column].text.count, widest))
      }
    }
    return rows.map(line)
  }

  private func line(_ cells: [Cell]) -> String {
    var line = ""
    for (column, cell) in cells.enumerated() {
      let isLast = column == columns.count - 1
      // No line ends in spaces for want of words.
      if isLast, cell.text.isEmpty, !columns[column].isNumber { break }
      let space = String(repeating: " ", count: max(0, widths[column] - cell.text.count))
      let colour = isColoured ? cell.colour : nil
      let text = colour.map { Terminal.coloured(cell.text, $0) } ?? cell.text
      if column > 0 { line += "  " }
      line += columns[column].isNumber ? space + text : isLast ? text : text + space
    }
    return line
  }
}
