// Large stores are read for minutes; whoever waits wants to know for how long yet.

import EdgeFleet

/// How far a check is: a line that is overwritten at a terminal, and lines now and then elsewhere.
struct CheckProgress {
  private let path: String
  private let isAsked: Bool
  private let isTerminal = Terminal.standardError.isInteractive
  private let line: ProgressLine
  private var last = ContinuousClock.now
  private var text = ""

  init(path: String, isAsked: Bool) {
    self.path = path
    self.isAsked = isAsked
    line = ProgressLine(isShown: Terminal.standardError.isInteractive)
  }

  mutating func show(_ done: Int, _ total: Int) {
    guard isTerminal || isAsked else { return }
    let percent = total == 0 ? 100 : done * 100 / total
    let now = ContinuousClock.now
    let isFirst = text.isEmpty
    text = "\(percent) % of \(readableSize(total)), \(path)"
    guard isFirst || now - last > (isTerminal ? .milliseconds(100) : .seconds(5)) else { return }
    last = now
    if isTerminal {
      line.show(text)
    } else if !isFirst {
      EdgePoPCommand.writeError("edge-pop: \(text)")
    }
  }

  func clear() { line.clear() }

  func end() {
    line.clear()
    if isAsked, !isTerminal { EdgePoPCommand.writeError("edge-pop: \(text)") }
  }
}
