// Workloads by name: what clients of a site ask for, as a handful of numbers with their reasons. Two
// runs of the same name and seed request the same URLs in the same order.

import Glibc

/// How long contents are: a log-normal body, and a share with a Pareto tail.
struct SizeModel: Equatable, Sendable {
  /// The median of the body, in bytes.
  var median: Double
  /// The standard deviation of the logarithm.
  var sigma: Double
  /// The share of contents that are in the tail.
  var tailShare = 0.0
  /// Where the tail begins, in bytes.
  var tailStart = 1_048_576.0
  /// The slope of the tail: how fast larger contents become rarer.
  var tailSlope = 1.38
  /// No content is longer: with a slope this small the mean would hang on a few that are huge.
  var largest = 16 << 20

  /// The size that three numbers from 0 up to 1 select; `allowsTail` false leaves out the tail.
  func size(_ first: Double, _ second: Double, _ third: Double, allowsTail: Bool) -> Int {
    if allowsTail, third < tailShare {
      return min(largest, Int(nearest: (tailStart / pow(1 - first, 1 / tailSlope)).rounded(.down)))
    }
    // Box-Muller.
    let normal = sqrt(-2 * log(1 - first)) * cos(2 * Double.pi * second)
    return max(64, min(largest, Int(nearest: (median * exp(sigma * normal)).rounded(.down))))
  }
}

/// What clients ask for.
struct WorkloadModel: Equatable, Sendable {
  /// URLs that are asked for again and again.
  var core: Int
  /// Zipf's exponent over the core.
  var zipf: Double
  /// The share of requests for stored content whose URL is never asked for again.
  var oneHit: Double
  /// The share of all requests that are dynamic and never stored.
  var dynamic: Double
  /// How long contents are.
  var sizes: SizeModel
  /// Time between two deployments, each of which gives a share of the core new URLs.
  var deployEvery: TimeSpan?
  /// That share.
  var deployShare = 0.02

  /// The most popular ones of a core have no content from the tail: one of them at random would
  /// decide the bytes of the whole run, and no site's front page loads a 10 MB script.
  static let mostPopular = 200
}

/// The workloads that have a name.
enum NamedWorkload: String, CaseIterable, Sendable {
  case assets, web, images, api

  /// What it stands for, in a line.
  var summary: String {
    switch self {
    case .assets: "a site's own hashed assets, 2000 of about 40 MB, and 20 % dynamic requests"
    case .web: "a busy site: one-hit wonders, heavy tail, deployments, 20 % dynamic requests"
    case .images: "an image host: flat popularity over 50000 images, none dynamic"
    case .api: "dynamic requests only, none of them stored"
    }
  }

  /// Its numbers.
  var model: WorkloadModel {
    switch self {
    case .assets:
      WorkloadModel(
        core: 2000, zipf: 1, oneHit: 0, dynamic: 0.2,
        sizes: SizeModel(median: 12_000, sigma: 1, largest: 512 << 10))
    case .web:
      // Of what an infinite cache stores 65 % is asked for once, and makes 6 % of requests; over
      // some 240 000 requests that leaves a core of 8000.
      WorkloadModel(
        core: 8000, zipf: 1, oneHit: 0.06, dynamic: 0.2,
        sizes: SizeModel(median: 17_000, sigma: 1.25, tailShare: 0.0175),
        deployEvery: .seconds(10))
    case .images:
      WorkloadModel(
        core: 50_000, zipf: 0.7, oneHit: 0, dynamic: 0,
        sizes: SizeModel(median: 40_000, sigma: 1, largest: 4 << 20))
    case .api:
      WorkloadModel(
        core: 1, zipf: 0, oneHit: 0, dynamic: 1, sizes: SizeModel(median: 1000, sigma: 0))
    }
  }
}
