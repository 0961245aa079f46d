import NIOCore
import Seeds
import Testing

@testable import EdgeCache

/// Dates in three forms (RFC 9110 §5.6.7).
@Suite struct HTTPDateTests {
  /// 2026-07-01 12:00:00.
  static let now = Instant(seconds: 1_782_907_200)

  private func parse(_ text: String, now: Instant = now) -> Int64? {
    HTTPDate.parse(wire(text).span, now: now)
  }

  @Test(arguments: [
    ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
    ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
    ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
    ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
    ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
    ("Mon, 01 Jan 0001 00:00:00 GMT", -62_135_596_800),
    ("Sat, 01 Jan 0000 00:00:00 GMT", -62_167_219_200),
    ("Tue, 29 Feb 0000 00:00:00 GMT", -62_162_121_600),
    ("Wed, 01 Mar 0000 00:00:00 GMT", -62_162_035_200),
    ("Tue, 19 Jan 2038 03:14:08 GMT", 2_147_483_648),
    ("sun, 06 nov 1994 08:49:37 gmt", 784_111_777),
    ("SUN, 06 NOV 1994 08:49:37 GMT", 784_111_777),
    ("Mon, 06 Nov 1994 08:49:37 GMT", 784_111_777),
    ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800),
    ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
    ("Monday, 01-Jan-01 00:00:00 GMT", 978_307_200),
    ("Tuesday, 02-Jan-01 00:00:00 GMT", 978_393_600),
    ("Wednesday, 03-Jan-01 00:00:00 GMT", 978_480_000),
    ("Thursday, 04-Jan-01 00:00:00 GMT", 978_566_400),
    ("Friday, 05-Jan-01 00:00:00 GMT", 978_652_800),
    ("Saturday, 06-Jan-01 00:00:00 GMT", 978_739_200),
    ("SATURDAY, 06-JAN-01 00:00:00 gmt", 978_739_200),
    ("Tuesday, 29-Feb-00 12:00:00 GMT", 951_825_600),
    ("Sun Nov  6 08:49:37 1994", 784_111_777),
    ("Sun Nov 06 08:49:37 1994", 784_111_777),
    ("Wed Nov 16 08:49:37 1994", 784_975_777),
    ("sun nov  6 08:49:37 1994", 784_111_777),
    ("Thu Jan  1 00:00:00 1970", 0),
  ])
  func valid(_ text: String, _ seconds: Int64) {
    #expect(parse(text) == seconds)
  }

  @Test(arguments: [
    "", "0", "-1", "784111777", "now", "Sun", "Sun,", " ", "\0",
    // Not quite the preferred form.
    "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 EST",
    "Sun, 06 Nov 1994 08:49:37 +00", "Sun, 06 Nov 1994 08:49:37 +0000",
    " Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
    "Sun, 06 Nov 1994 08:49:37 GMTx", "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sun,  6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT", "Sun 06 Nov 1994 08:49:37 GMT",
    "Sun; 06 Nov 1994 08:49:37 GMT", "Sun,\t06 Nov 1994 08:49:37 GMT",
    "Sun, 06-Nov-1994 08:49:37 GMT", "Sun, 06 Nov 1994 08.49.37 GMT",
    "Sun, 06 Nov 1994T08:49:37 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Xyz 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
    "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 32 Dec 1994 08:49:37 GMT",
    "Sun, 29 Feb 1994 08:49:37 GMT", "Sun, 30 Feb 2024 08:49:37 GMT",
    "Thu, 29 Feb 1900 00:00:00 GMT", "Mon, 29 Feb 2100 00:00:00 GMT",
    "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
    "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 1994 -1:49:37 GMT",
    "Sun, +6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov +994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:3a GMT", "Sun, 06 Nov 1994 8:49:37 GMT",
    "Sun, 06 Nov 11994 08:49:37 GMT", "\u{D9}un, 06 Nov 1994 08:49:37 GMT",
    // Not quite RFC 850.
    "Sun, 06-Nov-94 08:49:37 GMT", "Sundae, 06-Nov-94 08:49:37 GMT",
    "Sundays, 06-Nov-94 08:49:37 GMT", "Sunday  , 06-Nov-94 08:49:37 GMT",
    "Sunday   , 06-Nov-94 08:49:37 GMT", "Wednes   , 06-Nov-94 08:49:37 GMT",
    "Sunday, 06 Nov 94 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT",
    "Sunday, 6-Nov-94 08:49:37 GMT", "Sunday, 31-Nov-94 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 UTC", "Sunday, 06-Nov-94 08:49:37",
    "Sunday 06-Nov-94 08:49:37 GMT", ", 06-Nov-94 08:49:37 GMT", ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,",
    "Wednesday,06-Nov-94 08:49:37 GMT", "Sunday, 29-Feb-94 08:49:37 GMT",
    // Not quite asctime.
    "Sun Nov  6 08:49:37 94", "Sun Nov 6 08:49:37 1994", "Sun Nov  6 08:49:37 1994 ",
    "Sun Nov  6 08:49:37 GMT 1994", "Sun Nov  0 08:49:37 1994", "Sun Nov 31 08:49:37 1994",
    "Sun Nov\t 6 08:49:37 1994", "Sun, Nov 6 08:49:37 1994", "Sunday Nov 6 08:49:37 94",
    "Sun Nov  6 25:49:37 1994", "Sun Nov 6  08:49:37 1994",
    // Other forms that exist elsewhere.
    "1994-11-06T08:49:37Z", "1994-11-06 08:49:37 +0000 GMT", "06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994", "11/06/1994 08:49:37 AM GMT 000",
  ])
  func invalid(_ text: String) {
    #expect(parse(text) == nil)
  }

  /// Each month's last day and the day after it, in years of each kind.
  @Test func lastDays() {
    let months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(separator: " ")
    for (year, february) in [(1900, 28), (1999, 28), (2000, 29), (2023, 28), (2024, 29)] {
      for (index, month) in months.enumerated() {
        let last = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][index]
        #expect(parse("Sun, \(last) \(month) \(year) 00:00:00 GMT") != nil)
        #expect(parse("Sun, \(last + 1) \(month) \(year) 00:00:00 GMT") == nil)
      }
    }
  }

  /// Two digits of a year that would be more than 50 years ahead mean the past.
  @Test(arguments: [
    ("Sunday, 06-Nov-94 00:00:00 GMT", "Sun, 06 Nov 1994 00:00:00 GMT"),
    ("Sunday, 06-Nov-26 00:00:00 GMT", "Fri, 06 Nov 2026 00:00:00 GMT"),
    ("Sunday, 06-Nov-00 00:00:00 GMT", "Mon, 06 Nov 2000 00:00:00 GMT"),
    ("Sunday, 06-Nov-75 00:00:00 GMT", "Wed, 06 Nov 2075 00:00:00 GMT"),
    ("Sunday, 30-Jun-76 23:59:59 GMT", "Tue, 30 Jun 2076 23:59:59 GMT"),
    ("Sunday, 01-Jul-76 12:00:00 GMT", "Wed, 01 Jul 2076 12:00:00 GMT"),
    ("Sunday, 01-Jul-76 12:00:01 GMT", "Thu, 01 Jul 1976 12:00:01 GMT"),
    ("Sunday, 31-Dec-76 00:00:00 GMT", "Fri, 31 Dec 1976 00:00:00 GMT"),
    ("Sunday, 29-Feb-76 00:00:00 GMT", "Sat, 29 Feb 2076 00:00:00 GMT"),
    ("Sunday, 01-Jan-77 00:00:00 GMT", "Sat, 01 Jan 1977 00:00:00 GMT"),
    ("Sunday, 31-Dec-99 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:59 GMT"),
  ])
  func twoDigitYear(_ short: String, _ long: String) {
    #expect(parse(short) == parse(long))
    #expect(parse(short) != nil)
  }

  @Test func twoDigitYearOfAnotherCentury() {
    let then = Instant(seconds: 946_684_799)  // 1999-12-31 23:59:59
    #expect(
      parse("Sunday, 31-Dec-49 23:59:59 GMT", now: then)
        == parse("Sat, 31 Dec 1949 23:59:59 GMT"))
    #expect(
      parse("Sunday, 31-Dec-99 23:59:59 GMT", now: then) == 946_684_799)
  }

  /// What is written is read back, in all forms, for moments all over the calendar.
  @Test func roundTrip() {
    let seed: UInt64 = 0x00DA_7E5E_ED00_0001
    var random = SeededRandom(seed: seed)
    var seconds: [Int64] = [-62_167_219_200, -62_162_035_201, -1, 0, 253_402_300_799]
    for _ in 0..<4000 {
      seconds.append(Int64.random(in: -62_167_219_200...253_402_300_799, using: &random))
      seconds.append(Int64.random(in: 0...4_102_444_800, using: &random))
    }
    for moment in seconds {
      let bytes = HTTPDate.bytes(moment)
      #expect(bytes.count == HTTPDate.count)
      let text = String(decoding: bytes, as: UTF8.self)
      guard HTTPDate.parse(bytes.span, now: Self.now) == moment else {
        Issue.record("\(moment) is written as \(text), seed \(seed)")
        return
      }
      // The same moment in the form of asctime: "Sun Nov  6 08:49:37 1994".
      let parts = text.split(separator: " ")
      let day = parts[1].first == "0" ? " \(parts[1].dropFirst())" : String(parts[1])
      let asctime = "\(parts[0].dropLast()) \(parts[2]) \(day) \(parts[4]) \(parts[3])"
      guard parse(asctime) == moment else {
        Issue.record("\(moment) is not read from \(asctime), seed \(seed)")
        return
      }
    }
  }

  /// Days of the week follow one another without a gap.
  @Test func weekdays() {
    let names = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    for day in -800..<800 {
      let text = String(decoding: HTTPDate.bytes(Int64(day) * 86400), as: UTF8.self)
      #expect(text.prefix(3) == names[(day % 7 + 7) % 7])
    }
  }

  /// The form has four digits for a year: moments beyond them become the nearest one it can name.
  @Test(arguments: [
    (253_402_300_800, "Fri, 31 Dec 9999 23:59:59 GMT"),
    (Int64.max, "Fri, 31 Dec 9999 23:59:59 GMT"),
    (-62_167_219_201, "Sat, 01 Jan 0000 00:00:00 GMT"),
    (Int64.min, "Sat, 01 Jan 0000 00:00:00 GMT"),
  ])
  func beyondTheCalendar(_ seconds: Int64, _ text: String) {
    #expect(String(decoding: HTTPDate.bytes(seconds), as: UTF8.self) == text)
  }
}
