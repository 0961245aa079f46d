// The report as one HTML page that needs nothing else: plots as inline SVG, numbers as tables, no
// script, and the colours of the reader's light or dark mode.

/// A report as a page.
struct ReportPage {
  /// The numbers.
  let report: LoadReport

  /// The page.
  var html: String {
    """
    <!doctype html>
    <html lang="en">
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>edge-load report</title>
    <style>
    :root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent);
      --a: #0b7285; --b: #2b8a3e; --c: #c92a2a; --d: #e67700; --e: #862e9c; --f: #1864ab; }
    @media (prefers-color-scheme: dark) { :root { --a: #3bc9db; --b: #69db7c; --c: #ff8787;
      --d: #ffa94d; --e: #da77f2; --f: #74c0fc; } }
    body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
      padding: 0 1rem; }
    p, td { overflow-wrap: anywhere; }
    table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
    td, th { padding: .2rem .8rem .2rem 0; text-align: right; border-bottom: 1px solid var(--line); }
    td:first-child, th:first-child { text-align: left; }
    svg { width: 100%; height: auto; max-width: 45rem; display: block; }
    svg text { font: 14px system-ui, sans-serif; fill: currentColor; }
    @media (min-width: 640px) { svg text { font-size: 10px; } }
    .axis { stroke: var(--line); } .curve { fill: none; }
    .keys { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; padding: 0; }
    .keys li { display: flex; align-items: center; gap: .4rem; }
    .key { width: 36px; height: 10px; }
    .bar { width: 45%; }
    pre { overflow-x: auto; }
    </style>
    <h1>edge-load report</h1>
    <p>\(Self.escaped(report.targets.joined(separator: " ")))</p>
    \(facts)
    \(tiles)
    <h2>Requests per second</h2>
    \(rates)
    <h2>Latency of each second</h2>
    \(latencyOverTime)
    <h2>Latency by percentile (%) and outcome</h2>
    \(curves)
    <h2>Responses by status</h2>
    \(statuses)
    <h2>All numbers</h2>
    <pre>\(Self.escaped(ReportText(report: report).text))</pre>
    </html>

    """
  }

  private var facts: String {
    guard let run = report.run else { return "" }
    let cells = run.rows(report).map { "<tr><td>\($0.0)<td>\(Self.escaped($0.1))" }
    return "<h2>What was run</h2>\n<table>\n" + cells.joined(separator: "\n")
      + "\n</table>\n<h2>What came of it</h2>"
  }

  private var tiles: String {
    var rows = [
      ("requests", "\(report.requests)"),
      ("requests per second", ReportText.rate(report.requestsPerSecond)),
    ]
    if let ratio = report.cache.hitRatio { rows.append(("hit ratio", ReportText.percent(ratio))) }
    if let ratio = report.cache.byteHitRatio {
      rows.append(("hit ratio by bytes", ReportText.percent(ratio)))
    }
    if let infinite = report.infiniteCache {
      rows.append(("hit ratio of an infinite cache", ReportText.percent(infinite.hitRatio)))
    }
    if let purges = report.purges {
      rows.append(("stale after acknowledgement", "\(purges.staleAfterAcknowledgement)"))
    }
    rows.append(("errors", "\(report.errors.values.reduce(0, +))"))
    let cells = rows.map { "<tr><td>\($0.0)<td>\(Self.escaped($0.1))" }
    return "<table>\n" + cells.joined(separator: "\n") + "\n</table>"
  }

  /// What the time of a run is told in beside its plots, by how long it was.
  private var time: (unit: String, seconds: Double) {
    switch report.series.count {
    case ..<600: (" s", 1)
    case ..<14_400: (" min", 60)
    default: (" h", 3600)
    }
  }

  private var rates: String {
    func points(_ value: (SecondSample) -> Double) -> [(Double, Double)] {
      report.series.enumerated().map { (Double($0 + 1) / time.seconds, value($1)) }
    }
    return Plot(
      x: .linear(unit: time.unit), y: .linear(unit: "/s"),
      lines: [
        .init(name: "requests", points: points { Double($0.responses) }),
        .init(name: "hits", points: points { Double($0.hits) }),
        .init(name: "errors", points: points { Double($0.errors) }),
      ]
    ).svg
  }

  private var latencyOverTime: String {
    func points(_ value: (SecondSample) -> Double) -> [(Double, Double)] {
      report.series.enumerated().map { (Double($0 + 1) / time.seconds, value($1)) }.filter {
        $0.1 > 0
      }
    }
    return Plot(
      x: .linear(unit: time.unit), y: .latency,
      lines: [
        .init(name: "p50", points: points(\.p50)), .init(name: "p99", points: points(\.p99)),
      ]
    ).svg
  }

  private var curves: String {
    let names = report.percentiles.keys.sorted {
      (report.latencyMicroseconds[$0]?.count ?? 0, $1)
        > (report.latencyMicroseconds[$1]?.count ?? 0, $0)
    }
    let lines = names.prefix(6).map { name in
      Plot.Line(
        name: name,
        points: (report.percentiles[name] ?? []).filter { $0[1] > 0 }.map { ($0[0], $0[1]) })
    }
    return Plot(x: .percentile, y: .latency, lines: Array(lines)).svg
  }

  private var statuses: String {
    let rows = report.statusClasses.sorted { $0.key < $1.key }.map { name, count in
      let share = Double(count) / Double(max(1, report.requests))
      return """
        <tr><td>\(name)<td>\(count)<td>\(Self.escaped(ReportText.percent(share)))\
        <td class="bar"><svg viewBox="0 0 100 4" role="img" aria-label="\(name)">\
        <rect width="\(ReportText.number(share * 100, digits: 1))" height="4" \
        fill="var(--\(name == "5xx" ? "c" : "a"))"/></svg>
        """
    }
    return "<table style=\"width:100%\">\n" + rows.joined(separator: "\n") + "\n</table>"
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
  }
}
