import NIOCore
import Testing

@testable import EdgeCache

// How the tables of this folder write bytes, and how they name what a parser made of them.

/// The bytes of a row: `↵` stands for CR LF, any other character for the one byte of its value.
func wire(_ text: String) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(text.utf8.count)
  for scalar in text.unicodeScalars {
    if scalar == "↵" {
      bytes += [ASCII.carriageReturn, ASCII.lineFeed]
    } else {
      bytes.append(UInt8(scalar.value))
    }
  }
  return bytes
}

/// A row of a table: bytes, and what must become of them.
struct Row: Sendable, CustomTestStringConvertible {
  /// What must become of the bytes.
  enum Expectation: Sendable {
    /// A head of exactly the bytes, of which these facts hold; see ``facts(_:_:)``.
    case accepted(String)
    case refused(MalformedMessage)
    case incomplete
  }

  var name: String
  /// Document and section, as in `9112 §3.2`.
  var section: String
  var bytes: [UInt8]
  var expectation: Expectation

  var testDescription: String { "\(name) (RFC \(section))" }
}

/// A row whose bytes are a good head with those facts, separated by spaces.
func good(_ name: String, _ section: String, _ text: String, _ facts: String = "") -> Row {
  Row(name: name, section: section, bytes: wire(text), expectation: .accepted(facts))
}

/// A row whose bytes must be refused for that reason.
func bad(_ name: String, _ section: String, _ text: String, _ reason: MalformedMessage) -> Row {
  Row(name: name, section: section, bytes: wire(text), expectation: .refused(reason))
}

/// A row whose bytes are the beginning of a head.
func open(_ name: String, _ section: String, _ text: String) -> Row {
  Row(name: name, section: section, bytes: wire(text), expectation: .incomplete)
}

/// What a parser said about some bytes, in a form that can be compared.
enum Verdict: Hashable, Sendable {
  case needMore
  case head(facts: String, consumed: Int)
  case refused(MalformedMessage)

  /// The first of the wanted facts that does not hold; nil if all do.
  func missing(_ wanted: String) -> String? {
    guard case .head(let facts, _) = self else { return "no head: \(self)" }
    let held = Set(facts.split(separator: " "))
    return wanted.split(separator: " ").first { !held.contains($0) }.map(String.init)
  }
}

extension RequestParser {
  /// Parses and describes.
  mutating func verdict(_ buffer: ByteBuffer) -> Verdict {
    do throws(MalformedMessage) {
      switch try parse(buffer) {
      case .needMore: return .needMore
      case .head(let head, let consumed): return .head(facts: facts(head), consumed: consumed)
      }
    } catch {
      return .refused(error)
    }
  }

  /// What a fresh parser says about all the bytes at once.
  static func verdict(_ bytes: [UInt8], limits: HeadLimits = .request) -> Verdict {
    var parser = RequestParser(limits: limits)
    return parser.verdict(ByteBuffer(bytes: bytes))
  }
}

extension ResponseParser {
  /// Parses and describes.
  mutating func verdict(_ buffer: ByteBuffer, toHead: Bool = false) -> Verdict {
    do throws(MalformedMessage) {
      switch try parse(buffer, toHead: toHead) {
      case .needMore: return .needMore
      case .head(let head, let consumed): return .head(facts: facts(head), consumed: consumed)
      }
    } catch {
      return .refused(error)
    }
  }

  /// What a fresh parser says about all the bytes at once.
  static func verdict(
    _ bytes: [UInt8], toHead: Bool = false, limits: HeadLimits = .response
  ) -> Verdict {
    var parser = ResponseParser(limits: limits)
    return parser.verdict(ByteBuffer(bytes: bytes), toHead: toHead)
  }
}

/// A request head as words, so that a row can name the ones it is about.
func facts(_ head: RequestHead) -> String {
  let yes: [(Bool, String)] = [
    (head.keepsAlive, "keep"), (!head.keepsAlive, "close"), (head.expectsContinue, "continue"),
    (!head.expectsContinue, "no-continue"), (head.asksForUpgrade, "upgrade"),
    (!head.asksForUpgrade, "no-upgrade"), (!head.hasContent, "no-content"),
  ]
  return """
    method=\(head.method) verb=\(head.fields.latin1(head.methodRange)) form=\(head.form) \
    host=\(head.fields.latin1(head.authority)) path=\(head.fields.latin1(head.path)) \
    minor=\(head.minorVersion) framing=\(facts(head.framing)) \
    \(yes.filter(\.0).map(\.1).joined(separator: " ")) \(facts(head.fields))
    """
}

/// A response head as words.
func facts(_ head: ResponseHead) -> String {
  """
  status=\(head.status) reason=\(underscored(head.fields.latin1(head.reason))) \
  minor=\(head.minorVersion) framing=\(facts(head.framing)) \
  cl=\(head.contentLength.map(String.init) ?? "none") \(head.keepsAlive ? "keep" : "close") \
  \(head.isInterim ? "interim" : "final") \(facts(head.fields))
  """
}

/// A framing as one word.
func facts(_ framing: MessageFraming) -> String {
  switch framing {
  case .none: "none"
  case .length(let count): "\(count)"
  case .chunked: "chunked"
  case .untilClose: "close"
  }
}

/// Number of fields, then each as `name:value` in its letter case.
func facts(_ section: FieldSection) -> String {
  let lines = section.fields.map { field in
    let known = field.name == .other ? "" : "!"
    let name = section.latin1(field.nameRange)
    return underscored("\(known)\(name):\(section.latin1(field.value))")
  }
  return (["fields=\(section.fields.count)"] + lines).joined(separator: " ")
}

extension FieldSection {
  /// One character for each byte, so that no byte is lost in a fact.
  fileprivate func latin1(_ range: ByteRange) -> String {
    String(String.UnicodeScalarView(copy(range).map { Unicode.Scalar($0) }))
  }
}

/// White space and what is not ASCII made visible, so that a fact is one word.
private func underscored(_ text: String) -> String {
  String(
    String.UnicodeScalarView(
      text.unicodeScalars.map { scalar in
        scalar == " " ? "_" : scalar == "\t" ? "→" : scalar.isASCII ? scalar : "?"
      }))
}
