// What a PoP that begins and one that has the addresses say to each other: lines of text. Pure.
//
//   successor:  edge-pop 2 give ADDRESS...          for addresses of a PoP that is draining
//               edge-pop 2 take-over ADDRESS...     also of one that serves
//   PoP:        serving PID | starting PID          no
//               elsewhere PID ADDRESS...            no: it serves clients at none of them, but at these
//               wait PID MILLISECONDS ADDRESS...    yes, within that time; these of its addresses end. Then one of
//               given                               the addresses are free
//               sockets ADDRESS=COUNT...            descriptors follow, in this order
//   successor:  serving                             it can accept clients
//   PoP:        yours                               it accepts nobody any more; what was handed over is the successor's
//               mine                                too late: it goes on, with its addresses
//
// Until `yours` the PoP accepts clients as ever: both have the same sockets, and so the same clients wait for both.

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
    guard words.count > 3, words[0] == "edge-pop", words[1] == "2",
      ["give", "take-over"].contains(words[2])
    else { return nil }
    self.init(takesOver: words[2] == "take-over", addresses: Array(words[3...]))
  }

  /// The addresses of a PoP that nobody has any more when it has handed these over; nil if it would hand over none of
  /// those where clients connect.
  func ending(ofClients clients: [String], admin: String) -> [String]? {
    if !clients.contains(where: addresses.contains) { return nil }
    return (clients + [admin]).filter { !addresses.contains($0) }
  }

  /// The question as it is sent.
  var line: String {
    "edge-pop 2 \(takesOver ? "take-over" : "give") \(addresses.joined(separator: " "))"
  }
}

/// An answer to it.
enum HandOverReply: Sendable, Equatable {
  /// Another PoP serves, and goes on.
  case serving(process: Int)
  /// Another PoP is about to.
  case starting(process: Int)
  /// Another PoP serves clients at none of these addresses, but at others.
  case elsewhere(process: Int, addresses: [String])
  /// There will be a further answer within that time. Addresses that were not asked for end.
  case wait(process: Int, milliseconds: Int, ending: [String] = [])
  /// The addresses are free.
  case given
  /// So many sockets of each address follow.
  case sockets([Sockets])

  /// Sockets of one address.
  struct Sockets: Sendable, Equatable {
    var address: String
    var count: Int
  }

  /// What a successor says when it can serve.
  static let confirmation = "serving"
  /// The answer to it: from now on it does.
  static let acknowledgement = "yours"
  /// What is said to one that takes too long.
  static let withdrawal = "mine"
  /// More would be no PoP.
  private static let mostSockets = 1 << 16

  /// The answer in a line; nil if it is none.
  init?(line: String) {
    let words = line.split(separator: " ").map(String.init)
    switch (words.first, words.count) {
    case ("serving", 2), ("starting", 2):
      guard let process = Int(words[1]) else { return nil }
      self = words[0] == "serving" ? .serving(process: process) : .starting(process: process)
    case ("elsewhere", 3...):
      guard let process = Int(words[1]) else { return nil }
      self = .elsewhere(process: process, addresses: Array(words[2...]))
    case ("wait", 3...):
      guard let process = Int(words[1]), let time = Int(words[2]), (0...86_400_000).contains(time)
      else { return nil }
      self = .wait(process: process, milliseconds: time, ending: Array(words[3...]))
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
    case .elsewhere(let process, let addresses):
      (["elsewhere \(process)"] + addresses).joined(separator: " ")
    case .wait(let process, let milliseconds, let ending):
      (["wait \(process) \(milliseconds)"] + ending).joined(separator: " ")
    case .given: "given"
    case .sockets(let list):
      (["sockets"] + list.map { "\($0.address)=\($0.count)" }).joined(separator: " ")
    }
  }
}
