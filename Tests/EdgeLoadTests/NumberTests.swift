import Testing

@testable import edge_load

@Suite("Numbers that may be any")
struct NumberTests {
  @Test(
    "Numbers as text",
    arguments: [
      (0.0, 0, "0"), (1.25, 1, "1.3"), (-0.25, 2, "-0.25"), (-1.5, 1, "-1.5"),
      (1e18, 0, "1000000000000000000"),
      (1e300, 2, "1e+300"), (-1e300, 0, "-1e+300"), (.infinity, 1, "inf"), (.nan, 2, "nan"),
      (9.3e18, 0, "9.3e+18"), (1e17, 6, "1e+17"),
    ])
  func number(value: Double, digits: Int, text: String) {
    #expect(ReportText.number(value, digits: digits) == text)
  }

  @Test(
    "Whole numbers nearest to others",
    arguments: [
      (1.5, 2), (-1.5, -2), (.nan, 0), (.infinity, .max), (-.infinity, .min), (1e300, .max),
      (0x1p63, .max), (-0x1p63, .min), (0x1.fffffffffffffp62, 0x7FFF_FFFF_FFFF_FC00),
    ])
  func nearest(value: Double, whole: Int) {
    #expect(Int(nearest: value) == whole)
  }

  @Test(
    "Decimal numbers",
    arguments: [
      ("1", 1.0), ("1.5", 1.5), (".5", 0.5), ("2.", 2), ("", nil), (".", nil), ("nan", nil),
      ("inf", nil),
      ("1e3", nil), ("0x1", nil), ("-1", nil), ("+1", nil), ("1.2.3", nil), ("٣", nil),
    ])
  func decimal(text: String, value: Double?) {
    #expect(DecimalText.parse(text) == value)
  }

  @Test(
    "Requests are dealt to threads without a sum that is too large",
    arguments: [1, 7, 101, 1 << 62, .max])
  func budget(requests: Int) {
    let shares = (0..<3).map { requests / 3 + ($0 < requests % 3 ? 1 : 0) }
    #expect(shares.reduce(0, +) == requests)
  }

  static let wrong: [[String]] = [
    ["--median-size", "9223372036854775807"], ["--largest-size", "2GiB"], ["--median-size", "0"],
    ["--zipf", "nan"], ["--zipf=-1"], ["--zipf", "inf"], ["--dynamic", "nan"], ["--core", "0"],
  ]

  @Test("Workloads that cannot be", arguments: wrong) func workload(arguments: [String]) {
    #expect(throws: LoadPlanError.self) {
      try WorkloadOptions.parse(["--workload", "web"] + arguments).model()
    }
  }

  @Test("Rates of purges that cannot be", arguments: [0, -1, .nan, 1e-300, .infinity, 1e9])
  func purges(rate: Double) throws {
    let place = try LoadTarget(url: "http://127.0.0.1:9")
    let plan = PurgePlan(rate: rate, admins: [], origin: place)
    #expect(throws: LoadPlanError.self) { try plan.validate() }
  }
}
