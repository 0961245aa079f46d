// Numbers and times as the programs say them to people.

import EdgeCache
import FoundationEssentials

/// "1 response", "2 responses".
public func counted(_ count: Int, _ noun: String) -> String {
  count == 1 ? "1 \(noun)" : "\(count) \(noun)s"
}

extension WallTime {
  /// As in RFC 3339, in UTC.
  public var text: String {
    Date(timeIntervalSince1970: Double(milliseconds) / 1000).formatted(.iso8601)
  }
}
