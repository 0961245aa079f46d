// A plot of a few lines as SVG: axes, marks at round values, and below it the names of the lines as HTML, which stay as
// large as the page's text however narrow the page is.
//
// Lines that lie on one another (all requests were hits) must all be seen: each is thinner than the one before, and has
// another pattern of dashes, so that what is below shows on both sides and through the gaps.

import Glibc

/// A plot.
struct Plot {
  /// One line.
  struct Line {
    /// The name beside it.
    var name: String
    /// Its points, from left to right.
    var points: [(Double, Double)]
  }

  /// How values become places.
  enum Scale {
    /// In proportion, from zero.
    case linear(unit: String)
    /// Microseconds, by their logarithm.
    case latency
    /// Percentiles, each nine as wide as the one before.
    case percentile
  }

  /// The scale from left to right.
  let x: Scale
  /// The scale from bottom to top.
  let y: Scale
  /// The lines.
  let lines: [Line]

  private static let (width, height) = (480.0, 240.0)
  private static let (left, right, top, bottom) = (70.0, 18.0, 10.0, 28.0)

  /// How the line of that number is drawn: colour, width and dashes.
  private static func style(_ index: Int) -> String {
    let dashes = ["none", "7 5", "2 4", "12 4 2 4", "1 3", "9 9"]
    let width = max(1.4, 5 - Double(index) * 1.2)
    return "stroke=\"var(--\(Array("abcdef")[index % 6]))\" "
      + "stroke-width=\"\(ReportText.number(width, digits: 1))\" "
      + "stroke-dasharray=\"\(dashes[index % 6])\""
  }

  /// The SVG element, or a sentence when there is nothing to plot.
  var svg: String {
    let points = lines.flatMap(\.points)
    guard points.count > 1 else { return "<p>The run was too short for a plot.</p>" }
    let xs = Axis(x, points.map(\.0))
    let ys = Axis(y, points.map(\.1))
    func place(_ point: (Double, Double)) -> (Double, Double) {
      (
        Self.left + xs.position(point.0) * (Self.width - Self.left - Self.right),
        Self.height - Self.bottom
          - ys.position(point.1) * (Self.height - Self.top - Self.bottom)
      )
    }
    var parts = [
      "<svg viewBox=\"0 0 \(Int(Self.width)) \(Int(Self.height))\" role=\"img\" "
        + "aria-label=\"\(lines.map(\.name).joined(separator: ", "))\">"
    ]
    for mark in ys.marks {
      let (_, y) = place((0, mark.value))
      parts.append(
        "<path class=\"axis\" d=\"M\(Self.left) \(Self.text(y))H\(Self.width - Self.right)\"/>"
          + "<text x=\"\(Self.left - 6)\" y=\"\(Self.text(y + 4))\" text-anchor=\"end\">"
          + "\(mark.label)</text>")
    }
    for mark in xs.marks {
      let (x, _) = place((mark.value, ys.low))
      parts.append(
        "<text x=\"\(Self.text(x))\" y=\"\(Self.height - 8)\" text-anchor=\"middle\">"
          + "\(mark.label)</text>")
    }
    var names: [String] = []
    for (index, line) in lines.enumerated() where !line.points.isEmpty {
      let places = line.points.map(place)
      // A single second is a point, which a line alone would not show.
      let ends = places.count == 1 ? [places[0], (places[0].0 + 6, places[0].1)] : places
      let path = ends.map { "\(Self.text($0.0)) \(Self.text($0.1))" }.joined(separator: "L")
      parts.append("<path class=\"curve\" \(Self.style(index)) d=\"M\(path)\"/>")
      names.append(
        "<li><svg class=\"key\" viewBox=\"0 0 36 10\" aria-hidden=\"true\"><path class=\"curve\" "
          + "\(Self.style(index)) d=\"M0 5H36\"/></svg>\(line.name)")
    }
    return parts.joined(separator: "\n") + "\n</svg>\n<ul class=\"keys\">\n"
      + names.joined(separator: "\n") + "\n</ul>"
  }

  private static func text(_ value: Double) -> String {
    ReportText.number(max(0, value), digits: 1)
  }
}

/// One axis of a plot: where values lie, and what is written beside it.
private struct Axis {
  let scale: Plot.Scale
  let low: Double
  let high: Double

  /// An axis that holds the values.
  init(_ scale: Plot.Scale, _ values: [Double]) {
    self.scale = scale
    let most = values.max() ?? 1
    switch scale {
    case .linear: (low, high) = (0, most > 0 ? most : 1)
    case .latency: (low, high) = (max(1, values.min() ?? 1), max(most, 2))
    case .percentile: (low, high) = (0, 100)
    }
  }

  /// From 0 to 1.
  func position(_ value: Double) -> Double {
    switch scale {
    case .linear: value / high
    case .latency: log(max(value, low) / low) / max(log(high / low), 1e-9)
    case .percentile: min(1, log10(100 / max(100 - value, 0.01)) / 4)
    }
  }

  /// Values to be marked, with their text.
  var marks: [(value: Double, label: String)] {
    switch scale {
    case .linear(let unit):
      let step = Self.roundStep(high / 5)
      return stride(from: 0, through: high, by: step).map {
        ($0, ReportText.number($0, digits: step < 1 ? 1 : 0) + unit)
      }
    case .latency:
      var marks: [(Double, String)] = []
      // Over a few powers of ten each one is enough; over less there are marks between them.
      let steps = high / low > 300 ? [1.0] : [1.0, 2, 5]
      var power = pow(10, floor(log10(low)))
      while power <= high {
        for value in steps.map({ $0 * power }) where value >= low && value <= high {
          marks.append((value, ReportText.microseconds(value)))
        }
        power *= 10
      }
      return marks.isEmpty ? [(high, ReportText.microseconds(high))] : marks
    case .percentile:
      return [(0, "0"), (90, "90"), (99, "99"), (99.9, "99.9"), (99.99, "99.99")]
    }
  }

  private static func roundStep(_ wanted: Double) -> Double {
    let power = pow(10, floor(log10(max(wanted, 1e-9))))
    let digit = wanted / power
    return power * (digit > 5 ? 10 : digit > 2 ? 5 : digit > 1 ? 2 : 1)
  }
}
