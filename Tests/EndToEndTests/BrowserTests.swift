// A real browser through a PoP: a page as a build tool makes it, with scripts, styles, a font and
// an image under hashed names, and a script that talks to the upstream.

import Foundation
import Testing

extension EndToEnd {
  @Suite struct BrowserTests {
    private static let assets = [
      "/assets/app-3f9c1b7a.js", "/assets/main.3f2a9c1b.css", "/assets/face.9d2e4c6f0a1b.woff2",
      "/assets/logo-5b1c9e77.svg",
    ]

    /// A site as a build tool leaves it, before nginx; echoes what is posted to /api/.
    private static func makeSite(on stage: Stage) async throws -> Nginx {
      try stage.write(
        "site/index.html",
        """
        <!doctype html><html><head><meta charset="utf-8"><title>page</title>
        <link rel="icon" href="data:,">
        <link rel="stylesheet" href="/assets/main.3f2a9c1b.css">
        <script defer src="/assets/app-3f9c1b7a.js"></script></head>
        <body><p id="text">plain</p>
        <img id="logo" src="/assets/logo-5b1c9e77.svg" alt=""></body></html>
        """)
      try stage.write(
        "site/assets/app-3f9c1b7a.js",
        """
        window.runs = (window.runs || 0) + 1
        document.getElementById('text').textContent = 'script has run'
        """)
      try stage.write(
        "site/assets/main.3f2a9c1b.css",
        """
        @font-face { font-family: face; src: url(/assets/face.9d2e4c6f0a1b.woff2) }
        #text { font-family: face; color: rgb(1, 2, 3) }
        """)
      try stage.write(
        "site/assets/logo-5b1c9e77.svg",
        "<svg xmlns='http://www.w3.org/2000/svg' width='31' height='17'/>")
      // A font of a package that scripts/setup installs: nobody writes one by hand.
      let font = "/usr/share/fonts/truetype/katex/KaTeX_Main-Regular.woff2"
      try stage.write(
        "site/assets/face.9d2e4c6f0a1b.woff2", try Data(contentsOf: URL(fileURLWithPath: font)))
      return try await Nginx.start(
        on: stage, root: stage.path("site"),
        server: """
              location /assets/ { add_header Cache-Control "public, max-age=31536000, immutable"; }
              location = /index.html { add_header Cache-Control no-cache; }
              location = /data.json {
                default_type application/json;
                add_header Cache-Control max-age=600;
                return 200 '{"id":"$request_id"}';
              }
              location = /form { return 200 "$request_method $content_length"; }
          """)
    }

    /// What the page shows once all of it is there.
    private static func look(at browser: Browser) async throws -> String {
      try await browser.evaluate(
        """
        document.fonts.load('16px face').then(() => JSON.stringify([
          document.getElementById('text').textContent,
          getComputedStyle(document.getElementById('text')).color,
          document.getElementById('logo').naturalWidth,
          document.fonts.check('16px face'),
          window.runs]))
        """)
    }

    private static let whole = #"["script has run","rgb(1, 2, 3)",31,true,1]"#

    @Test("A page and its assets arrive; a second visitor's assets come from the PoP alone")
    func visits() async throws {
      try await Stage.run { stage in
        let nginx = try await Self.makeSite(on: stage)
        let pop = try await PoP.start(on: stage, upstream: nginx)
        let first = try await Browser.start(on: stage, profile: "first")
        try await first.open("\(pop.url)/")
        #expect(try await Self.look(at: first) == Self.whole)
        await first.quit()
        let asked = try await nginx.requests()
        #expect(asked.sorted() == (["/"] + Self.assets).map { "GET \($0) 200" }.sorted())

        let second = try await Browser.start(on: stage, profile: "second")
        try await second.open("\(pop.url)/")
        #expect(try await Self.look(at: second) == Self.whole)
        // The page itself is validated on every use.
        #expect(try await nginx.requests().dropFirst(asked.count) == ["GET / 304"])

        // Reloading the page asks for the page; reloading an asset asks for nothing.
        try await second.reload()
        #expect(try await Self.look(at: second) == Self.whole)
        #expect(try await nginx.requests().dropFirst(asked.count) == ["GET / 304", "GET / 304"])
        for asset in Self.assets where !asset.hasSuffix(".woff2") {
          try await second.open(pop.url + asset)
          try await second.reload()
        }
        // A browser also looks for an icon of what is no page.
        let requests = try await nginx.requests().filter { !$0.contains("favicon") }
        #expect(requests.count == asked.count + 2, "\(requests)")
      }
    }

    @Test("fetch() with POST and with its cache modes")
    func fetches() async throws {
      try await Stage.run { stage in
        let nginx = try await Self.makeSite(on: stage)
        let pop = try await PoP.start(on: stage, upstream: nginx)
        let browser = try await Browser.start(on: stage, profile: "profile")
        try await browser.open("\(pop.url)/")
        let before = try await nginx.requests().count

        func fetch(_ options: String) async throws -> String {
          try await browser.evaluate("fetch('/data.json', \(options)).then(r => r.text())")
        }
        let stored = try await fetch("{}")
        #expect(stored.hasPrefix("{\"id\":\""))
        #expect(try await fetch("{cache: 'default'}") == stored)
        #expect(try await nginx.requests().count == before + 1)
        // Past the browser's own cache to the PoP and through it.
        let reloaded = try await fetch("{cache: 'reload'}")
        #expect(reloaded != stored)
        let validated = try await fetch("{cache: 'no-cache'}")
        #expect(validated != stored && validated != reloaded)
        #expect(try await nginx.requests().count == before + 3)
        // The latter, sent as max-age=0, also freshened what the PoP has for the next visitor.
        let next = try await pop.request("GET", "/data.json")
        #expect(next.text == validated, "\(next.fields)")

        for _ in 1...2 {
          let posted = try await browser.evaluate(
            "fetch('/form', {method: 'POST', body: 'x'.repeat(70000)}).then(r => r.text())")
          #expect(posted == "POST 70000")
        }
        let requests = try await nginx.requests()
        #expect(requests.dropFirst(before + 3) == ["POST /form 200", "POST /form 200"])
      }
    }

    @Test("A WebSocket of the page goes through the PoP")
    func webSocket() async throws {
      try await Stage.run { stage in
        let echo = try await WebSocketEcho.start(on: stage)
        let pop = try await PoP.start(on: stage, upstream: echo)
        let browser = try await Browser.start(on: stage, profile: "profile")
        // Browsers let only a page of this machine talk to this machine.
        let origin = try await SampleOrigin.start(on: stage)
        try await browser.open("\(origin.url)/")
        let answers = try await browser.evaluate(
          """
          new Promise((done, fail) => {
            const socket = new WebSocket('ws://127.0.0.1:\(pop.port)/chat?room=1'), seen = []
            const sent = ['?path', 'hello', 'x'.repeat(300), 'y'.repeat(200000), 'bye']
            socket.onerror = () => done('the socket failed')
            socket.onopen = () => sent.forEach(text => socket.send(text))
            socket.onmessage = event => {
              seen.push(event.data)
              if (seen.length == sent.length) socket.close(1000, 'done')
            }
            socket.onclose = event => done(JSON.stringify([
              seen[0], seen.slice(1).join() == sent.slice(1).join(), event.code, event.wasClean]))
          })
          """)
        #expect(answers == #"["/chat?room=1",true,1000,true]"#)
      }
    }
  }
}
