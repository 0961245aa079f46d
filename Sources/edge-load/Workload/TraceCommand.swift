// `edge-load trace`: a workload as a file, for simulators and for replay.

import ArgumentParser
import EdgeFleet

/// Writes the requests of a workload as rows of time, key and size.
struct TraceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace",
    abstract: "Write the requests of a workload as CSV: time, key, size.",
    discussion: """
      The rows are what `run --workload` requests with the same name, seed and rate, less the \
      dynamic requests, which no cache stores.
      """
  )

  @OptionGroup var options: WorkloadOptions

  @Option(name: [.customShort("n"), .long], help: "Number of rows.")
  var requests = 100_000

  @Option(help: "Requests per second, which the times follow from.")
  var rate = 10_000.0

  @Option(
    name: [.customShort("o"), .long], help: "The file to write; - for standard output.",
    completion: .file())
  var output = "-"

  func validate() throws {
    do {
      guard let model = try options.model() else {
        throw ValidationError("--workload must be given")
      }
      guard model.dynamic < 1 else {
        throw ValidationError("--dynamic must be less than 1: nothing else is written")
      }
    } catch let error as LoadPlanError {
      throw ValidationError(error.description)
    }
    guard requests >= 1 else { throw ValidationError("--requests must be at least 1") }
    guard LoadPlan.lowestRate...LoadPlan.highestRate ~= rate else {
      throw ValidationError(
        "--rate must be between \(LoadPlan.lowestRate) and \(Int(LoadPlan.highestRate))")
    }
  }

  func run() throws {
    guard let model = try options.model() else { return }
    do throws(OutputFile.Problem) {
      try write(model, to: try OutputFile(output))
    } catch {
      throw CommandFailure.cannotStart("--output: \(error)")
    }
  }

  private func write(_ model: WorkloadModel, to file: OutputFile) throws(OutputFile.Problem) {
    var sequence = WorkloadSequence(model, seed: options.seed, rate: rate)
    var text = "time,key,size\n"
    var (written, number) = (0, 0)
    while written < requests {
      let request = sequence.next()
      number += 1
      if request.storage == .dynamic { continue }
      written += 1
      let time = ReportText.number(Double(number - 1) / rate, digits: 6)
      text += "\(time),\(String(decoding: request.path, as: UTF8.self)),\(request.size)\n"
      if text.utf8.count > 1 << 16 {
        try file.write(text)
        text = ""
      }
    }
    try file.write(text)
    try file.commit()
  }
}
