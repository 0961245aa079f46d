// What an operator asks of the disk store of a PoP that does not run: is it well, and what is in it?
// Nothing is changed there.

import ArgumentParser
import EdgeCache
import EdgeFleet
import EdgePoP
import Foundation

/// `edge-pop store`: looks at disk stores.
struct StoreCommand: ParsableCommand {
  static let name = "store"

  static let configuration = CommandConfiguration(
    commandName: name,
    abstract: "Look at the disk store of a PoP that does not run, without changing it.",
    subcommands: [StoreCheck.self, StoreList.self])
}

/// A command that looks at stores.
protocol StoreSubcommand: ParsableCommand {}

/// How a command that looks at stores ends.
enum StoreStatus {
  /// There is damage.
  static let damaged = ExitCode(1)
  /// A store cannot be opened.
  static let notOpened = ExitCode(2)
  /// What was found cannot be written: EX_IOERR of sysexits.h.
  static let lost = ExitCode(74)
}

/// Why a store cannot be looked at.
enum StoreProblem: Error, CustomStringConvertible {
  case directory(FileVolume.Problem)
  case store(DiskInspectionProblem)

  var description: String {
    switch self {
    case .directory(let problem): problem.description
    case .store(let problem): problem.description
    }
  }
}

/// Opens the store in a directory for looking.
func openStore(_ path: String) throws(StoreProblem) -> DiskInspection {
  // A segment is an open file.
  DescriptorLimit.raise()
  let volume: FileVolume
  do throws(FileVolume.Problem) {
    volume = try FileVolume(path, readOnly: true)
  } catch {
    throw .directory(error)
  }
  do throws(DiskInspectionProblem) {
    return try DiskInspection(volume)
  } catch {
    throw .store(error)
  }
}

/// A number of bytes for people.
func readableSize(_ bytes: Int) -> String {
  if bytes < 1024 { return "\(bytes) B" }
  let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)]
  let (unit, shift) = units.first { bytes >> $0.1 > 0 } ?? ("KiB", 10)
  let tenths = bytes / (1 << shift) * 10 + bytes % (1 << shift) * 10 / (1 << shift)
  return tenths % 10 == 0 ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
}

/// A number of seconds for people, in the unit that leaves two or three digits.
func readableSeconds(_ seconds: Int64) -> String {
  let sign = seconds < 0 ? "-" : ""
  let count = seconds.magnitude
  if count < 120 { return "\(sign)\(count)s" }
  if count < 120 * 60 { return "\(sign)\(count / 60)m" }
  if count < 72 * 3600 { return "\(sign)\(count / 3600)h" }
  return "\(sign)\(count / 86400)d"
}

extension Instant {
  /// The present moment.
  static func present() -> Instant {
    Instant(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
  }
}
