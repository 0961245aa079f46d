// The options that choose a workload and change parts of it, the same for `run` and `trace`.

import ArgumentParser
import EdgeFleet

/// Which workload, and what is different about it.
struct WorkloadOptions: ParsableArguments {
  @Option(
    help: "A workload by name: assets, web, images or api (see docs/edge-load.md).",
    completion: .list(NamedWorkload.allCases.map(\.rawValue)))
  var workload: String?

  @Option(help: "Seeds all choices: the same seed, the same sequence of requests.")
  var seed: UInt64 = 1

  @Option(help: "Zipf's exponent: choose by popularity, the first path most often.")
  var zipf: Double?

  @Option(help: "URLs of the workload that are asked for again and again.")
  var core: Int?

  @Option(help: "Share of requests that are dynamic, 0 to 1.")
  var dynamic: Double?

  @Option(help: "Share of requests for stored content whose URL comes once, 0 to 1.")
  var oneHit: Double?

  @Option(help: "Median size of contents, such as 17KiB.")
  var medianSize: String?

  @Option(help: "Largest size of contents, such as 16MiB.")
  var largestSize: String?

  @Option(
    help: "Time between deployments, which give 2 % of the core new URLs; 0 for none.",
    transform: TimeSpan.parse)
  var deployEvery: TimeSpan?

  /// The workload with its changes; nil if none was named.
  func model() throws(LoadPlanError) -> WorkloadModel? {
    guard let workload else {
      let needy = [
        ("--core", core != nil), ("--dynamic", dynamic != nil), ("--one-hit", oneHit != nil),
        ("--median-size", medianSize != nil), ("--largest-size", largestSize != nil),
        ("--deploy-every", deployEvery != nil),
      ]
      if let option = needy.first(where: \.1)?.0 {
        throw .value(option: option, need: "used with --workload")
      }
      return nil
    }
    guard var model = NamedWorkload(rawValue: workload)?.model else {
      let names = NamedWorkload.allCases.map(\.rawValue).joined(separator: ", ")
      throw .value(option: "--workload", need: "one of \(names)")
    }
    model.core = core ?? model.core
    model.zipf = zipf ?? model.zipf
    model.dynamic = dynamic ?? model.dynamic
    model.oneHit = oneHit ?? model.oneHit
    if let deployEvery { model.deployEvery = deployEvery > .zero ? deployEvery : nil }
    if let medianSize {
      model.sizes.median = Double(try Self.size(medianSize, option: "--median-size"))
    }
    if let largestSize {
      model.sizes.largest = try Self.size(largestSize, option: "--largest-size")
    }
    for (option, size) in [
      ("--median-size", model.sizes.median), ("--largest-size", Double(model.sizes.largest)),
    ] where !(1...Double(GeneratedName.largest) ~= size) {
      throw .value(option: option, need: "from 1B to \(ByteSize(bytes: GeneratedName.largest))")
    }
    guard 0...10 ~= model.zipf else { throw .value(option: "--zipf", need: "from 0 to 10") }
    guard 1...1_000_000 ~= model.core else {
      throw .value(option: "--core", need: "between 1 and 1000000")
    }
    for (option, share) in [("--dynamic", model.dynamic), ("--one-hit", model.oneHit)]
    where !(0...1 ~= share) {
      throw .value(option: option, need: "from 0 to 1")
    }
    return model
  }

  /// Reads a size in bytes.
  static func size(_ text: String, option: String) throws(LoadPlanError) -> Int {
    guard let size = try? ByteSize(parsing: text), 1...GeneratedName.largest ~= size.bytes else {
      throw .value(option: option, need: "a size of at most 1GiB, such as 512 or 64KiB")
    }
    return size.bytes
  }
}
