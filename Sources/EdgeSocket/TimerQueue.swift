/// What is to be done later, in the order of its time. Pure: the time comes in.
struct TimerQueue {
  private struct Entry {
    let due: Int64
    let number: UInt64
    let body: () -> Void
  }

  /// The next one last.
  private var entries: [Entry] = []
  private var last: UInt64 = 0

  /// When the next one is due, in nanoseconds; nil if there is none.
  var nextDue: Int64? { entries.last?.due }

  /// Adds one that is due at `due`. O(entries).
  mutating func add(due: Int64, _ body: @escaping () -> Void) -> TimerID {
    last += 1
    let id = TimerID(due: due, number: last)
    entries.insert(Entry(due: due, number: last, body: body), at: index(of: id))
    return id
  }

  /// Takes one out; nothing happens if it is not there any more. O(entries).
  mutating func cancel(_ id: TimerID) {
    let index = index(of: id)
    if index < entries.count, entries[index].number == id.number { entries.remove(at: index) }
  }

  /// The next one if it is due, taken out.
  mutating func takeDue(_ now: Int64) -> (() -> Void)? {
    guard let next = entries.last, next.due <= now else { return nil }
    entries.removeLast()
    return next.body
  }

  /// Where it is, or would be: all before it are due later. O(log entries).
  private func index(of id: TimerID) -> Int {
    var (low, high) = (0, entries.count)
    while low < high {
      let middle = (low + high) / 2
      let entry = entries[middle]
      if (entry.due, entry.number) > (id.due, id.number) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return low
  }
}

/// Something that is to be done later.
public struct TimerID: Sendable {
  let due: Int64
  let number: UInt64
}
