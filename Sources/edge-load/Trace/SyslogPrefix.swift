// What syslog, journald and their kin put before a line: a priority, a time, a host and a tag. Logs that went through
// one of them are read as if they had not.
//
//   <134>Feb  6 12:14:14 lb haproxy[14389]: LINE              RFC 3164
//   <134>2016-07-04T22:37:26Z cache-1 name[62959]: LINE       what Fastly sends
//   <134>1 2026-11-30T17:53:38Z lb haproxy 14389 - - LINE     RFC 5424

/// Takes away what syslog puts before a line.
enum SyslogPrefix {
  /// The line behind the prefix, or all of it if there is none.
  static func removed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var rest = line
    let hasPriority = takePriority(&rest)
    if hasPriority, rest.starts(with: "1 ".utf8) {
      return removedVersion1(rest.dropFirst(2)) ?? line
    }
    guard takeTime(&rest) else { return line }
    if let behind = behindTag(rest) { return behind }
    // Without a tag: the host alone, but only where a priority says that this is syslog.
    guard hasPriority, let space = rest.firstIndex(of: UInt8(ascii: " ")) else { return line }
    return rest[(space + 1)...]
  }

  private static func takePriority(_ rest: inout ArraySlice<UInt8>) -> Bool {
    guard rest.first == UInt8(ascii: "<"),
      let end = rest.prefix(5).firstIndex(of: UInt8(ascii: ">")),
      TraceColumns.number(rest[(rest.startIndex + 1)..<end]) != nil
    else { return false }
    rest = rest[(end + 1)...]
    return true
  }

  /// `Feb  6 12:14:14 ` or a time as RFC 3339 has it.
  private static func takeTime(_ rest: inout ArraySlice<UInt8>) -> Bool {
    if let space = rest.firstIndex(of: UInt8(ascii: " ")),
      TraceTime.iso(Array(rest[..<space])) != nil
    {
      rest = rest[(space + 1)...]
      return true
    }
    let text = Array(rest.prefix(16))
    guard text.count == 16, text[3] == UInt8(ascii: " "), text[6] == UInt8(ascii: " "),
      text[9] == UInt8(ascii: ":"), text[12] == UInt8(ascii: ":"), text[15] == UInt8(ascii: " "),
      TraceTime.month(text[0..<3]) != nil
    else { return false }
    rest = rest.dropFirst(16)
    return true
  }

  /// What follows `host tag[pid]: ` or `tag[pid]: `.
  private static func behindTag(_ rest: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    var word = rest
    for _ in 0..<2 {
      guard let space = word.firstIndex(of: UInt8(ascii: " ")), space > word.startIndex else {
        return nil
      }
      if word[space - 1] == UInt8(ascii: ":") { return word[(space + 1)...] }
      word = word[(space + 1)...]
    }
    return nil
  }

  /// Time, host, program, process, message and structured data.
  private static func removedVersion1(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    var rest = line
    for _ in 0..<5 {
      guard let space = rest.firstIndex(of: UInt8(ascii: " ")) else { return nil }
      rest = rest[(space + 1)...]
    }
    if rest.first == UInt8(ascii: "-") {
      rest = rest.dropFirst()
    } else {
      while rest.first == UInt8(ascii: "[") {
        guard let end = rest.firstIndex(of: UInt8(ascii: "]")) else { return nil }
        rest = rest[(end + 1)...]
      }
    }
    guard rest.first == UInt8(ascii: " ") else { return nil }
    rest = rest.dropFirst()
    return rest.starts(with: [0xEF, 0xBB, 0xBF]) ? rest.dropFirst(3) : rest
  }
}
