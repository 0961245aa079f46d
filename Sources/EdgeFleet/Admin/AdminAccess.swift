// Who may do what with the admin API: tokens by name, each with its rights.

/// The tokens of a PoP.
public struct AdminAccess: Sendable {
  /// What somebody may do.
  public enum Right: String, Sendable, Hashable, CaseIterable {
    /// Purge.
    case purge
    /// Read health, statistics and explanations, and what was purged.
    case read
  }

  /// Somebody who presented a token.
  public struct Holder: Sendable, Hashable {
    /// The name of the token.
    public let name: String
    /// What it is good for.
    public let rights: Set<Right>
    /// The token itself.
    public let token: AdminToken
  }

  private let holders: [Holder]

  /// Access for whoever has `token`, to everything.
  public init(_ token: AdminToken) {
    holders = [Holder(name: "admin", rights: Set(Right.allCases), token: token)]
  }

  private init(holders: [Holder]) { self.holders = holders }

  /// The token that this PoP presents to others: the first that may read.
  public var own: AdminToken? { holders.first { $0.rights.contains(.read) }?.token }

  /// Who presents a token in this value of an Authorization field; nil if nobody is known by it. Takes as long
  /// whichever it is.
  public func holder(presenting value: some Collection<UInt8>) -> Holder? {
    var found: Holder?
    for holder in holders where holder.token.isPresented(by: value) { found = found ?? holder }
    return found
  }

  /// Reads a file of tokens: one token alone, or lines of `NAME RIGHTS TOKEN`, where rights are `purge`, `read`
  /// or `purge,read`, and `#` begins a comment.
  public static func read(path: String) throws(AdminToken.Problem) -> AdminAccess {
    try AdminToken.read(path: path) { bytes throws(AdminToken.Problem) in
      try parse(String(decoding: bytes, as: UTF8.self))
    }
  }

  /// Reads the text of such a file.
  public static func parse(_ text: String) throws(AdminToken.Problem) -> AdminAccess {
    let lines = text.split(whereSeparator: \.isNewline).enumerated().map { index, line in
      (number: index + 1, words: line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" })
    }.filter { !$0.words.isEmpty }
    if lines.count <= 1, lines.first?.words.count ?? 0 <= 1 {
      return AdminAccess(try AdminToken(String(lines.first?.words[0] ?? "")))
    }
    var holders: [Holder] = []
    for line in lines {
      guard line.words.count == 3 else {
        throw AdminToken.Problem(
          description: "line \(line.number): write NAME RIGHTS TOKEN, such as: deploy purge s3cret")
      }
      let name = String(line.words[0])
      var rights: Set<Right> = []
      for word in line.words[1].split(separator: ",", omittingEmptySubsequences: false) {
        guard let right = Right(rawValue: String(word)) else {
          throw AdminToken.Problem(
            description: "line \(line.number): there are the rights purge and read")
        }
        rights.insert(right)
      }
      if holders.contains(where: { $0.name == name }) {
        throw AdminToken.Problem(description: "line \(line.number): the name \(name) is taken")
      }
      let token: AdminToken
      do throws(AdminToken.Problem) {
        token = try AdminToken(String(line.words[2]))
      } catch {
        throw AdminToken.Problem(description: "line \(line.number): \(error.description)")
      }
      holders.append(Holder(name: name, rights: rights, token: token))
    }
    return AdminAccess(holders: holders)
  }
}
