// One line per request, for a person who wonders what reached the origin. Written with one write(2)
// per line, so that lines of several processes appended to one file stay whole.

import EdgeFleet
import Glibc

/// The origin's request log.
struct OriginLog: Sendable {
  private let descriptor: Int32?

  /// Opens `-` (standard output), `off`, or a file to append to.
  init(_ place: String) throws(CommandFailure) {
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

  /// Writes the line of one request.
  func record(method: String, target: String, status: UInt, count: Int?) {
    guard let descriptor else { return }
    let time = WallClock.iso(WallClock.seconds())
    let length = count.map(String.init) ?? "-"
    let line = "\(time) \(method) \(target) \(status) \(length)\n"
    if descriptor == STDOUT_FILENO {
      StandardOutput.write(line)
    } else {
      writeWhole(line, to: descriptor)
    }
  }
}
