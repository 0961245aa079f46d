// What the program may do with the streams it was given: colours and a line that is overwritten are
// for people at a terminal, never for a file or a pipe.

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// One of the standard streams.
public enum Terminal: Sendable {
  case standardOutput, standardError

  /// Whether a person at a terminal reads it.
  public var isInteractive: Bool {
    let descriptor = self == .standardOutput ? STDOUT_FILENO : STDERR_FILENO
    return isatty(descriptor) == 1 && Environment.value("TERM") != "dumb"
  }

  /// Whether to colour text: at a terminal, unless NO_COLOR is set to anything (no-color.org).
  public var hasColour: Bool { isInteractive && Environment.value("NO_COLOR") == nil }

  /// `text` in a rendition of SGR (ECMA-48 §8.3.117): 1 is bold, 31 red, 32 green, 33 yellow.
  public static func coloured(_ text: String, _ colour: Int) -> String {
    "\u{1B}[\(colour)m\(text)\u{1B}[0m"
  }

  /// `text` without control characters: what origins and clients wrote goes to a terminal.
  public static func plain(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: \.isControl) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      if scalar.isControl {
        result += scalar.escaped
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

/// Writes `text` to standard error as it is.
public func writeToStandardError(_ text: String) {
  // Straight to the descriptor: unbuffered, and free of the C library's global `stderr`.
  var bytes = Array(text.utf8)[...]
  while !bytes.isEmpty {
    let written = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    guard written > 0 || (written < 0 && errno == EINTR) else { return }
    bytes = bytes.dropFirst(max(0, written))
  }
}
