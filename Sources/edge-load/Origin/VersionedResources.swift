// Resources that change when they are told to: `/versioned/N` is fresh for an hour, and its version
// goes up by one with each `POST /versioned/N/next`. With them a purge can be seen to work: whatever
// is served after it must be of the new version.

import Synchronization

/// The versions of `/versioned/N`; shared by all connections of an origin.
final class VersionedResources: Sendable {
  private let versions = Mutex<[Int: Int]>([:])

  /// The most resources that have changed.
  static let most = 1_000_000

  /// The present version; 1 for one that never changed.
  func version(_ number: Int) -> Int {
    versions.withLock { $0[number] ?? 1 }
  }

  /// Goes on to the next version and returns it; nil when too many have changed.
  func advance(_ number: Int) -> Int? {
    versions.withLock { versions in
      guard versions[number] != nil || versions.count < Self.most else { return nil }
      let next = (versions[number] ?? 1) + 1
      versions[number] = next
      return next
    }
  }

  /// The entity tag of a version, with its quotes.
  static func entityTag(_ number: Int, version: Int) -> String {
    "\"v\(version)-\(number)\""
  }

  /// The version that an entity tag names; nil if it is none of these.
  static func version(ofTag tag: [UInt8]) -> Int? {
    guard tag.count > 3, tag[0] == UInt8(ascii: "\""), tag[1] == UInt8(ascii: "v") else {
      return nil
    }
    var version = 0
    for byte in tag[2...] {
      if byte == UInt8(ascii: "-") { return version }
      guard 0x30...0x39 ~= byte, version < 1 << 50 else { return nil }
      version = version * 10 + Int(byte) - 0x30
    }
    return nil
  }
}
