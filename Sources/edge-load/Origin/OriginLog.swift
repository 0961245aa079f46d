// One line per request, for a person who wonders what reached the origin. Written with one write(2)
// per line, so that lines of several processes appended to one file stay whole.

import EdgeFleet
import Glibc
import Synchronization

/// The origin's request log.
final class OriginLog: Sendable {
  private let place: String
  private let descriptor: Int32?
  private let failure = Mutex<String?>(nil)

  /// Opens `-` (standard output), `off`, or a file to append to.
  init(_ place: String) throws(CommandFailure) {
    self.place = place
    switch place {
    case "off": descriptor = nil
    case "-": descriptor = STDOUT_FILENO
    default:
      let opened = open(place, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
      guard opened >= 0 else {
        let reason = describeErrno(errno)
        throw .cannotStart(
          "cannot open the log \(place): \(reason); give --log a writable path, - or off")
      }
      descriptor = opened
    }
  }

  /// What kept lines from being written to a file; nil if nothing did.
  var problem: String? { failure.withLock { $0 } }

  /// Writes the line of one request.
  func record(method: String, target: String, status: UInt, count: Int?) {
    guard let descriptor else { return }
    let time = WallClock.iso(WallClock.seconds())
    let length = count.map(String.init) ?? "-"
    let line = "\(time) \(method) \(target) \(status) \(length)\n"
    // Standard output keeps its own failure.
    if descriptor == STDOUT_FILENO { return StandardOutput.write(line) }
    guard let code = writeWhole(line, to: descriptor) else { return }
    failure.withLock { failure in
      guard failure == nil else { return }
      let sentence = "lines of the log \(place) were lost: \(describeErrno(code))"
      failure = sentence
      // Told at once: the origin goes on.
      writeToStandardError("edge-load: \(sentence)\n")
    }
  }
}
