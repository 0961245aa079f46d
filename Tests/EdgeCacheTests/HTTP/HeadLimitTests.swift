import NIOCore
import Testing

@testable import EdgeCache

/// Limits on heads: what is at the limit passes, one byte more does not, however it arrives
/// (RFC 9110 §15.5.15, RFC 6585 §5).
@Suite struct HeadLimitTests {
  /// Bytes of a request around a limit.
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var bytes: [UInt8]
    var refusal: MalformedMessage?
    var testDescription: String { name }
  }

  private static func run(_ count: Int, of text: String = "x") -> String {
    String(repeating: text, count: count)
  }

  private static func row(
    _ name: String, _ text: String, _ refusal: MalformedMessage? = nil
  ) -> Case {
    Case(name: name, bytes: wire(text), refusal: refusal)
  }

  /// A head of exactly `size` bytes, in field lines of less than 8 KiB.
  private static func head(of size: Int, start: String) -> String {
    var text = start
    var left = size - wire(start).count - 2
    while left > 0 {
      let line = left > 8000 ? min(6000, left - 1000) : left
      text += "X:\(run(line - 4))↵"
      left -= line
    }
    return text + "↵"
  }

  private static let start = "GET / HTTP/1.1↵Host: a↵"

  static let requests: [Case] = [
    row("target at the limit", "GET /\(run(8187)) HTTP/1.1↵Host: a↵↵"),
    row("target past it", "GET /\(run(8188)) HTTP/1.1↵Host: a↵↵", .targetTooLong),
    row("target past it, never ending", "GET /\(run(9000))", .targetTooLong),
    row("target past it, then NUL", "GET /\(run(8188))\0", .targetTooLong),
    row("NUL, then past it", "GET /\(run(8186))\0\(run(9000))", .target),
    row("method at the limit", "\(run(8190)) / HTTP/1.1↵Host: a↵↵"),
    row("method past it", "\(run(8193)) / HTTP/1.1↵Host: a↵↵", .targetTooLong),
    row("method past it, then NUL", "\(run(8193))\0", .targetTooLong),
    row("method and target past it", "\(run(8191)) / HTTP/1.1↵Host: a↵↵", .targetTooLong),
    row("line at the limit after empty ones", "↵↵GET /\(run(8187)) HTTP/1.1↵Host: a↵↵"),
    row("line past it after empty ones", "↵↵GET /\(run(8188)) HTTP/1.1↵", .targetTooLong),
    row("line past it among fields", "GET /\(run(8188)) HTTP/1.1↵A: b↵", .targetTooLong),
    row("field at the limit", "\(start)X:\(run(8190))↵↵"),
    row("field past it", "\(start)X:\(run(8191))↵↵", .fieldTooLong),
    row("field past it, never ending", "\(start)X:\(run(8191))", .fieldTooLong),
    row("field past it, next line begun", "\(start)X:\(run(8191))↵Y:", .fieldTooLong),
    row("field past it, then NUL", "\(start)X:\(run(8191))\0", .fieldTooLong),
    row("NUL, then past it", "\(start)X:\(run(8190))\0\(run(9000))", .fieldValue),
    row("name at the limit", "\(start)\(run(8191)):↵↵"),
    row("name past it", "\(start)\(run(8192)):↵↵", .fieldTooLong),
    row("name past it, never ending", "\(start)\(run(8193))", .fieldTooLong),
    row("name past it, then NUL", "\(start)\(run(8193))\0", .fieldTooLong),
    row("name past it, then a space", "\(start)\(run(8193)) :↵↵", .fieldTooLong),
    row("whitespace counts", "\(start)X:\(run(8190, of: " "))↵↵"),
    row("whitespace past it", "\(start)X:\(run(8191, of: " "))↵↵", .fieldTooLong),
    row("whitespace past it, never ending", "\(start)X:\(run(8191, of: " "))", .fieldTooLong),
    row("100 fields", "\(start)\(run(99, of: "X:b↵"))↵"),
    row("101 fields", "\(start)\(run(100, of: "X:b↵"))↵", .tooManyFields),
    row("101 fields, never ending", "\(start)\(run(100, of: "X:b↵"))", .tooManyFields),
    row("101 fields, then NUL", "\(start)\(run(100, of: "X:b↵"))\0", .tooManyFields),
    row("101 after empty lines", "↵↵\(start)\(run(100, of: "X:b↵"))", .tooManyFields),
    row("head at the limit", head(of: 32768, start: start)),
    row("head past it", head(of: 32769, start: start), .headTooLarge),
    row("head far past it", head(of: 70000, start: start), .headTooLarge),
    row("head past it, then NUL", head(of: 40000, start: "\(start)") + "\0", .headTooLarge),
    row("head at the limit after empty lines", "↵↵" + head(of: 32768, start: start)),
    row("head past it after empty lines", "↵↵" + head(of: 32769, start: start), .headTooLarge),
  ]

  private static let status = "HTTP/1.1 200 OK↵Content-Length:0↵"

  static let responses: [Case] = [
    row("reason at the limit", "HTTP/1.1 200 \(run(8179))↵↵"),
    row("reason past it", "HTTP/1.1 200 \(run(8180))↵↵", .headTooLarge),
    row("reason past it, never ending", "HTTP/1.1 200 \(run(8180))", .headTooLarge),
    row("field at the limit", "\(status)X:\(run(32766))↵↵"),
    row("field past it", "\(status)X:\(run(32767))↵↵", .fieldTooLong),
    row("field past it, never ending", "\(status)X:\(run(32767))", .fieldTooLong),
    row("space before the colon counts", "\(status)X\(run(32766, of: " ")):↵↵"),
    row("space before the colon past it", "\(status)X\(run(32768, of: " "))", .fieldTooLong),
    row("it and NUL", "\(status)X\(run(32768, of: " "))\0", .fieldTooLong),
    row("256 fields", "\(status)\(run(255, of: "X:b↵"))↵"),
    row("257 fields", "\(status)\(run(256, of: "X:b↵"))↵", .tooManyFields),
    row("257 fields, never ending", "\(status)\(run(256, of: "X:b↵"))", .tooManyFields),
    row("head at the limit", head(of: 65536, start: status)),
    row("head past it", head(of: 65537, start: status), .headTooLarge),
  ]

  @Test(arguments: requests) func request(_ row: Case) {
    for step in [Int.max, 8192, 1460, 997] {
      var parser = RequestParser()
      check(row, step: step) { parser.verdict($0) }
    }
  }

  @Test(arguments: responses) func response(_ row: Case) {
    for step in [Int.max, 8192, 1460, 997] {
      var parser = ResponseParser()
      check(row, step: step) { parser.verdict($0) }
    }
  }

  private func check(_ row: Case, step: Int, _ parse: (ByteBuffer) -> Verdict) {
    var buffer = ByteBuffer()
    var verdict = Verdict.needMore
    while verdict == .needMore, buffer.readableBytes < row.bytes.count {
      let from = buffer.readableBytes
      let count = min(step, row.bytes.count - from)
      buffer.writeBytes(row.bytes[from..<(from + count)])
      verdict = parse(buffer)
    }
    if let refusal = row.refusal {
      #expect(verdict == .refused(refusal), "in steps of \(step)")
    } else if case .head(_, let consumed) = verdict {
      #expect(consumed == row.bytes.count)
    } else {
      Issue.record("\(verdict) in steps of \(step)")
    }
  }

  @Test(arguments: [
    (MalformedMessage.targetTooLong, 414), (.fieldTooLong, 431), (.headTooLarge, 431),
    (.tooManyFields, 431), (.unsupportedVersion, 505), (.connectMethod, 501),
    (.transferCodingUnknown, 501), (.expectation, 417), (.wrongScheme, 421), (.requestLine, 400),
    (.method, 400), (.target, 400), (.version, 400), (.fieldName, 400), (.fieldValue, 400),
    (.fieldLine, 400), (.lineFolding, 400), (.bareLineEnd, 400), (.hostMissing, 400),
    (.hostRepeated, 400), (.hostInvalid, 400), (.contentLength, 400), (.contentLengthRepeated, 400),
    (.contentLengthWithTransferEncoding, 400), (.transferEncoding, 400),
    (.transferEncodingInHTTP10, 400), (.chunkSize, 400), (.chunkExtension, 400), (.chunkEnd, 400),
    (.chunkExtensionTooLong, 400),
  ])
  func status(_ reason: MalformedMessage, _ status: Int) {
    #expect(reason.status == status)
    #expect(reason.reason.utf8CodeUnitCount > 0)
  }
}
