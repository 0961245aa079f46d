// What PoPs said about a request, in its two forms: a page for people and an array for programs.
// The page is in the order of the questions one asks: which key, what is stored there, what would
// happen, why.

import EdgeFleet

/// The answers of all PoPs that were asked.
struct ExplainAccount {
  let results: [ExplainFanOut.Result]

  /// Whether every PoP answered.
  var isComplete: Bool {
    results.allSatisfy { if case .success = $0.outcome { true } else { false } }
  }

  // MARK: - For people

  /// A block of lines for each PoP that answered, with an empty line between them.
  func text(coloured: Bool) -> String {
    let blocks = results.compactMap { result in
      try? result.outcome.get().lines(city: result.target.city, coloured: coloured)
    }
    return blocks.map { $0.joined(separator: "\n") }.joined(separator: "\n\n")
  }

  // MARK: - For programs

  /// The answers as a JSON array, described in docs/purge.md.
  var json: String { JSONForm.page.text(results.map(Element.init)) }

  private struct Element: Encodable {
    let pop: String?
    let city: String?
    let admin: String
    let milliseconds: Int64
    let report: ExplainReport?
    let reason: String?

    init(_ result: ExplainFanOut.Result) {
      switch result.outcome {
      case .success(let report): (self.report, reason) = (report, nil)
      case .failure(let error): (report, reason) = (nil, "\(error)")
      }
      pop = result.target.pop ?? report?.pop
      city = result.target.city
      admin = "http://\(result.target.admin)"
      milliseconds = result.elapsed.wholeMilliseconds
    }
  }
}

extension ExplainReport {
  fileprivate func lines(city: String?, coloured: Bool) -> [String] {
    let title = city.map { "\(pop), \($0)" } ?? pop
    var lines = [coloured ? Terminal.coloured(plain(title), 1) : plain(title)]
    func add(_ name: String, _ value: String) {
      lines.append("  \(padded(name, to: 13))\(plain(value))")
    }
    add("request", "\(method) \(url)")
    add("key", key)
    add("site", site.map { "\($0)\(route.map { ", to the \($0)" } ?? "")" } ?? "none")
    if let prefix { add("route", prefix) }
    add("stored", stored.isEmpty ? "nothing" : counted(stored.count, "response"))
    for (index, variant) in stored.enumerated() {
      lines += variant.lines(number: index + 1)
    }
    let touching = purge.map { "\($0) touches the URL" } ?? "none touches the URL"
    add("purge", purgeHead == 0 ? "none yet" : "\(touching); the newest of all is \(purgeHead)")
    if hitForMiss { add("hit-for-miss", "yes: requests do not wait for each other") }
    if inFlight > 0 { add("in flight", "\(inFlight)") }
    // Empty where the request would not come as far as the cache; the reason says so.
    if !outcome.isEmpty {
      let happens = plain(outcome)
      let colour = outcome == "hit" || outcome.hasPrefix("hit;") ? 32 : 33
      let text = coloured ? Terminal.coloured(happens, colour) : happens
      lines.append("  \(padded("outcome", to: 13))\(text)")
    }
    for (index, sentence) in because.enumerated() { add(index == 0 ? "because" : "", sentence) }
    for (index, limit) in (limits ?? []).enumerated() {
      add(index == 0 ? "limits" : "", "\(limit)")
    }
    return lines
  }
}

extension ExplainReport.Variant {
  fileprivate func lines(number: Int) -> [String] {
    var title = "\(status), \(counted(bytes, "byte"))"
    if let range { title += " (\(range))" }
    title += selected ? ", selected" : ", not selected"
    var lines = ["    \(number). \(plain(title))"]
    func add(_ name: String, _ values: [String]) {
      for (index, value) in values.enumerated() {
        lines.append("       \(padded(index == 0 ? name : "", to: 12))\(plain(value))")
      }
    }
    add("vary", vary)
    add("lifetime", ["\(lifetime) s, from \(lifetimeSource)"])
    add("age", ["\(age) s"])
    add("ttl", ["\(ttl) s\(ttl < 0 ? ", stale" : "")"])
    add("validators", validators)
    add("tags", tags.isEmpty ? [] : [tags.joined(separator: ", ")])
    add("tier", [tier])
    add("purge", purge.map { ["\($0) touches it"] } ?? [])
    add("note", notes)
    return lines
  }
}

private func padded(_ name: String, to width: Int) -> String {
  name + String(repeating: " ", count: max(1, width - name.count))
}

/// `text` without control characters: much of a report was written by origins, and the page goes to
/// a terminal.
private func plain(_ text: String) -> String { Terminal.plain(text) }
