// A PoP before Debian's nginx and a tree of files, asked with curl: every byte is the origin's, and
// what may be answered by the PoP does not reach nginx a second time.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct NginxTests {
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

    /// A file of the tree: where it is, and what is in it.
    private struct TreeFile {
      let path: String
      let content: [UInt8]

      init(_ path: String, size: Int) {
        self.path = path
        // Of each path another one.
        var state = path.utf8.reduce(UInt64(size)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        content = (0..<size).map { _ in
          state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          return UInt8(truncatingIfNeeded: state >> 56)
        }
      }

      /// The path as it stands in a URL.
      var target: String {
        path.utf8.map { byte in
          let character = Character(Unicode.Scalar(byte))
          let isPlain = byte < 128 && (character.isLetter || character.isNumber)
          return isPlain || "/-._~+@".contains(character)
            ? String(character)
            : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined()
      }
    }

    /// Sizes around those of pages, buffers and windows, in directories; names that must be
    /// encoded; and links, as packages have them to each other.
    private static func makeTree(on stage: Stage) throws -> [TreeFile] {
      let sizes = [
        0, 1, 2, 511, 512, 1023, 4095, 4096, 4097, 16_383, 16_384, 24_576, 24_577, 65_535, 65_536,
        65_537, 131_072, 262_145, 1 << 20,
      ]
      let kinds = ["js", "css", "svg"]
      var files = sizes.enumerated().flatMap { index, size in
        kinds.map { TreeFile("lib/\($0)/v\(index)/file-\(size).min.\($0)", size: size) }
      }
      let names = [
        "with a blank.txt", "100%.txt", "50%25.txt", "a&b=c;d,e.txt", "plus+at@tilde~.txt",
        "question?.txt", "hash#.txt", "quote'\"s.txt", "(round) [square] {curly}.txt",
        "semi:colon.txt", "b\u{E4}ume.txt", "\u{65E5}\u{672C}\u{8A9E}.html", "\u{1F600}.png",
        ".hidden", "no-extension", "UPPER.TXT", "upper.txt", "deep/er/and/deep/er/still/file.woff2",
      ]
      files += names.enumerated().map { TreeFile("names/\($1)", size: 100 + $0) }
      for file in files { try stage.write("tree/\(file.path)", file.content) }
      // A link to a file beside it, and one to a directory that is not below the root.
      try stage.write("elsewhere/data.json", TreeFile("linked/data.json", size: 5000).content)
      let links = [
        ("names/link.txt", "upper.txt"), ("linked", stage.path("elsewhere")),
      ]
      for (path, target) in links {
        try FileManager.default.createSymbolicLink(
          atPath: stage.path("tree/\(path)"), withDestinationPath: target)
      }
      return files + [TreeFile("linked/data.json", size: 5000)]
    }

    @Test("A whole tree arrives byte for byte, and the second time without nginx")
    func tree() async throws {
      try await Stage.run { stage in
        let files = try Self.makeTree(on: stage)
        var expected = files.map { (target: $0.target, content: $0.content) }
        let upper = try #require(files.first { $0.path == "names/upper.txt" })
        expected.append((target: "names/link.txt", content: upper.content))
        let nginx = try await Nginx.start(
          on: stage, root: stage.path("tree"), server: "    add_header Cache-Control max-age=600;")
        let pop = try await PoP.start(on: stage, upstream: nginx)
        for visit in ["first", "second"] {
          let list = expected.enumerated().map {
            "url = \"\(pop.url)/\($1.target)\"\noutput = \"\(visit)/\($0)\"\n"
          }
          let file = try stage.write("\(visit).curl", list.joined())
          let result = try await run(
            try Programs.system("curl"),
            ["-sS", "--noproxy", "*", "--fail", "--create-dirs", "-K", file],
            directory: stage.directory)
          #expect(result.end == .status(0), "\(result.errors)")
          for (index, file) in expected.enumerated() {
            let path = stage.path("\(visit)/\(index)")
            // Of nothing, curl makes no file.
            let received = try? Data(contentsOf: URL(fileURLWithPath: path))
            let isSame = received ?? Data() == Data(file.content)
            #expect(isSame, "\(file.target) at the \(visit) visit: \(received?.count ?? 0) bytes")
          }
          let requests = try await nginx.requests()
          #expect(requests.sorted() == expected.map { "GET /\($0.target) 200" }.sorted())
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
