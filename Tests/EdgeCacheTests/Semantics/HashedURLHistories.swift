// What is guessed of a response at a URL with a hash (RFC 9111 §4.2.2), and of what content.

extension Histories {
  private static let script = "/assets/app-3f2a9c1b.js"
  private static let year = "hit ttl=31536000"

  /// A response to a hashed URL of which nothing is guessed: not stored, or asked about each time.
  private static func differs(
    _ name: String, at path: String = script, _ reply: String, _ expected: String = "!stored"
  ) -> History {
    History(
      name, "9111 §4.2.2", ask("GET \(path)", reply, is: expected),
      ask("GET \(path)", is: "!hit asked=1"))
  }

  private static func fits(_ name: String, at path: String, _ type: String) -> History {
    History(
      name, "9111 §4.2.2", ask("GET \(path)", "200↵Content-Type: \(type)", is: "stored"),
      ask("GET \(path)", is: year))
  }

  static let hashedURLs: [History] = [
    differs("a page for a script", "200↵Content-Type: text/html; charset=utf-8"),
    differs(
      "a page for a script, with a date", "200↵Content-Type: text/html↵Last-Modified: {-100000}"),
    differs(
      "a page for a script, with a date and public",
      "200↵Content-Type: text/html↵Cache-Control: public↵Last-Modified: {-100000}"),
    differs(
      "a page for a script, as 203", "203↵Content-Type: text/html↵Last-Modified: {-100000}"),
    differs("a script of no type", "200"),
    differs("a script of no type, with a date", "200↵Last-Modified: {-100000}"),
    differs("a script of an empty type", "200↵Content-Type:"),
    differs("a script of two types", "200↵Content-Type: text/javascript↵Content-Type: text/html"),
    differs("a script as bytes", "200↵Content-Type: application/octet-stream"),
    differs("a message for a script", "200↵Content-Type: application/json"),
    differs("plain text for a script", "200↵Content-Type: text/plain"),
    differs("a style sheet for a script", "200↵Content-Type: text/css"),
    differs("a page for a style sheet", at: "/app.3f2a9c1b.css", "200↵Content-Type: text/html"),
    differs("a page for a picture", at: "/a.3f2a9c1b.png", "200↵Content-Type: text/html"),
    differs("a drawing for a picture", at: "/a.3f2a9c1b.png", "200↵Content-Type: image/svg+xml"),
    differs("a page for a font", at: "/a.3f2a9c1b.woff2", "200↵Content-Type: text/html"),
    differs("a page for WebAssembly", at: "/a.3f2a9c1b.wasm", "200↵Content-Type: text/html"),
    differs(
      "a page for data", at: "/af-7c4e90b1d83f5a26e0b97d4c815fa362.json",
      "200↵Content-Type: text/html"),
    differs(
      "a page below a build tool's folder", at: "/_app/immutable/chunks/BkQw7sZn.js",
      "200↵Content-Type: text/html"),
    differs("no content", "200↵Content-Type: text/javascript↵Content-Length: 0↵↵"),
    differs(
      "no content, with a date",
      "200↵Content-Type: text/javascript↵Last-Modified: {-100000}↵Content-Length: 0↵↵"),
    differs(
      "no content, of a length not told before",
      "200↵Content-Type: text/javascript↵Transfer-Encoding: chunked↵↵", ""),
    History(
      "a page for a script, and what its origin says", "9111 §4.2.1",
      ask(
        "GET \(script)", "200↵Content-Type: text/html↵Cache-Control: max-age=60", is: "stored"),
      ask("GET \(script)", is: "hit ttl=60")),
    History(
      "no content, and what its origin says", "9111 §4.2.1",
      ask("GET \(script)", "200↵Cache-Control: max-age=60↵Content-Length: 0↵↵", is: "stored"),
      ask("GET \(script)", is: "hit ttl=60")),
    History(
      "a page for a script, until the script is there", "9111 §4.2.2",
      ask("GET \(script)", "200↵Content-Type: text/html", is: "!stored"),
      ask(300, "GET \(script)", "200↵Content-Type: text/javascript", is: "stored"),
      ask(300, "GET \(script)", is: year)),
    History(
      "a page for a script is no better after a validation", "9111 §4.3.4",
      ask(
        "GET \(script)", "200↵ETag: \"a\"↵Content-Type: text/html↵Cache-Control: no-cache",
        is: "stored"),
      ask(
        "GET \(script)", "304↵ETag: \"a\"↵Cache-Control: public", is: ">validates"),
      ask("GET \(script)", is: "!hit asked=1")),
    History(
      "the type of a validation does not count", "9111 §3.2",
      ask(
        "GET \(script)", "200↵ETag: \"a\"↵Content-Type: text/javascript↵Cache-Control: no-cache",
        is: "stored"),
      ask(
        "GET \(script)", "304↵ETag: \"a\"↵Content-Type: text/html↵Cache-Control: public",
        is: ">validates"),
      ask("GET \(script)", is: "hit asked=0")),
    History(
      "a validation leaves a script that says nothing", "9111 §4.3.4",
      ask(
        "GET \(script)", "200↵ETag: \"a\"↵Content-Type: text/javascript↵Cache-Control: no-cache",
        is: "stored"),
      ask(
        "GET \(script)", "304↵ETag: \"a\"↵Cache-Control: public", is: ">validates"),
      ask("GET \(script)", is: year)),
    History(
      "no content is no better after a validation", "9111 §4.3.4",
      ask(
        "GET \(script)",
        "200↵ETag: \"a\"↵Content-Type: text/javascript↵Cache-Control: no-cache"
          + "↵Content-Length: 0↵↵", is: "stored"),
      ask(
        "GET \(script)", "304↵ETag: \"a\"↵Cache-Control: public", is: ">validates"),
      ask("GET \(script)", is: "!hit asked=1")),
    History(
      "a page that moved a script", "9110 §15.4.2",
      ask(
        "GET \(script)", "301↵Content-Type: text/html↵Last-Modified: {-1000}", is: "stored"),
      ask("GET \(script)", is: "hit ttl=100")),
    fits("an old type of scripts", at: script, "application/javascript"),
    fits("an older type of scripts", at: script, "Application/X-JavaScript;charset=UTF-8"),
    fits("a style sheet", at: "/app.3f2a9c1b.css", "text/css; charset=utf-8"),
    fits("a picture in a newer format", at: "/a.3f2a9c1b.jpg", "image/webp"),
    fits("a drawing", at: "/a.3f2a9c1b.svg", "image/svg+xml"),
    fits("a font", at: "/a.3f2a9c1b.woff2", "font/woff2"),
    fits("a font by an old type", at: "/a.3f2a9c1b.ttf", "application/x-font-ttf"),
    fits("a font as bytes", at: "/a.3f2a9c1b.otf", "application/octet-stream"),
    fits("WebAssembly", at: "/a.3f2a9c1b.wasm", "application/wasm"),
    fits("a film", at: "/a.3f2a9c1b.mp4", "video/mp4"),
    fits("data", at: "/af-7c4e90b1d83f5a26e0b97d4c815fa362.json", "application/json"),
    fits(
      "data of a kind", at: "/site-7c4e90b1d83f5a26e0b97d4c815fa362.webmanifest",
      "application/manifest+json"),
  ]
}
