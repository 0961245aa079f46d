// What the options of `edge-pop store ls` leave of a store.

import EdgeCache

/// Which records are meant.
struct StoreFilter {
  let host: String?
  let prefix: String?
  let tag: String?
  let larger: Int
  let smaller: Int
  let fresh: Bool
  let stale: Bool
  let now: Instant

  func matches(_ record: DiskRecord) -> Bool {
    if let host, record.host != host { return false }
    if let prefix {
      let text = prefix.hasPrefix("/") ? record.target : record.url
      if !text.utf8.starts(with: prefix.utf8) { return false }
    }
    if let tag, !record.tags.contains(tag) { return false }
    guard record.size > larger, record.size < smaller else { return false }
    if fresh || stale { return record.response.freshness.isFresh(now) == fresh }
    return true
  }
}
