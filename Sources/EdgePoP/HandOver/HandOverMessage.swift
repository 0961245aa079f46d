// What a PoP that begins and one that has the addresses say to each other: lines of text. Pure.
//
//   successor:  edge-pop 1 give ADDRESS...          for addresses of a PoP that is draining
//               edge-pop 1 take-over ADDRESS...     also of one that serves
//   PoP:        serving PID | starting PID          no
//               wait PID MILLISECONDS               yes, within that time; then one of
//               given                               the addresses are free
//               sockets ADDRESS=COUNT...            descriptors follow, in this order
//   successor:  serving                             it accepts clients; what was handed over is its own

/// A question for addresses.
struct HandOverRequest: Sendable, Equatable {
  /// True if those of a PoP that serves are wanted too.
  var takesOver: Bool
  /// The addresses, with numbers.
  var addresses: [String]

  init(takesOver: Bool, addresses: [String]) {
    (self.takesOver, self.addresses) = (takesOver, addresses)
  }

  /// The question in a line; nil if it is none.
  init?(line: String) {
    let words = line.split(separator: " ").map(String.init)
    guard words.count > 3, words[0] == "edge-pop", words[1] == "1",
      ["give", "take-over"].contains(words[2])
    else { return nil }
    self.init(takesOver: words[2] == "take-over", addresses: Array(words[3...]))
  }

  /// The question as it is sent.
  var line: String {
    "edge-pop 1 \(takesOver ? "take-over" : "give") \(addresses.joined(separator: " "))"
  }
}

/// An answer to it.
enum HandOverReply: Sendable, Equatable {
  /// Another PoP serves, and goes on.
  case serving(process: Int)
  /// Another PoP is about to.
  case starting(process: Int)
  /// There will be a further answer within that time.
  case wait(process: Int, milliseconds: Int)
  /// The addresses are free.
  case given
  /// So many sockets of each address follow.
  case sockets([Sockets])

  /// Sockets of one address.
  struct Sockets: Sendable, Equatable {
    var address: String
    var count: Int
  }

  /// What follows the last answer of a successor that serves.
  static let confirmation = "serving"
  /// More would be no PoP.
  private static let mostSockets = 1 << 16

  /// The answer in a line; nil if it is none.
  init?(line: String) {
    let words = line.split(separator: " ").map(String.init)
    switch (words.first, words.count) {
    case ("serving", 2), ("starting", 2):
      guard let process = Int(words[1]) else { return nil }
      self = words[0] == "serving" ? .serving(process: process) : .starting(process: process)
    case ("wait", 3):
      guard let process = Int(words[1]), let time = Int(words[2]), (0...86_400_000).contains(time)
      else { return nil }
      self = .wait(process: process, milliseconds: time)
    case ("given", 1): self = .given
    case ("sockets", 1...):
      var list: [Sockets] = []
      for word in words.dropFirst() {
        guard let mark = word.lastIndex(of: "="), let count = Int(word[word.index(after: mark)...]),
          (1...Self.mostSockets).contains(count)
        else { return nil }
        list.append(Sockets(address: String(word[..<mark]), count: count))
      }
      self = .sockets(list)
    default: return nil
    }
  }

  /// The answer as it is sent.
  var line: String {
    switch self {
    case .serving(let process): "serving \(process)"
    case .starting(let process): "starting \(process)"
    case .wait(let process, let milliseconds): "wait \(process) \(milliseconds)"
    case .given: "given"
    case .sockets(let list):
      (["sockets"] + list.map { "\($0.address)=\($0.count)" }).joined(separator: " ")
    }
  }
}
