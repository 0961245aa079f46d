// A PoP before Debian's nginx and real files, asked with curl: every byte is the origin's, and what
// may be answered by the PoP does not reach nginx a second time.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct NginxTests {
    private static let share = "/usr/share/javascript"

    /// Runs curl quietly and returns what it wrote.
    private static func curl(_ arguments: String...) async throws -> FinishedProcess {
      let result = try await run(
        try Programs.system("curl"), ["-sS", "--noproxy", "*"] + arguments)
      #expect(result.end == .status(0), "curl \(arguments): \(result.errors)")
      return result
    }

    /// The status of a response without its content.
    private static func status(_ arguments: String...) async throws -> String {
      let result = try await run(
        try Programs.system("curl"),
        ["-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}"] + arguments)
      #expect(result.end == .status(0), "\(result.errors)")
      return result.output
    }

    @Test("A whole tree arrives byte for byte, and the second time without nginx")
    func tree() async throws {
      try await Stage.run { stage in
        let nginx = try await Nginx.start(
          on: stage, root: Self.share, server: "    add_header Cache-Control max-age=600;")
        let pop = try await PoP.start(on: stage, upstream: nginx)
        // Links between packages are followed, as nginx does.
        let found = try await run(
          "/usr/bin/find", ["-L", ".", "-type", "f", "-printf", "%P\\n"], directory: Self.share)
        let paths = found.output.split(separator: "\n").map(String.init)
          .filter { $0.wholeMatch(of: /[A-Za-z0-9._\/@+-]+/) != nil }.sorted()
        try #require(paths.count > 50)
        try stage.write("list", paths.joined(separator: "\n") + "\n")
        let compare = #"while read -r f; do cmp -- "$0/$f" "$1/$f" || exit 1; done < list"#
        for visit in ["first", "second"] {
          let list = paths.map { "url = \"\(pop.url)/\($0)\"\noutput = \"\(visit)/\($0)\"\n" }
          let file = try stage.write("\(visit).curl", list.joined())
          let result = try await run(
            try Programs.system("curl"),
            ["-sS", "--noproxy", "*", "--fail", "--create-dirs", "-K", file],
            directory: stage.directory, within: .seconds(60))
          #expect(result.end == .status(0), "\(result.errors)")
          let difference = try await run(
            "/bin/sh",
            ["-c", compare, Self.share, visit], directory: stage.directory)
          #expect(difference.end == .status(0), "\(difference.output)\(difference.errors)")
          let requests = try await nginx.requests()
          #expect(requests.sorted() == paths.map { "GET /\($0) 200" }.sorted())
        }
      }
    }

    @Test("POST and requests with no-cache reach nginx, and what no-cache brings is stored")
    func throughToNginx() async throws {
      try await Stage.run { stage in
        try stage.write("site/page.html", "one")
        let nginx = try await Nginx.start(
          on: stage, root: stage.path("site"),
          server: """
                add_header Cache-Control max-age=600;
                location = /form { return 200 "got $request_method $content_length\\n"; }
            """)
        let pop = try await PoP.start(on: stage, upstream: nginx)
        let page = "\(pop.url)/page.html"
        #expect(try await Self.curl(page).output == "one")
        try stage.write("site/page.html", "two!")
        #expect(try await Self.curl(page).output == "one")
        #expect(try await Self.curl("-H", "Cache-Control: no-cache", page).output == "two!")
        #expect(try await Self.curl(page).output == "two!")
        let requests = try await nginx.requests()
        #expect(requests.count == 2, "\(requests)")

        #expect(try await Self.curl("-d", "a=1", "\(pop.url)/form").output == "got POST 3\n")
        #expect(try await Self.curl("-d", "a=1", "\(pop.url)/form").output == "got POST 3\n")
        #expect(try await nginx.requests().suffix(2) == ["POST /form 200", "POST /form 200"])

        // The answer to what nginx itself refuses comes through as it is.
        #expect(try await Self.status("-X", "DELETE", page) == "405")
      }
    }

    @Test("Conditional requests and ranges are answered from the stored response")
    func conditionsAndRanges() async throws {
      try await Stage.run { stage in
        let content = Array((0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) })
        let file = try stage.write("site/data.bin", content)
        let nginx = try await Nginx.start(
          on: stage, root: stage.path("site"), server: "    add_header Cache-Control max-age=600;")
        let pop = try await PoP.start(on: stage, upstream: nginx)
        let url = "\(pop.url)/data.bin"
        let first = try await pop.request("GET", "/data.bin")
        #expect(first.content == content)
        let tag = try #require(first["etag"])
        let modified = try #require(first["last-modified"])

        #expect(try await Self.status("-H", "If-None-Match: \(tag)", url) == "304")
        #expect(try await Self.status("-H", "If-None-Match: \"other\"", url) == "200")
        #expect(try await Self.status("-H", "If-Modified-Since: \(modified)", url) == "304")
        #expect(try await Self.status("-z", file, url) == "304")

        #expect(try await Self.curl("-r", "0-0", url).bytes == [content[0]])
        #expect(try await Self.curl("-r", "500-1499", url).bytes == Array(content[500..<1500]))
        #expect(try await Self.curl("-r", "-10", url).bytes == content.suffix(10))
        #expect(try await Self.curl("-r", "99990-200000", url).bytes == content.suffix(10))
        #expect(try await Self.status("-r", "100000-", url) == "416")
        let whole = try await Self.curl("-r", "0-9", "-H", "If-Range: \"other\"", url)
        #expect(whole.bytes == content)
        let half = try stage.write("half", content[..<50_000])
        _ = try await Self.curl("-C", "-", "-o", half, url)
        #expect(try Data(contentsOf: URL(fileURLWithPath: half)) == Data(content))
        let requests = try await nginx.requests()
        #expect(requests == ["GET /data.bin 200"])

        // Not a cache's to evaluate (RFC 9111 §4.3.2).
        #expect(try await Self.status("-H", "If-Match: \"other\"", url) == "412")
        let last = try await nginx.requests().last
        #expect(last == "GET /data.bin 412")
      }
    }

    @Test("Each content coding is a variant of its own", arguments: ["gzip", "gzip_static"])
    func codings(directive: String) async throws {
      try await Stage.run { stage in
        let text = String(repeating: "function sum(a, b) { return a + b }\n", count: 500)
        let file = try stage.write("site/app.js", text)
        let packed = try await run("/bin/gzip", ["-k", "-9", file])
        #expect(packed.end == .status(0))
        let nginx = try await Nginx.start(
          on: stage, root: stage.path("site"),
          server: """
                add_header Cache-Control max-age=600;
                \(directive) on;
                gzip_vary on;
                gzip_proxied any;
                gzip_types application/javascript text/javascript;
            """)
        let pop = try await PoP.start(on: stage, upstream: nginx)
        let url = "\(pop.url)/app.js"
        for _ in 1...2 {
          #expect(try await Self.curl(url).output == text)
          let packed = try await Self.curl("-H", "Accept-Encoding: gzip", "--raw", url)
          #expect(packed.bytes.count < 2000)
          let unpacked = try await Self.curl(
            "--compressed", "-H", "Accept-Encoding: gzip", url)
          #expect(unpacked.output == text)
        }
        let packedResponse = try await pop.request("GET", "/app.js", ["Accept-Encoding: gzip"])
        #expect(packedResponse["content-encoding"] == "gzip")
        #expect(packedResponse["vary"] == "Accept-Encoding")
        let requests = try await nginx.requests()
        #expect(requests.count == 2, "\(requests)")
      }
    }

    @Test("Content without freshness is validated at nginx, which answers 304")
    func validation() async throws {
      try await Stage.run { stage in
        try stage.write("site/page.html", "one")
        let nginx = try await Nginx.start(
          on: stage, root: stage.path("site"), server: "    add_header Cache-Control no-cache;")
        let pop = try await PoP.start(on: stage, upstream: nginx)
        for _ in 1...3 {
          #expect(try await Self.curl("\(pop.url)/page.html").output == "one")
        }
        #expect(
          try await nginx.requests() == [
            "GET /page.html 200", "GET /page.html 304", "GET /page.html 304",
          ])
        #expect(try await Self.status("\(pop.url)/none.html") == "404")
      }
    }
  }
}
