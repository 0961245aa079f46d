// Reads values out of a JSON tree without stopping at the first problem: a value that is wrong is
// noted with its path and read as nil, and everything beside it is still checked. It knows JSON and
// scalar values; what a fleet is made of is in FleetConfiguration+Reading.swift.

/// A value of the tree and the path that leads to it.
struct ConfigurationNode {
  let value: JSONTree
  let path: String

  /// The path of a member of this node's object.
  func path(of key: String) -> String {
    let isPlain = key.utf8.allSatisfy { $0 != UInt8(ascii: ".") && $0.isVisible }
    let step = isPlain && !key.isEmpty && !key.contains("[") ? key : "[\(quoted(key))]"
    return path.isEmpty || step != key ? path + step : "\(path).\(step)"
  }
}

/// Collects problems while values are taken out of nodes.
struct ConfigurationReader {
  private(set) var problems: [ConfigurationError.Problem] = []

  /// Notes what is wrong at `path`.
  mutating func note(_ path: String, _ reason: String) {
    problems.append(.init(.path(path), reason))
  }

  /// The members of an object by key, after noting keys it should not have and keys it lacks.
  mutating func fields(
    _ node: ConfigurationNode, required: [String], optional: [String] = []
  ) -> [String: ConfigurationNode]? {
    guard let members = members(node) else { return nil }
    let known = required + optional
    for (key, member) in members where !known.contains(key) {
      note(member.path, "is not a known key; \(Self.advice(for: key, known: known))")
    }
    let fields = Dictionary(members, uniquingKeysWith: { first, _ in first })
    for key in required where fields[key] == nil { note(node.path(of: key), "is required") }
    return fields
  }

  /// The members of an object whose keys are names of the operator's choice.
  mutating func members(_ node: ConfigurationNode) -> [(key: String, node: ConfigurationNode)]? {
    guard case .object(let members) = node.value else {
      return wrong(node, expected: "an object")
    }
    return members.map { ($0.key, .init(value: $0.value, path: node.path(of: $0.key))) }
  }

  /// The elements of an array, noted as a problem if there are fewer than `minimum`.
  mutating func elements(_ node: ConfigurationNode?, minimum: Int = 0) -> [ConfigurationNode]? {
    guard let node else { return nil }
    guard case .array(let values) = node.value else { return wrong(node, expected: "an array") }
    if values.count < minimum { note(node.path, "must not be empty") }
    return values.enumerated().map { .init(value: $1, path: "\(node.path)[\($0)]") }
  }

  /// A string.
  mutating func string(_ node: ConfigurationNode?) -> String? {
    guard let node else { return nil }
    guard case .string(let text) = node.value else { return wrong(node, expected: "a string") }
    return text
  }

  /// A string that `parse` understands.
  mutating func value<Value>(
    _ node: ConfigurationNode?, _ parse: (String) throws(ValueProblem) -> Value
  ) -> Value? {
    guard let node, let text = string(node) else { return nil }
    do throws(ValueProblem) {
      return try parse(text)
    } catch {
      note(node.path, error.description)
      return nil
    }
  }

  /// The elements of an array of strings that `parse` understands, each at most once.
  mutating func values<Value: Hashable>(
    _ node: ConfigurationNode?, minimum: Int = 0, _ parse: (String) throws(ValueProblem) -> Value
  ) -> [Value] {
    var paths: [Value: String] = [:]
    var values: [Value] = []
    for element in elements(node, minimum: minimum) ?? [] {
      guard let value = value(element, parse) else { continue }
      if let earlier = paths.updateValue(element.path, forKey: value) {
        note(element.path, "repeats \(earlier)")
      }
      values.append(value)
    }
    return values
  }

  /// A string that is one of the cases of an enum.
  mutating func choice<Choice: CaseIterable & RawRepresentable<String>>(
    _ node: ConfigurationNode?, _: Choice.Type
  ) -> Choice? {
    let names = Choice.allCases.map { quoted($0.rawValue) }.joined(separator: " or ")
    return value(node) { text throws(ValueProblem) in
      guard let choice = Choice(rawValue: text) else {
        throw ValueProblem(text, "is not \(names)")
      }
      return choice
    }
  }

  /// `true` or `false`.
  mutating func truth(_ node: ConfigurationNode?) -> Bool? {
    guard let node else { return nil }
    guard case .bool(let value) = node.value else { return wrong(node, expected: "true or false") }
    return value
  }

  /// A number within `range`.
  mutating func number(_ node: ConfigurationNode?, in range: ClosedRange<Double>) -> Double? {
    guard let node else { return nil }
    guard case .number(let number, let text) = node.value else {
      return wrong(node, expected: "a number")
    }
    guard range.contains(number) else {
      note(node.path, "\(text) is outside \(Int(range.lowerBound))...\(Int(range.upperBound))")
      return nil
    }
    return number
  }

  /// A whole number within `range`.
  mutating func integer(_ node: ConfigurationNode?, in range: ClosedRange<Int>) -> Int? {
    guard let node else { return nil }
    guard case .number(let number, let text) = node.value else {
      return wrong(node, expected: "a number")
    }
    guard let integer = Int(exactly: number), range.contains(integer) else {
      note(
        node.path, "\(text) is not a whole number in \(range.lowerBound)...\(range.upperBound)")
      return nil
    }
    return integer
  }

  /// Notes a problem if `name` was claimed before, in `paths`; else claims it.
  mutating func claim<Name: Hashable>(
    _ name: Name, at node: ConfigurationNode?, in paths: inout [Name: String]
  ) {
    guard let node else { return }
    if let earlier = paths[name] {
      note(node.path, "\(quoted("\(name)")) is already taken by \(earlier)")
    } else {
      paths[name] = node.path
    }
  }

  private mutating func wrong<Value>(_ node: ConfigurationNode, expected: String) -> Value? {
    note(node.path, "is \(node.value.kind); expected \(expected)")
    return nil
  }

  // MARK: - Unknown keys

  private static func advice(for key: String, known: [String]) -> String {
    let nearest = known.map { (name: $0, distance: distance(key.lowercased(), $0.lowercased())) }
      .min { $0.distance < $1.distance }
    if let nearest, nearest.distance <= max(1, min(3, key.count / 3)) {
      return "did you mean \(quoted(nearest.name))?"
    }
    return "known here: \(known.joined(separator: ", "))"
  }

  /// The number of letters to insert, delete, replace or swap with their neighbour.
  private static func distance(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left.prefix(64)), Array(right))
    var rows = [Array(0...right.count)]
    for i in 0..<left.count {
      var row = [i + 1]
      for j in 0..<right.count {
        let cost = left[i] == right[j] ? 0 : 1
        row.append(min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + cost))
        if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
          row[j + 1] = min(row[j + 1], rows[i - 1][j - 1] + 1)
        }
      }
      rows.append(row)
    }
    return rows[left.count][right.count]
  }
}
