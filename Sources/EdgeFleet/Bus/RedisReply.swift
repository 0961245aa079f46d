// What Redis answers, copied out of the memory of hiredis.

import CHiredis

/// A reply of Redis.
enum RedisReply: Sendable, Hashable {
  case text([UInt8])
  case integer(Int64)
  case array([RedisReply])
  case nothing
  case error(String)

  /// The text, as one.
  var string: String? {
    if case .text(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
  }

  /// The elements of an array; none of nothing, which is how Redis says that there are none.
  var elements: [RedisReply]? {
    switch self {
    case .array(let elements): elements
    case .nothing: []
    case .text, .integer, .error: nil
    }
  }

  /// The value behind a name in an array of names and values.
  func value(_ name: String) -> RedisReply? {
    guard case .array(let elements) = self else { return nil }
    for index in stride(from: 0, to: elements.count - 1, by: 2)
    where elements[index].string == name {
      return elements[index + 1]
    }
    return nil
  }

  init(_ reply: UnsafeMutablePointer<redisReply>, depth: Int = 0) {
    let value = reply.pointee
    switch value.type {
    case REDIS_REPLY_STRING, REDIS_REPLY_STATUS:
      self = .text(Self.bytes(value))
    case REDIS_REPLY_INTEGER: self = .integer(value.integer)
    case REDIS_REPLY_ARRAY:
      // What is in there was checked by hiredis, which stops at a few levels.
      self = .array(
        (0..<value.elements).map { index in
          value.element[index].map { RedisReply($0, depth: depth + 1) } ?? .nothing
        })
    case REDIS_REPLY_ERROR: self = .error(String(decoding: Self.bytes(value), as: UTF8.self))
    default: self = .nothing
    }
  }

  private static func bytes(_ value: redisReply) -> [UInt8] {
    guard let start = value.str else { return [] }
    return Array(UnsafeRawBufferPointer(start: start, count: value.len))
  }
}
