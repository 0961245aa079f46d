/// What a transaction wants done, in order. There is seldom more than one thing, which takes no memory.
struct ActionQueue {
  private var first: Transaction.Action?
  private var others: [Transaction.Action] = []

  var isEmpty: Bool { first == nil }

  mutating func append(_ action: consuming Transaction.Action) {
    if first == nil { first = action } else { others.append(action) }
  }

  mutating func popFirst() -> Transaction.Action? {
    let action = first.take()
    if !others.isEmpty { first = others.removeFirst() }
    return action
  }

  mutating func removeAll(where isUseless: (Transaction.Action) -> Bool) {
    others.removeAll(where: isUseless)
    if let only = first, isUseless(only) {
      first = others.isEmpty ? nil : others.removeFirst()
    }
  }
}
