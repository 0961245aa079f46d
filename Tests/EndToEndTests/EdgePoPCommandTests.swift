// edge-pop's command line: what is wrong is said in one line, and the status tells.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct EdgePoPCommandTests {
    private static let one = ["--upstream", "http://127.0.0.1:9"]
    private static let ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]

    /// Arguments that start nothing, and what the one line on standard error says about them.
    private static let wrong: [(arguments: [String], says: String)] = [
      ([], "say what to serve"),
      (["--nope"], "Unknown option '--nope'"),
      (["extra"], "'extra'"),
      (["--upstream"], "Missing value for '--upstream"),
      (["--upstream", "ftp://x"], "--upstream: \"ftp://x\""),
      (["--upstream", "http://"], "--upstream: \"http://\""),
      (one + ["--threads", "x"], "'x'"),
      (
        one + ["--memory", "64MiB", "--largest-response", "40MiB"],
        "--largest-response 40MiB: from 1B to half of the memory, 32MiB"
      ),
      (one + ["--largest-response", "x"], "--largest-response"),
      (one + ["--threads", "0"], "--threads 0: from 1 to 1024"),
      (one + ["--memory", "5MB"], "--memory: \"5MB\" is not a size"),
      (one + ["--memory", "5KiB"], "--memory 5KiB: at least 1MiB"),
      (one + ["--memory", "0"], "--memory 0: at least 1MiB"),
      (one + ["--memory=-5MiB"], "--memory: \"-5MiB\" is not a size"),
      (one + ["--memory", "1048576GiB"], "--memory 1048576GiB: this machine has"),
      (one + ["--memory", "99999999999999999999GiB"], "is too large for a size"),
      (one + ["--disk", "d", "--disk-size", "0"], "--disk-size 0: at least 16MiB"),
      (one + ["--disk", "d", "--disk-size", "9223372036854775807"], "at most 65536GiB"),
      (one + ["--listen", "nope"], "--listen: \"nope\""),
      (one + ["--listen", "127.0.0.1:99999"], "--listen: \"127.0.0.1:99999\""),
      (one + ["--admin", "nope"], "--admin: \"nope\""),
      (one + ["--listen", "127.0.0.1:0", "--admin", "0.0.0.0:0"], "is not loopback"),
      (one + ports + ["--admin-token-file", "/no/such"], "/no/such"),
      (one + ports + ["--access-log", "/no/such/log"], "/no/such/log"),
      (one + ["--drain-timeout", "0s"], "--drain-timeout: \"0s\" must be from 1ms to 24h"),
      (one + ["--drain-delay", "5"], "--drain-delay: \"5\" is not a duration"),
      (one + ["--drain-delay", "25h"], "--drain-delay: \"25h\" must be from 0s to 24h"),
      (one + ["--verbose"], "--verbose needs --check-config"),
      (one + ["--drain-timeout", "25h"], "--drain-timeout: \"25h\""),
      (one + ["--drain-timeout", "5"], "--drain-timeout: \"5\" is not a duration"),
      (one + ["--client-connections", "0"], "--client-connections 0: from 1 to 10000000"),
      (one + ["--connections-per-address", "-1"], "--connections-per-address"),
      (one + ports + ["--client-connections", "10000000"], "there is room for "),
      (
        one + [
          "--listen", "127.0.0.1:8081", "--listen", "127.0.0.1:8081", "--admin", "127.0.0.1:0",
        ],
        "it is given twice"
      ),
      (one + ["--log-level", "loud"], "--log-level loud"),
      (one + ports + ["--resolver", "dns.example"], "--resolver: \"dns.example\" is a name"),
      (
        one + ports + ["--resolver", "192.0.2.1", "--resolver", "192.0.2.1:53"],
        "--resolver: the same name server twice"
      ),
      (one + ["--log-format", "xml"], "--log-format xml: there is text, json"),
      (one + ["--access-log", ""], "--access-log: is not a file"),
      (one + ["--access-log-format", "common"], "there is combined, vhost-combined, json"),
      (one + ["--access-log-sample", "1.5"], "--access-log-sample 1.5: from 0 to 1"),
      (one + ["--access-log-sample", "nan"], "--access-log-sample"),
      (one + ["--pop", "iad1"], "--pop needs --config"),
      (one + ["--check-config"], "--check-config needs --config"),
      (one + ["--config", "pops.json"], "exclude each other"),
      (["--config", "/no/such.json", "--pop", "iad1"], "/no/such.json"),
      (["--config", "/", "--pop", "iad1"], "/"),
      (["--config", "good.json"], "fra1, iad1, sin1"),
      (["--config", "good.json", "--pop", "sin2"], "sin1"),
      (["--config", "good.json", "--check-config", "--pop", "sin2"], "sin1"),
      (["--config", "unknown.json", "--pop", "iad1"], "did you mean \"threads\"?"),
      (["--config", "text.json", "--pop", "iad1"], "text.json:1:1"),
    ]

    @Test("Wrong use is one line and status 1", arguments: wrong.indices)
    func wrongUse(index: Int) async throws {
      try await Stage.run { stage in
        try Self.writeConfigurations(on: stage)
        let (arguments, says) = Self.wrong[index]
        let result = try await run(
          Programs.edgePoP, arguments, variables: ["EDGE_ADMIN_TOKEN": nil],
          directory: stage.directory)
        #expect(result.end == .status(1), "\(arguments)")
        #expect(result.output == "")
        #expect(result.errorLines.count == 1, "\(result.errors)")
        #expect(result.errors.hasPrefix("edge-pop: "))
        #expect(result.errors.contains(says), "\(result.errors)")
      }
    }

    private static func writeConfigurations(on stage: Stage) throws {
      let good = Fleet.configuration(
        origin: "http://127.0.0.1:9", ports: [4011, 4001, 4012, 4002, 4013, 4003])
      try stage.write("good.json", good)
      let misspelt = good.replacing("\"threads\"", with: "\"thread\"", maxReplacements: 1)
      try stage.write("unknown.json", misspelt)
      try stage.write("text.json", "not json\n")
    }

    @Test("An occupied port is named", arguments: ["--listen", "--admin"])
    func occupiedPort(flag: String) async throws {
      let taken = try Socket.bound(listens: true)
      var arguments = Self.one
      for name in ["--listen", "--admin"] {
        arguments += [name, "127.0.0.1:\(name == flag ? taken.port : 0)"]
      }
      let result = try await run(Programs.edgePoP, arguments)
      #expect(result.end == .status(1))
      #expect(result.errorLines.count == 1, "\(result.errors)")
      #expect(result.errors.contains("127.0.0.1:\(taken.port)"))
      #expect(result.errors.contains("another with \(flag)"), "\(result.errors)")
    }

    @Test(
      "An address that cannot be had is named",
      arguments: [
        "192.0.2.1:0", "no-such-host.invalid:0",
      ])
    func unusableAddress(address: String) async throws {
      let result = try await run(
        Programs.edgePoP, Self.one + ["--listen", address, "--admin", "127.0.0.1:0"],
        // Whatever a name server says, or whether there is one.
        variables: ["RES_OPTIONS": "timeout:1 attempts:1"])
      #expect(result.end == .status(1))
      #expect(result.errorLines.count == 1, "\(result.errors)")
      #expect(result.errors.contains("cannot listen on \(address)"), "\(result.errors)")
    }

    @Test("Several errors of a configuration are as many lines, each with its place")
    func severalErrors() async throws {
      try await Stage.run { stage in
        let bad = Fleet.configuration(
          origin: "http://127.0.0.1:9", ports: [4011, 4001, 4012, 4002, 4013, 4003]
        )
        .replacing("\"16MiB\"", with: "\"16MB\"").replacing("\"fleet\"", with: "\"flet\"")
        let file = try stage.write("bad.json", bad)
        for arguments in [["--pop", "iad1"], ["--check-config"]] {
          let result = try await run(Programs.edgePoP, ["--config", file] + arguments)
          #expect(result.end == .status(1))
          #expect(result.errorLines.allSatisfy { $0.hasPrefix("edge-pop: \(file): ") })
          for place in ["fleet", "flet", "pops[0].memory", "pops[1].memory", "pops[2].memory"] {
            #expect(
              result.errorLines.count { $0.contains("\(file): \(place): ") } == 1,
              "\(place) in \(result.errors)")
          }
        }
      }
    }

    @Test("--check-config, --version and --help answer on standard output with status 0")
    func answers() async throws {
      try await Stage.run { stage in
        try Self.writeConfigurations(on: stage)
        let cases: [(arguments: [String], says: String)] = [
          (
            ["--config", "good.json", "--check-config"], "good.json: ok, 3 PoPs: iad1, fra1, sin1\n"
          ),
          (["--config", "good.json", "--check-config", "--pop", "fra1"], "good.json: ok"),
          (["--version"], "0.1.0\n"),
          (["--help"], "USAGE: edge-pop"),
        ]
        for (arguments, says) in cases {
          let result = try await run(Programs.edgePoP, arguments, directory: stage.directory)
          #expect(result.end == .status(0), "\(arguments)")
          #expect(result.output.contains(says), "\(result.output)")
          #expect(result.errors == "", "\(arguments)")
        }
      }
    }

    @Test("A token opens the admin API to other machines, and is asked for")
    func token() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        // Given on the command line; loopback addresses stand in for the network here.
        let pop = try await PoP.start(
          on: stage, upstream: origin, variables: ["EDGE_ADMIN_TOKEN": "sesame"])
        let (without, with, wrong) = try await onThread {
          let connection = try HTTPConnection(port: pop.admin)
          return (
            try connection.request("GET", "/health"),
            try connection.request("GET", "/health", ["Authorization: Bearer sesame"]),
            try connection.request("GET", "/health", ["Authorization: Bearer sesam"])
          )
        }
        #expect(without.status == 401)
        #expect(with.status == 200)
        #expect(wrong.status == 401)
      }
    }
  }
}
