// Times as logs write them, in seconds since 1970.

/// Reads the times of logs.
enum TraceTime {
  private static let months = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
  ]

  /// No time is further from 1970, in seconds: some thirty thousand years.
  private static let furthest = 1e12

  /// A month by its first three letters, from 0.
  static func month(_ letters: ArraySlice<UInt8>) -> Int? {
    let name = String(decoding: letters, as: UTF8.self).lowercased()
    return months.firstIndex(of: name)
  }

  /// Seconds since 1970 of a time in any form that logs have.
  static func any(_ text: [UInt8]) -> Double? {
    number(text) ?? iso(text) ?? accessLog(text) ?? haproxy(text)
      ?? httpDate(in: text[...]).map(\.seconds)
  }

  /// A number of seconds, with or without a fraction. Numbers that would be further away than the year 5000 count
  /// milliseconds, microseconds or nanoseconds, whichever comes nearest.
  static func number(_ text: some Collection<UInt8>) -> Double? {
    let digits = text.first == UInt8(ascii: "-") ? text.dropFirst() : text[...]
    let letters = Set("0123456789.eE+-".utf8)
    guard digits.allSatisfy(letters.contains),
      let value = Double(String(decoding: text, as: UTF8.self))
    else { return nil }
    let scale =
      switch abs(value) {
      case ..<1e11: 1.0
      case ..<1e14: 1e3
      case ..<1e17: 1e6
      default: 1e9
      }
    return abs(value / scale) <= furthest ? value / scale : nil
  }

  /// Seconds since 1970 of `10/Oct/2000:13:55:36 -0700`.
  static func accessLog(_ text: [UInt8]) -> Double? {
    guard text.count == 26, text[20] == UInt8(ascii: " "),
      let local = dayAndTime(text[0..<20]), let east = zone(text[21...])
    else { return nil }
    return Double(local - east)
  }

  /// Seconds since 1970 of `06/Feb/2009:12:14:14.655`, taken as UTC.
  static func haproxy(_ text: [UInt8]) -> Double? {
    guard text.count >= 20, let seconds = dayAndTime(text[0..<20]) else { return nil }
    if text.count == 20 { return Double(seconds) }
    guard let fraction = fraction(text[20...]) else { return nil }
    return Double(seconds) + fraction
  }

  /// Seconds since 1970 of `2000-10-10T13:55:36Z`, with or without a fraction; instead of the `Z` an
  /// offset such as `+02:00`, instead of the `T` a space, as RFC 3339 has it. Also `+0200`, a comma before the
  /// fraction, and slashes between the parts of the date; without an offset it is UTC only where there are slashes.
  static func iso(_ text: [UInt8]) -> Double? {
    func number(_ range: Range<Int>) -> Int? { TraceColumns.number(text[range]) }
    guard text.count >= 19, text[4] == UInt8(ascii: "-") || text[4] == UInt8(ascii: "/"),
      text[7] == text[4], "Tt ".utf8.contains(text[10]), text[13] == UInt8(ascii: ":"),
      text[16] == UInt8(ascii: ":"), let year = number(0..<4), let month = number(5..<7),
      let day = number(8..<10), let hour = number(11..<13), let minute = number(14..<16),
      let second = number(17..<19), (1...12).contains(month), (1...31).contains(day), hour < 24,
      minute < 60, second <= 60
    else { return nil }
    var place = 19
    while place < text.count, !"Zz+-".utf8.contains(text[place]) { place += 1 }
    guard let fraction = place == 19 ? 0 : fraction(text[19..<place]) else { return nil }
    var east = 0
    if place == text.count {
      guard text[4] == UInt8(ascii: "/") else { return nil }
    } else if text.count != place + 1 || text[place] | 0x20 != UInt8(ascii: "z") {
      guard let offset = zone(text[place...]) else { return nil }
      east = offset
    }
    let seconds = (hour * 60 + minute) * 60 + second - east
    return Double(days(year, month, day) * 86_400 + seconds) + fraction
  }

  /// Seconds since 1970 of the first `02 Jan 2006 22:04:05 GMT` in a text, and where it stands, with the day of the
  /// week before it.
  static func httpDate(in text: ArraySlice<UInt8>) -> (seconds: Double, range: Range<Int>)? {
    for (place, byte) in zip(text.indices, text) where byte == UInt8(ascii: ",") {
      let date = Array(text[place...].dropFirst().prefix(25))
      guard date.count == 25, date[0] == 0x20, date[3] == 0x20, date[7] == 0x20, date[12] == 0x20,
        date[15] == UInt8(ascii: ":"), date[18] == UInt8(ascii: ":"),
        date[21...].elementsEqual(" GMT".utf8), place - text.startIndex >= 3,
        let local = dayAndTime(asAccessLog(date)[...])
      else { continue }
      return (Double(local), (place - 3)..<(place + 26))
    }
    return nil
  }

  /// ` 02 Jan 2006 22:04:05` as `02/Jan/2006:22:04:05`.
  private static func asAccessLog(_ date: [UInt8]) -> [UInt8] {
    var text = Array(date[1..<21])
    (text[2], text[6], text[11]) = (0x2F, 0x2F, 0x3A)
    return text
  }

  /// `10/Oct/2000:13:55:36` as seconds, in whatever zone it is.
  private static func dayAndTime(_ slice: ArraySlice<UInt8>) -> Int? {
    let text = Array(slice)
    func number(_ range: Range<Int>) -> Int? { TraceColumns.number(text[range]) }
    guard text.count == 20, text[2] == UInt8(ascii: "/"), text[6] == UInt8(ascii: "/"),
      text[11] == UInt8(ascii: ":"), text[14] == UInt8(ascii: ":"), text[17] == UInt8(ascii: ":"),
      let day = number(0..<2), let month = month(text[3..<6]), let year = number(7..<11),
      let hour = number(12..<14), let minute = number(15..<17), let second = number(18..<20),
      (1...31).contains(day), hour < 24, minute < 60, second <= 60
    else { return nil }
    return days(year, month + 1, day) * 86_400 + (hour * 60 + minute) * 60 + second
  }

  /// `.655` or `,655`.
  private static func fraction(_ text: ArraySlice<UInt8>) -> Double? {
    guard let point = text.first, ".,".utf8.contains(point), text.count > 1, text.count < 32,
      text.dropFirst().allSatisfy({ (0x30...0x39).contains($0) })
    else { return nil }
    return Double("0." + String(decoding: text.dropFirst(), as: UTF8.self))
  }

  /// Seconds east of Greenwich of `+0200` or `+02:00`.
  private static func zone(_ text: ArraySlice<UInt8>) -> Int? {
    var digits = Array(text.dropFirst())
    if digits.count == 5, digits[2] == UInt8(ascii: ":") { digits.remove(at: 2) }
    guard digits.count == 4, let sign = text.first, "+-".utf8.contains(sign),
      let hours = TraceColumns.number(digits[0..<2]),
      let minutes = TraceColumns.number(digits[2...])
    else { return nil }
    return (hours * 60 + minutes) * (sign == UInt8(ascii: "-") ? -60 : 60)
  }

  /// Days since 1970 of a date of the Gregorian calendar: years begin in March, so that the day that
  /// a leap year adds comes last.
  private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let year = month > 2 ? year : year - 1
    let inYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
    return 365 * year + year / 4 - year / 100 + year / 400 + inYear - 719_468
  }
}
