// HTTP dates (RFC 9110 §5.6.7): written in the preferred form, read in all three.

/// Reads and writes HTTP dates as seconds since 1970.
public enum HTTPDate {
  /// Bytes of a date in the preferred form.
  public static let count = 29

  /// The first second of the year 0 and the last of 9999: years have four digits.
  private static let first: Int64 = -62_167_219_200
  private static let last: Int64 = 253_402_300_799

  /// The moment that a date names, in seconds since 1970; nil for anything that is not an HTTP
  /// date.
  ///
  /// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` and
  /// `Sun Nov  6 08:49:37 1994`. A two-digit year that would lie more than 50 years after what the
  /// wall clock shows `now` is taken to be in the past, as the RFC asks. O(1).
  public static func parse(_ bytes: Span<UInt8>, now: Instant) -> Int64? {
    if bytes.count == count { return parseFixed(bytes) }
    if bytes.count == 24 { return parseAsctime(bytes) }
    return parseRFC850(bytes, now: now)
  }

  private static func parseFixed(_ bytes: Span<UInt8>) -> Int64? {
    guard isWeekday(bytes, 0..<3), bytes[3] == ASCII.comma, bytes[4] == ASCII.space,
      let day = number(bytes, 5, 2), bytes[7] == ASCII.space,
      let month = month(bytes, 8), bytes[11] == ASCII.space,
      let year = number(bytes, 12, 4), bytes[16] == ASCII.space,
      let time = timeOfDay(bytes, 17), bytes[25] == ASCII.space, isGMT(bytes, 26)
    else { return nil }
    return moment(year, month, day, time)
  }

  private static func parseAsctime(_ bytes: Span<UInt8>) -> Int64? {
    let day = bytes[8] == ASCII.space ? number(bytes, 9, 1) : number(bytes, 8, 2)
    guard isWeekday(bytes, 0..<3), bytes[3] == ASCII.space,
      let month = month(bytes, 4), bytes[7] == ASCII.space, let day,
      bytes[10] == ASCII.space, let time = timeOfDay(bytes, 11), bytes[19] == ASCII.space,
      let year = number(bytes, 20, 4)
    else { return nil }
    return moment(year, month, day, time)
  }

  private static func parseRFC850(_ bytes: Span<UInt8>, now: Instant) -> Int64? {
    guard let comma = bytes.firstIndex(of: ASCII.comma, in: 0..<bytes.count),
      bytes.count == comma &+ 24, isLongWeekday(bytes, 0..<comma),
      bytes[comma &+ 1] == ASCII.space,
      let day = number(bytes, comma &+ 2, 2), bytes[comma &+ 4] == ASCII.dash,
      let month = month(bytes, comma &+ 5), bytes[comma &+ 8] == ASCII.dash,
      let short = number(bytes, comma &+ 9, 2), bytes[comma &+ 11] == ASCII.space,
      let time = timeOfDay(bytes, comma &+ 12), bytes[comma &+ 20] == ASCII.space,
      isGMT(bytes, comma &+ 21)
    else { return nil }
    let thisYear = civil(days: floorDiv(now.wall.seconds, 86400)).year
    var year = thisYear - thisYear % 100 + short
    let halfCenturyBefore = daysFromCivil(year - 50, month, day) * 86400 + time
    if halfCenturyBefore > now.wall.seconds { year -= 100 }
    return moment(year, month, day, time)
  }

  /// Writes a date in the preferred form, 29 bytes; a moment before the year 0 or after 9999, which
  /// the form cannot name, as the nearest that it can. O(1).
  public static func write(_ moment: Int64, _ body: (UInt8) -> Void) {
    let seconds = min(max(moment, first), last)
    let dayNumber = floorDiv(seconds, 86400)
    let date = civil(days: dayNumber)
    let rest = Int(seconds - dayNumber * 86400)
    let weekday = Int(((dayNumber + 4) % 7 + 7) % 7)
    func text(_ bytes: StaticString, _ index: Int) {
      bytes.withUTF8Buffer { for offset in 0..<3 { body($0[index * 3 + offset]) } }
    }
    func two(_ value: Int) {
      body(ASCII.zero + UInt8(value / 10 % 10))
      body(ASCII.zero + UInt8(value % 10))
    }
    text(days, weekday)
    body(ASCII.comma)
    body(ASCII.space)
    two(date.day)
    body(ASCII.space)
    text(months, date.month - 1)
    body(ASCII.space)
    two(date.year / 100)
    two(date.year % 100)
    body(ASCII.space)
    two(rest / 3600)
    body(ASCII.colon)
    two(rest / 60 % 60)
    body(ASCII.colon)
    two(rest % 60)
    body(ASCII.space)
    for byte in "GMT".utf8 { body(byte) }
  }

  /// The date in the preferred form, as bytes.
  public static func bytes(_ seconds: Int64) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    write(seconds) { bytes.append($0) }
    return bytes
  }

  /// Writes a date in the preferred form into a head.
  static func write(_ seconds: Int64, to buffer: inout HeadBuffer) {
    write(seconds) { buffer.writeInteger($0) }
  }

  private static let days: StaticString = "SunMonTueWedThuFriSat"
  private static let months: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"

  private static func isWeekday(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    let name = bytes.extracting(range)
    return name.equalsIgnoringCase("sun") || name.equalsIgnoringCase("mon")
      || name.equalsIgnoringCase("tue") || name.equalsIgnoringCase("wed")
      || name.equalsIgnoringCase("thu") || name.equalsIgnoringCase("fri")
      || name.equalsIgnoringCase("sat")
  }

  private static func isLongWeekday(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    let name = bytes.extracting(range)
    return name.equalsIgnoringCase("sunday") || name.equalsIgnoringCase("monday")
      || name.equalsIgnoringCase("tuesday") || name.equalsIgnoringCase("wednesday")
      || name.equalsIgnoringCase("thursday") || name.equalsIgnoringCase("friday")
      || name.equalsIgnoringCase("saturday")
  }

  private static func month(_ bytes: Span<UInt8>, _ start: Int) -> Int? {
    months.withUTF8Buffer { table in
      for month in 0..<12 {
        var matches = true
        for offset in 0..<3
        where bytes[start + offset].asciiLowercased != table[month * 3 + offset].asciiLowercased {
          matches = false
        }
        if matches { return month + 1 }
      }
      return nil
    }
  }

  private static func number(_ bytes: Span<UInt8>, _ start: Int, _ count: Int) -> Int? {
    bytes.decimal(start..<(start + count))
  }

  private static func isGMT(_ bytes: Span<UInt8>, _ start: Int) -> Bool {
    bytes.extracting(start..<(start + 3)).equalsIgnoringCase("gmt")
  }

  private static func timeOfDay(_ bytes: Span<UInt8>, _ start: Int) -> Int64? {
    guard let hour = number(bytes, start, 2), bytes[start + 2] == ASCII.colon,
      let minute = number(bytes, start + 3, 2), bytes[start + 5] == ASCII.colon,
      let second = number(bytes, start + 6, 2), hour < 24, minute < 60, second <= 60
    else { return nil }
    return Int64(hour * 3600 + minute * 60 + second)
  }

  private static func moment(_ year: Int, _ month: Int, _ day: Int, _ time: Int64) -> Int64? {
    guard day >= 1, day <= daysIn(month, year) else { return nil }
    return daysFromCivil(year, month, day) * 86400 + time
  }

  private static func daysIn(_ month: Int, _ year: Int) -> Int {
    switch month {
    case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  private static func floorDiv(_ value: Int64, _ by: Int64) -> Int64 {
    value >= 0 ? value / by : -((-value + by - 1) / by)
  }

  /// Days since 1970-01-01 of a date in the proleptic Gregorian calendar; years start in March so
  /// that the leap day comes last.
  private static func daysFromCivil(_ year: Int, _ month: Int, _ day: Int) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted >= 0 ? shifted / 400 : (shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return Int64(era * 146097 + dayOfEra - 719468)
  }

  private static func civil(days: Int64) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719468
    let era = floorDiv(shifted, 146097)
    let dayOfEra = Int(shifted - era * 146097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + Int(era) * 400 + (month <= 2 ? 1 : 0), month, day)
  }
}
