// Heads of records that were sent from their files lately, so that the next time neither the head is read
// again nor the kernel asked where its content is. Two generations, of which the older one is forgotten when
// the younger one is full: at most 8192 heads, 10 to 20 MB, however much is stored.

/// Heads that need not be read again.
struct DiskHeads {
  struct Head: Sendable {
    let life: UInt64
    let header: RecordHeader
    /// Without its content.
    let response: StoredResponse
    /// Where its content lies.
    let region: any DiskRegion
    /// When its content was last seen in the page cache.
    var resident: Instant?
  }

  private var young: [DiskPlace: Head] = [:]
  private var old: [DiskPlace: Head] = [:]

  /// Heads of a generation.
  private static let most = 4096

  /// The head of a record, if it was used lately in that life of its segment. O(1).
  mutating func find(_ place: DiskPlace, life: UInt64) -> Head? {
    if let head = young[place] { return head.life == life ? head : nil }
    guard let head = old[place], head.life == life else { return nil }
    add(head, place)
    return head
  }

  mutating func add(_ head: Head, _ place: DiskPlace) {
    if young.count >= Self.most {
      old = young
      young = [:]
    }
    young[place] = head
  }

  /// Forgets what lies in a segment, and has its file open. O(heads).
  mutating func removeAll(in segment: Int) {
    young = young.filter { $0.key.segment != segment }
    old = old.filter { $0.key.segment != segment }
  }

  mutating func wasSeen(_ place: DiskPlace, life: UInt64, _ now: Instant) {
    if young[place]?.life == life { young[place]?.resident = now }
  }
}
