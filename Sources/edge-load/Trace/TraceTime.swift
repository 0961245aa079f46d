// Times as logs write them, in seconds since 1970.

/// Reads the times of logs.
enum TraceTime {
  private static let months = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
  ]

  /// Seconds since 1970 of `10/Oct/2000:13:55:36 -0700`.
  static func accessLog(_ text: [UInt8]) -> Double? {
    func number(_ range: Range<Int>) -> Int? { TraceColumns.number(text[range]) }
    guard text.count == 26, text[2] == UInt8(ascii: "/"), text[6] == UInt8(ascii: "/"),
      text[11] == UInt8(ascii: ":"), text[20] == UInt8(ascii: " "),
      let day = number(0..<2), let year = number(7..<11), let hour = number(12..<14),
      let minute = number(15..<17), let second = number(18..<20),
      let zoneHour = number(22..<24), let zoneMinute = number(24..<26)
    else { return nil }
    let name = String(decoding: text[3..<6], as: UTF8.self).lowercased()
    guard let month = months.firstIndex(of: name), (1...31).contains(day), hour < 24, minute < 60,
      second <= 60
    else { return nil }
    let east = (zoneHour * 60 + zoneMinute) * (text[21] == UInt8(ascii: "-") ? -60 : 60)
    let seconds = (hour * 60 + minute) * 60 + second - east
    return Double(days(year, month + 1, day) * 86_400 + seconds)
  }

  /// Seconds since 1970 of `2000-10-10T13:55:36Z`, with or without a fraction; instead of the `Z` an
  /// offset such as `+02:00`, instead of the `T` a space, as RFC 3339 has it.
  static func iso(_ text: [UInt8]) -> Double? {
    func number(_ range: Range<Int>) -> Int? { TraceColumns.number(text[range]) }
    guard text.count >= 20, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
      "Tt ".utf8.contains(text[10]), text[13] == UInt8(ascii: ":"),
      text[16] == UInt8(ascii: ":"), let year = number(0..<4), let month = number(5..<7),
      let day = number(8..<10), let hour = number(11..<13), let minute = number(14..<16),
      let second = number(17..<19), (1...12).contains(month), (1...31).contains(day), hour < 24,
      minute < 60, second <= 60
    else { return nil }
    var place = 19
    var fraction = 0.0
    if text[place] == UInt8(ascii: ".") {
      let start = place
      place += 1
      while place < text.count, TraceColumns.number([text[place]]) != nil { place += 1 }
      guard let value = Double("0" + String(decoding: text[start..<place], as: UTF8.self)) else {
        return nil
      }
      fraction = value
    }
    var east = 0
    switch Array(text[place...]) {
    case [UInt8(ascii: "Z")], [UInt8(ascii: "z")]: break
    case let zone
    where zone.count == 6 && "+-".utf8.contains(zone[0]) && zone[3] == UInt8(ascii: ":"):
      guard let hours = TraceColumns.number(zone[1..<3]),
        let minutes = TraceColumns.number(zone[4..<6])
      else { return nil }
      east = (hours * 60 + minutes) * (zone[0] == UInt8(ascii: "-") ? -60 : 60)
    default: return nil
    }
    let seconds = (hour * 60 + minute) * 60 + second - east
    return Double(days(year, month, day) * 86_400 + seconds) + fraction
  }

  /// Days since 1970 of a date of the Gregorian calendar: years begin in March, so that the day that
  /// a leap year adds comes last.
  private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let year = month > 2 ? year : year - 1
    let inYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
    return 365 * year + year / 4 - year / 100 + year / 400 + inYear - 719_468
  }
}
