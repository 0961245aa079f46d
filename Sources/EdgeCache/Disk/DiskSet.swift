// Which disks belong together. Each change of the set has a number, and a random name: two disks that were each used
// without the other have counted as far, and their names tell that neither knows what was purged on the other.

/// The disks of a PoP as they belong together from now on.
struct DiskSet {
  /// How many they are, and what tells it from how they belonged together before.
  let count: Int
  let epoch: UInt64
  let changes: [UInt64]
  /// True if a disk was used without those that keep what they have, and they without it.
  let isApart: Bool
  /// What those have that keep what they have; nil if there are none.
  private let kept: StoreHeader?

  /// The set that disks with these headers make, with some that have none if it has more. Those keep what they have that
  /// went through the most changes; of those that did in different sets, the ones of the largest, or the first.
  init(_ found: [StoreHeader], of count: Int, name: () -> UInt64) {
    self.count = count
    var kept: StoreHeader?
    var most = (epoch: UInt64(0), disks: 0)
    for header in found {
      let disks = found.count { $0.isTogether(with: header) }
      if kept == nil || (header.epoch, disks) > most {
        (kept, most) = (header, (header.epoch, disks))
      }
    }
    self.kept = kept
    guard let kept else {
      (epoch, isApart) = (1, false)
      changes = [name()] + [UInt64](repeating: 0, count: StoreHeader.keptChanges - 1)
      return
    }
    isApart = found.contains { !kept.knows($0) }
    let isChanged = found.contains { !$0.isTogether(with: kept) || $0.disks != count }
    if found.count == count, !isChanged {
      (epoch, changes) = (kept.epoch, kept.changes)
    } else {
      epoch = kept.epoch + 1
      changes = [name()] + kept.changes.dropLast()
    }
  }

  /// True if a disk with that header keeps what it has.
  func has(_ header: StoreHeader?) -> Bool {
    guard let header, let kept else { return false }
    return header.isTogether(with: kept)
  }
}

extension StoreHeader {
  /// True if both went through the same changes of their set, the last one included.
  func isTogether(with other: StoreHeader) -> Bool {
    epoch == other.epoch && changes == other.changes
  }

  /// True if whatever was purged on a disk with that header, up to when it was away, is known here as well: its last
  /// change is one of ours.
  func knows(_ other: StoreHeader) -> Bool {
    guard other.epoch <= epoch, epoch - other.epoch < UInt64(changes.count) else { return false }
    let change = changes[Int(epoch - other.epoch)]
    return change != 0 && change == other.changes[0]
  }
}
