// What expressions of paths are carried out as takes no less than they match: tried with random expressions and paths,
// and what Swift's own expressions say of them. Those that match anywhere in a path are meant from its beginning.

import Seeds
import Testing

@testable import EdgeFleet

@Suite struct PathPatternTests {
  private static func atom(_ depth: Int, _ numbers: inout SeededRandom) -> String {
    switch Int.random(in: 0..<(depth > 0 ? 14 : 9), using: &numbers) {
    case 0..<3: "a"
    case 3: "b"
    case 4: "/"
    case 5: "."
    case 6: "[ab]"
    case 7: "\\."
    case 8: "[^a]"
    case 9, 10: "(\(sequence(depth - 1, &numbers)))"
    case 11: "(\(sequence(depth - 1, &numbers))|\(sequence(depth - 1, &numbers)))"
    case 12: "\\w"
    default: "(.*)"
    }
  }

  private static func sequence(_ depth: Int, _ numbers: inout SeededRandom) -> String {
    var text = ""
    for _ in 0..<Int.random(in: 1...3, using: &numbers) {
      let atom = atom(depth, &numbers)
      // What repeats a repetition takes ages to match.
      let repetitions =
        atom.hasPrefix("(") ? ["", "", "?"] : ["", "", "", "", "*", "+", "?", "{2}"]
      text += atom + (repetitions.randomElement(using: &numbers) ?? "")
    }
    return text
  }

  private static func path(_ numbers: inout SeededRandom) -> String {
    "/"
      + String(
        (0..<Int.random(in: 0...6, using: &numbers)).map { _ in
          "aab/.-".randomElement(using: &numbers) ?? "a"
        })
  }

  @Test(arguments: 0..<8 as Range<UInt64>)
  func noLessThanItMatches(_ seed: UInt64) throws {
    var numbers = SeededRandom(seed: seed)
    var (matches, implied) = (0, 0)
    for _ in 0..<200 {
      let text =
        "/" + Self.sequence(2, &numbers) + (Bool.random(using: &numbers) ? "" : "$")
        + (Int.random(in: 0..<12, using: &numbers) == 0 ? "|/b" : "")
      guard let expression = try? Regex(text) else { continue }
      let guess = ImpliedPattern(text)
      let rule = PathPattern(text)
      if guess != nil { implied += 1 }
      for _ in 0..<12 {
        let path = Self.path(&numbers)
        guard path.prefixMatch(of: expression) != nil else { continue }
        matches += 1
        // What stands behind a `?` that begins a query is no expression.
        if let guess, !guess.beginning.contains("?") {
          let isTaken = guess.isWhole ? path == guess.beginning : path.hasPrefix(guess.beginning)
          #expect(isTaken, "\(text) guessed as \(guess), and it matches \(path)")
        }
        switch rule {
        case .exact(let exact): #expect(path == exact, "\(text) as \(exact) matches \(path)")
        case .prefix(let prefix, _):
          #expect(path.hasPrefix(prefix), "\(text) as \(prefix) matches \(path)")
        case nil: break
        }
      }
    }
    #expect(matches > 20 && implied > 50, "\(matches) matches, \(implied) guessed")
  }
}
