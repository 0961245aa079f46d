import EdgeSocket
import Testing

@testable import EdgeNames

@Suite("A look-up")
struct NameLookupTests {
  private let four = addresses(1, 2)
  private let six = [
    InternetAddress(bytes: [0x20, 0x01, 0x0D, 0xB8] + Array(repeating: 0, count: 11) + [7])
  ]
  .compactMap { $0 }

  private func lookup(_ candidates: String...) -> NameLookup {
    NameLookup(candidates, limits: NameLimits(), now: 0)
  }

  @Test("ends when both families have answered, with the shorter of their lifetimes")
  func both() {
    for isFirst in [true, false] {
      var lookup = lookup("a.")
      #expect(lookup.first == .ask("a."))
      let answers: [(AddressFamily, FamilyAnswer)] = [
        (.ipv4, .addresses(four, seconds: 60)), (.ipv6, .addresses(six, seconds: 30)),
      ]
      let order = isFirst ? answers : answers.reversed()
      #expect(lookup.answered("a.", order[0].0, order[0].1, now: 0) == nil)
      #expect(
        lookup.answered("a.", order[1].0, order[1].1, now: 1)
          == .found(ipv4: four, ipv6: six, seconds: 30, isLast: true))
      #expect(lookup.isOver)
    }
  }

  @Test(
    "One family that fails does not hurt the other",
    arguments: [FamilyAnswer.none, .problem(.timeout), .problem(.server("SERVFAIL"))])
  func oneFails(answer: FamilyAnswer) {
    var lookup = lookup("a.", "a.b.")
    #expect(lookup.answered("a.", .ipv6, answer, now: 0) == nil)
    #expect(
      lookup.answered("a.", .ipv4, .addresses(four, seconds: 9), now: 1)
        == .found(ipv4: four, ipv6: [], seconds: 9, isLast: true))
  }

  @Test(
    "Where one family is not known the other holds for half a minute at most",
    arguments: [
      (FamilyAnswer.none, 600), (.problem(.timeout), 30), (.problem(.server("SERVFAIL")), 30),
    ])
  func half(answer: FamilyAnswer, expected: Int) {
    var lookup = lookup("a.")
    #expect(lookup.answered("a.", .ipv6, answer, now: 0) == nil)
    #expect(
      lookup.answered("a.", .ipv4, .addresses(four, seconds: 600), now: 1)
        == .found(ipv4: four, ipv6: [], seconds: expected, isLast: true))
    lookup = self.lookup("a.")
    #expect(lookup.answered("a.", .ipv4, .addresses(four, seconds: 600), now: 0) == nil)
    for (time, isLast) in [(1.0, false), (5.0, true)] {
      #expect(
        lookup.timePassed(seconds(time))
          == .found(ipv4: four, ipv6: [], seconds: 30, isLast: isLast))
    }
  }

  @Test("A family that is silent keeps nobody waiting for more than 50 ms (RFC 8305 §3)")
  func silentFamily() {
    var lookup = lookup("a.")
    #expect(lookup.nextDue == seconds(5))
    #expect(lookup.answered("a.", .ipv4, .addresses(four, seconds: 9), now: seconds(1)) == nil)
    #expect(lookup.nextDue == seconds(1.05))
    #expect(lookup.timePassed(seconds(1.04)) == nil)
    #expect(
      lookup.timePassed(seconds(1.05)) == .found(ipv4: four, ipv6: [], seconds: 9, isLast: false))
    #expect(lookup.nextDue == seconds(5))
    var later = lookup
    #expect(
      later.answered("a.", .ipv6, .addresses(six, seconds: 60), now: seconds(2))
        == .found(ipv4: four, ipv6: six, seconds: 9, isLast: true))
    #expect(
      lookup.timePassed(seconds(5)) == .found(ipv4: four, ipv6: [], seconds: 9, isLast: true))
    #expect(lookup.answered("a.", .ipv6, .addresses(six, seconds: 60), now: seconds(6)) == nil)
  }

  @Test("Silence ends in time")
  func silence() {
    var lookup = lookup("a.", "a.b.")
    #expect(lookup.timePassed(seconds(4.9)) == nil)
    #expect(lookup.timePassed(seconds(5)) == .failed(.timeout))
    #expect(lookup.timePassed(seconds(6)) == nil)
  }

  @Test(
    "What is no answer about one family leaves open whether there is an address",
    arguments: [
      (FamilyAnswer.none, FamilyAnswer.none, LookupProblem.noAddress),
      (.problem(.server("SERVFAIL")), .none, .server("SERVFAIL")),
      (.none, .problem(.timeout), .timeout),
      (.problem(.timeout), .problem(.server("refused")), .timeout),
    ])
  func noAnswer(ipv4: FamilyAnswer, ipv6: FamilyAnswer, expected: LookupProblem) {
    var lookup = lookup("a.")
    #expect(lookup.answered("a.", .ipv4, ipv4, now: 0) == nil)
    #expect(lookup.answered("a.", .ipv6, ipv6, now: 0) == .failed(expected))
  }

  @Test("The next name is asked about when the one before surely has no address, and only then")
  func search() {
    var lookup = lookup("a.b.", "a.c.", "a.")
    #expect(lookup.answered("a.b.", .ipv4, .none, now: 0) == nil)
    #expect(lookup.answered("a.b.", .ipv6, .none, now: 0) == .ask("a.c."))
    #expect(lookup.answered("a.b.", .ipv6, .addresses(six, seconds: 1), now: 0) == nil, "too late")
    #expect(lookup.answered("a.c.", .ipv4, .none, now: 0) == nil)
    #expect(lookup.answered("a.c.", .ipv6, .problem(.timeout), now: 0) == .failed(.timeout))
  }

  @Test("No more addresses are kept than the limit, of each family")
  func many() {
    var lookup = lookup("a.")
    let many = (0..<100).compactMap { InternetAddress(bytes: [10, 0, 0, $0]) }
    _ = lookup.answered("a.", .ipv6, .addresses(six, seconds: 1), now: 0)
    #expect(
      lookup.answered("a.", .ipv4, .addresses(many, seconds: 1), now: 0)
        == .found(ipv4: Array(many.prefix(16)), ipv6: six, seconds: 1, isLast: true))
  }

  @Test(
    "What a name may stand for (resolv.conf: search, ndots)",
    arguments: [
      ("a", [], 1, "a."), ("a.example", [], 1, "a.example."),
      ("a", ["x.example", "y.example."], 1, "a.x.example. a.y.example. a."),
      ("a.b", ["x.example"], 1, "a.b. a.b.x.example."),
      ("a.b", ["x.example"], 2, "a.b.x.example. a.b."),
      ("a.b.", ["x.example"], 5, "a.b."), ("a", ["", "."], 1, "a."),
      ("a", ["x.example"], 0, "a. a.x.example."),
    ])
  func candidates(name: String, domains: [String], dots: Int, expected: String) {
    let list = SearchList(domains: domains, dots: dots)
    #expect(list.candidates(name).joined(separator: " ") == expected)
  }
}

@Suite("The order of families")
struct AddressOrderTests {
  private func route(_ destination: String, _ source: String?) throws -> AddressOrder.Route {
    func address(_ text: String) throws -> InternetAddress {
      try #require(InternetAddress.resolve(host: text, port: 0, numericOnly: true).first)
    }
    return AddressOrder.Route(
      destination: try address(destination), source: try source.map(address))
  }

  // The examples of RFC 6724 §10.2 that are about two families, and those of no way to one of them.
  @Test(
    "is that of RFC 6724 §6",
    arguments: [
      ("2001:db8:1::1", "2001:db8:1::2", "198.51.100.121", "169.254.13.78", true),
      ("2001:db8:1::1", "fe80::1", "198.51.100.121", "198.51.100.117", false),
      ("2001:db8:1::1", "2001:db8:1::2", "10.1.2.3", "10.1.2.4", true),
      ("2002:c633:6401::1", "2002:c633:6401::2", "198.51.100.1", "198.51.100.2", false),
      ("2001:db8:1::1", "2002:c633:6401::2", "198.51.100.1", "198.51.100.2", false),
      ("2001:db8:1::1", nil, "198.51.100.1", "198.51.100.2", false),
      ("2001:db8:1::1", "2001:db8:1::2", "198.51.100.1", nil, true),
      ("::1", "::1", "127.0.0.1", "127.0.0.1", true),
      ("::1", nil, "127.0.0.1", "127.0.0.1", false),
      ("fc00::1", "fc00::2", "198.51.100.1", "198.51.100.2", false),
    ] as [(String, String?, String, String?, Bool)])
  func order(six: String, sixFrom: String?, four: String, fourFrom: String?, isSix: Bool) throws {
    let (one, two) = (try route(six, sixFrom), try route(four, fourFrom))
    #expect(AddressOrder.comesFirst(one, two) == isSix)
    if one.source != nil || two.source != nil {
      #expect(AddressOrder.comesFirst(two, one) == !isSix)
    }
  }
}
