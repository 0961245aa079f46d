// The keys of a site that become its CachingOptions. They are members of the site's own object, so
// that the reader of a site checks for unknown keys and this file only takes out what it knows.

extension FleetConfiguration.CachingOptions {
  /// The keys of a site that are read here.
  static let keys = [
    "query", "negative", "heuristicFreshness", "requestDirectives", "surrogateControl",
    "tagFields", "forwardTagFields", "setCookie",
  ]

  /// The statuses that can be given a lifetime: "there is none", which is as cacheable as content.
  private static let negativeStatuses = [404, 410]

  /// The seconds that they can be given.
  private static let negativeSeconds = Int64(1)...86_400

  /// Reads the options out of the members of a site, and notes what is wrong with them.
  init(_ fields: [String: ConfigurationNode], _ reader: inout ConfigurationReader) {
    self.init()
    if let node = fields["query"] { query = Self.readQuery(node, &reader) }
    if let node = fields["negative"] { negative = Self.readNegative(node, &reader) }
    if let isOn = reader.truth(fields["heuristicFreshness"]) { heuristicFreshness = isOn }
    if let choice = reader.choice(fields["requestDirectives"], RequestDirectives.self) {
      requestDirectives = choice
    }
    if let isOn = reader.truth(fields["surrogateControl"]) { surrogateControl = isOn }
    if let node = fields["tagFields"] { tagFields = reader.values(node, parseFieldName) }
    if let isOn = reader.truth(fields["forwardTagFields"]) { forwardTagFields = isOn }
    if let choice = reader.choice(fields["setCookie"], SetCookie.self) { setCookie = choice }
  }

  private static func readQuery(
    _ node: ConfigurationNode, _ reader: inout ConfigurationReader
  ) -> QueryRules {
    let fields = reader.fields(node, required: [], optional: ["sort", "include", "exclude"]) ?? [:]
    return QueryRules(
      sort: reader.truth(fields["sort"]) ?? false,
      // An empty array is not a missing one: then no parameter is part of the key.
      include: fields["include"].map { reader.values($0, parseParameterName) },
      exclude: reader.values(fields["exclude"], parseParameterName))
  }

  private static func readNegative(
    _ node: ConfigurationNode, _ reader: inout ConfigurationReader
  ) -> [Int: Int64] {
    let known = negativeStatuses.map { "\($0)" }
    let fields = reader.fields(node, required: [], optional: known) ?? [:]
    var lifetimes: [Int: Int64] = [:]
    for status in negativeStatuses {
      lifetimes[status] = reader.value(fields["\(status)"], parseNegativeLifetime)
    }
    return lifetimes
  }

  private static func parseNegativeLifetime(_ text: String) throws(ValueProblem) -> Int64 {
    let (seconds, attoseconds) = try DurationText.parse(text).components
    guard attoseconds == 0, negativeSeconds.contains(seconds) else {
      let shortest = DurationText.print(.seconds(negativeSeconds.lowerBound))
      let longest = DurationText.print(.seconds(negativeSeconds.upperBound))
      throw ValueProblem(text, "is not a whole number of seconds from \(shortest) to \(longest)")
    }
    return seconds
  }
}

/// The name of a field (RFC 9110 §5.1), in lower case.
private func parseFieldName(_ text: String) throws(ValueProblem) -> String {
  guard !text.isEmpty,
    text.utf8.allSatisfy({ $0.isLetter || $0.isDigit || "!#$%&'*+-.^_`|~".utf8.contains($0) })
  else { throw ValueProblem(text, "is not the name of a field; write it like Surrogate-Key") }
  let name = text.lowercased()
  guard !["set-cookie", "date", "etag", "vary", "content-type", "cache-control"].contains(name)
  else { throw ValueProblem(text, "is a field that has a meaning of its own, and carries no tags") }
  return name
}

/// The name of a parameter as it is written in a query, or the beginning of one and a `*`.
private func parseParameterName(_ text: String) throws(ValueProblem) -> String {
  guard !text.isEmpty else {
    throw ValueProblem(text, "is not the name of a parameter; write it like page or utm_*")
  }
  guard text.utf8.allSatisfy({ $0.isVisible && !"&=#".utf8.contains($0) }) else {
    throw ValueProblem(
      text, "is not the name of a parameter; no &, =, #, space or unencoded character")
  }
  guard !text.utf8.dropLast().contains(UInt8(ascii: "*")) else {
    throw ValueProblem(text, "has a * before its end; only at the end it stands for any rest")
  }
  return text
}
