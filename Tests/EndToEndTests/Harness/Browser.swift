// Chromium without a window, driven over its own pipe: the DevTools protocol as JSON texts, each
// ended by a zero byte, on the descriptors 3 and 4. Every browser has a profile and so a cache of
// its own.

import Foundation
import Glibc
import Synchronization

/// A message of the browser.
private struct BrowserMessage: Decodable, Sendable {
  struct Problem: Decodable, Sendable {
    var message: String
  }
  var id: Int?
  var method: String?
  var error: Problem?
}

/// A browser with one page.
final class Browser: Sendable {
  private struct State: Sendable, CustomStringConvertible {
    /// Answers by the id of their command.
    var answers: [Int: [UInt8]] = [:]
    /// How often a page was completely loaded.
    var loads = 0
    var isGone = false
    var description: String { "\(answers.count) answers, \(loads) loads" }
  }

  private struct Answer<Result: Decodable>: Decodable {
    var result: Result
  }

  private struct Nothing: Decodable {}

  private let process: RunningProcess
  private let input: Int32
  private let state = Observed(State())
  private let lastID = Mutex(0)
  private let session = Mutex<String?>(nil)

  /// Starts a browser with the profile `profile` of the stage: a new one has an empty cache.
  static func start(on stage: Stage, profile: String) async throws -> Browser {
    let browser = try Browser(stage, profile)
    struct Target: Decodable {
      var targetId: String
    }
    struct Session: Decodable {
      var sessionId: String
    }
    let target: Target = try await browser.command(
      "Target.createTarget", "{\"url\": \"about:blank\"}")
    let session: Session = try await browser.command(
      "Target.attachToTarget", "{\"targetId\": \"\(target.targetId)\", \"flatten\": true}")
    browser.session.withLock { $0 = session.sessionId }
    let _: Nothing = try await browser.command("Page.enable", "{}")
    return browser
  }

  private init(_ stage: Stage, _ profile: String) throws {
    let (toBrowser, fromBrowser) = (try Pipe(), try Pipe())
    process = try stage.start(
      try Programs.system("chromium", "chromium-browser", "google-chrome"),
      [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--no-first-run", "--no-default-browser-check", "--no-proxy-server",
        "--user-data-dir=\(stage.path(profile))", "--remote-debugging-pipe", "about:blank",
      ], variables: ["HOME": stage.directory], extra: [toBrowser.readEnd, fromBrowser.writeEnd])
    input = toBrowser.writeEnd
    let state = state
    Thread.detachNewThread { Self.collect(fromBrowser.readEnd, into: state) }
  }

  deinit { close(input) }

  private static func collect(_ descriptor: Int32, into state: Observed<State>) {
    var waiting: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      waiting += buffer[..<count]
      while let end = waiting.firstIndex(of: 0) {
        let bytes = Array(waiting[..<end])
        waiting.removeSubrange(...end)
        let message = try? JSONDecoder().decode(BrowserMessage.self, from: Data(bytes))
        if let id = message?.id { state.change { $0.answers[id] = bytes } }
        if message?.method == "Page.loadEventFired" { state.change { $0.loads += 1 } }
      }
    }
    close(descriptor)
    state.change { $0.isGone = true }
  }

  private func command<Result: Decodable>(
    _ method: String, _ parameters: String, within limit: Duration = patience
  ) async throws -> Result {
    let id = lastID.withLock { last in
      last += 1
      return last
    }
    let session = session.withLock { $0 }.map { ", \"sessionId\": \"\($0)\"" } ?? ""
    let text = "{\"id\": \(id), \"method\": \"\(method)\", \"params\": \(parameters)\(session)}\0"
    let bytes = Array(text.utf8)
    guard write(input, bytes, bytes.count) == bytes.count else {
      throw ProcessProblem(description: "the browser is gone: \(process.errors.value)")
    }
    let answer: [UInt8]? = try await state.wait(for: "answer to \(method)", within: limit) {
      if let answer = $0.answers[id] { return .some(answer) }
      return $0.isGone ? .some(nil) : nil
    }
    guard let answer else {
      throw ProcessProblem(description: "the browser ended: \(process.errors.value)")
    }
    if let problem = try JSONDecoder().decode(BrowserMessage.self, from: Data(answer)).error {
      throw ProcessProblem(description: "\(method): \(problem.message)")
    }
    return try JSONDecoder().decode(Answer<Result>.self, from: Data(answer)).result
  }

  // MARK: Pages

  /// Gives the window another size, in pixels.
  func resize(width: Int, height: Int) async throws {
    let _: Nothing = try await command(
      "Emulation.setDeviceMetricsOverride",
      "{\"width\": \(width), \"height\": \(height), \"deviceScaleFactor\": 1, \"mobile\": false}")
  }

  /// Opens a page and waits until everything on it is there.
  func open(_ url: String) async throws {
    struct Navigation: Decodable {
      var errorText: String?
    }
    let loads = state.value.loads
    let navigation: Navigation = try await command("Page.navigate", "{\"url\": \(quoted(url))}")
    if let error = navigation.errorText {
      throw ProcessProblem(description: "\(url): \(error)")
    }
    try await loaded(after: loads)
  }

  /// Reloads the page as its own script can, and waits until everything is there again.
  func reload() async throws {
    let loads = state.value.loads
    _ = try await evaluate("location.reload(), 'reloading'")
    try await loaded(after: loads)
  }

  private func loaded(after loads: Int) async throws {
    _ = try await state.wait(for: "loaded page", within: patience) {
      $0.loads > loads ? true : nil
    }
  }

  /// The value of a JavaScript expression or of the promise that it is, as text.
  func evaluate(_ expression: String) async throws -> String {
    struct Evaluation: Decodable {
      struct Value: Decodable {
        var value: String?
        var description: String?
      }
      var result: Value
      var exceptionDetails: Nothing?
    }
    let evaluation: Evaluation = try await command(
      "Runtime.evaluate",
      """
      {"expression": \(quoted(expression)), "awaitPromise": true, "returnByValue": true}
      """)
    guard let value = evaluation.result.value else {
      throw ProcessProblem(
        description: "\(expression): \(evaluation.result.description ?? "no text")")
    }
    return value
  }

  /// Text as a JSON string.
  private func quoted(_ text: String) throws -> String {
    String(decoding: try JSONEncoder().encode(text), as: UTF8.self)
  }

  /// Closes it.
  func quit() async {
    await process.stop()
  }
}
