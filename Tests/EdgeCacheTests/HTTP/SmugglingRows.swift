@testable import EdgeCache

// Shapes of request smuggling (RFC 9112 §6.1, §6.3 and §11.2): whatever two parties could cut in
// two places is refused, whatever they cannot is framed in the one way the RFC gives.

extension Rows {
  private static func framed(_ name: String, _ lines: String, _ framing: String) -> Row {
    good(name, "9112 §6.3", "POST / HTTP/1.1↵Host: a↵\(lines)↵↵", "framing=\(framing)")
  }

  private static func unframed(_ name: String, _ lines: String, _ why: MalformedMessage) -> Row {
    bad(name, "9112 §6.3", "POST / HTTP/1.1↵Host: a↵\(lines)↵↵", why)
  }

  private static func length(_ name: String, _ value: String) -> Row {
    unframed("Content-Length \(name)", "Content-Length:\(value)", .contentLength)
  }

  private static func coding(
    _ name: String, _ value: String, _ why: MalformedMessage = .transferEncoding
  ) -> Row {
    unframed("Transfer-Encoding \(name)", "Transfer-Encoding:\(value)", why)
  }

  static let lengths: [Row] = [
    framed("no content", "X: b", "none"),
    framed("zero", "Content-Length: 0", "0"),
    framed("five", "Content-Length: 5", "5"),
    framed("leading zeros", "Content-Length: 0005", "5"),
    framed("forty zeros", "Content-Length: \(String(repeating: "0", count: 40))5", "5"),
    framed("name in any case", "cONTENT-lENGTH: 5", "5"),
    framed("whitespace around", "Content-Length: \t 5 \t", "5"),
    framed("largest", "Content-Length: 9223372036854775807", "9223372036854775807"),
    length("empty", ""),
    length("of whitespace", " \t"),
    length("one too large", " 9223372036854775808"),
    length("of 2^64", " 18446744073709551616"),
    length("of 2^64 and 5, which wraps to 5", " 18446744073709551621"),
    length("of thirty digits", " 100000000000000000000000000005"),
    length("with plus", " +5"),
    length("with minus", " -5"),
    length("minus zero", " -0"),
    length("in hexadecimal", " 0x5"),
    length("hexadecimal digit", " a"),
    length("in octal", " 0o5"),
    length("binary", " 0b1"),
    length("with exponent", " 5e0"),
    length("with a fraction", " 5.0"),
    length("with a final dot", " 5."),
    length("with an underscore", " 1_0"),
    length("with a space", " 1 0"),
    length("with a tab", " 1\t0"),
    length("quoted", " \"5\""),
    length("with a parameter", " 5;a=b"),
    length("with text", " 5 bytes"),
    length("list of equals", " 5, 5"),
    length("list without space", " 5,5"),
    length("list of different", " 5, 6"),
    length("final comma", " 5,"),
    length("leading comma", " ,5"),
    length("with a comment", " 5 (five)"),
    length("of Arabic digits", " \u{D9}\u{A5}"),
    length("of full-width digits", " \u{EF}\u{BC}\u{95}"),
    length("superscript", " \u{B2}"),
    unframed("twice the same", "Content-Length: 5↵Content-Length: 5", .contentLengthRepeated),
    unframed("two different", "Content-Length: 5↵Content-Length: 6", .contentLengthRepeated),
    unframed("apart", "Content-Length: 5↵X: b↵content-length: 0", .contentLengthRepeated),
    unframed("second empty", "Content-Length: 5↵Content-Length:", .contentLengthRepeated),
    unframed("space before the colon", "Content-Length : 5", .fieldName),
    unframed("tab before the colon", "Content-Length\t: 5", .fieldName),
    unframed("folded", "Content-Length:↵ 5", .lineFolding),
    unframed("folded digit", "Content-Length: 1↵ 0", .lineFolding),
    unframed("hidden by CR", "X: b\rContent-Length: 5", .bareLineEnd),
    unframed("hidden by LF", "X: b\nContent-Length: 5", .bareLineEnd),
    unframed("hidden by NUL", "X: b\0↵Content-Length: 5", .fieldValue),
    unframed("vertical tab", "Content-Length:\u{0B}5", .fieldValue),
    unframed("NUL after it", "Content-Length: 5\0", .fieldValue),
    unframed("name begins with a space", " Content-Length: 5", .lineFolding),
    unframed("name begins with NUL", "\0Content-Length: 5", .fieldName),
    framed("another name", "Content-Length-X: 5", "none"),
    framed("longer name", "XContent-Length: 5", "none"),
  ]

  static let codings: [Row] = [
    framed("chunked", "Transfer-Encoding: chunked", "chunked"),
    framed("in capitals", "TRANSFER-ENCODING: CHUNKED", "chunked"),
    framed("mixed case", "Transfer-Encoding: cHuNkEd", "chunked"),
    framed("no whitespace", "Transfer-Encoding:chunked", "chunked"),
    framed("tab", "Transfer-Encoding:\tchunked", "chunked"),
    framed("whitespace after", "Transfer-Encoding: chunked \t ", "chunked"),
    framed("empty elements", "Transfer-Encoding: , chunked ,", "chunked"),
    coding("empty", ""),
    coding("only a comma", " ,"),
    coding("identity", " identity"),
    coding("xchunked", " xchunked"),
    coding("chunkedx", " chunkedx"),
    coding("chunke", " chunke"),
    coding("chunked with a dash", " chunked-"),
    coding("x-chunked", " x-chunked"),
    coding("chunk", " chunk"),
    coding("quoted", " \"chunked\""),
    coding("quoted with apostrophes", " 'chunked'"),
    coding("quote left open", " \"chunked"),
    coding("quote closed only", " chunked\""),
    coding("quote that hides a comma", " \"x, chunked"),
    coding("with a parameter", " chunked;a=b"),
    coding("with an empty parameter", " chunked;"),
    coding("followed by text", " chunked x"),
    coding("preceded by text", " x chunked"),
    coding("chunked twice", " chunked, chunked"),
    coding("chunked, identity", " chunked, identity"),
    coding("chunked, gzip", " chunked, gzip"),
    coding("chunked, empty, x", " chunked,,x"),
    coding("chunked around another", " chunked, gzip, chunked"),
    coding("chunked twice after another", " gzip, chunked, chunked"),
    coding("gzip alone", " gzip"),
    coding("gzip twice", " gzip, gzip"),
    coding("in brackets", " [chunked]"),
    coding("with an equals sign", " chunked=1"),
    coding("with a colon", " :chunked"),
    coding("letter beyond ASCII", " chun\u{E9}d"),
    coding("no-break space", " \u{A0}chunked"),
    coding("next line, one byte", " \u{85}chunked"),
    coding("Kelvin sign", " chun\u{E2}\u{84}\u{AA}ed"),
    coding("gzip, chunked", " gzip, chunked", .transferCodingUnknown),
    coding("identity, chunked", " identity, chunked", .transferCodingUnknown),
    coding("xchunked, chunked", " xchunked, chunked", .transferCodingUnknown),
    coding("x, y, chunked", " x, y, chunked", .transferCodingUnknown),
    coding("vertical tab", "\u{0B}chunked", .fieldValue),
    coding("form feed", " \u{0C}chunked", .fieldValue),
    coding("vertical tab after", " chunked\u{0B}", .fieldValue),
    coding("NUL before", " \0chunked", .fieldValue),
    coding("NUL after", " chunked\0", .fieldValue),
    coding("backspace", " x\u{08}chunked", .fieldValue),
    coding("DEL", " chunked\u{7F}", .fieldValue),
    coding("CR after", " chunked\r", .bareLineEnd),
    coding("CR before", "\rchunked", .bareLineEnd),
    coding("LF before", "\nchunked", .bareLineEnd),
    coding("LF after", " chunked\nX: b", .bareLineEnd),
    coding("folded", "↵ chunked", .lineFolding),
    coding("folded with a tab", "↵\tchunked", .lineFolding),
    coding("folded after a comma", " x,↵ chunked", .lineFolding),
    coding("folded after it", " chunked↵ x", .lineFolding),
  ]

  static let codingLines: [Row] = [
    unframed("space before the colon", "Transfer-Encoding : chunked", .fieldName),
    unframed("tab before the colon", "Transfer-Encoding\t: chunked", .fieldName),
    unframed("vertical tab before the colon", "Transfer-Encoding\u{0B}: chunked", .fieldName),
    unframed("NUL before the colon", "Transfer-Encoding\0: chunked", .fieldName),
    unframed("CR before the colon", "Transfer-Encoding\r: chunked", .fieldLine),
    unframed("space in the name", "Transfer -Encoding: chunked", .fieldName),
    unframed("space for the dash", "Transfer Encoding: chunked", .fieldName),
    unframed("space before the name", " Transfer-Encoding: chunked", .lineFolding),
    unframed("hidden by CR", "X: b\rTransfer-Encoding: chunked", .bareLineEnd),
    unframed("hidden by LF", "X: b\nTransfer-Encoding: chunked", .bareLineEnd),
    unframed("hidden by an escape", "X: b\u{1B}↵Transfer-Encoding: chunked", .fieldValue),
    unframed("name folded", "Transfer-Encoding↵ : chunked", .fieldLine),
    unframed("two colons", "Transfer-Encoding:: chunked", .transferEncoding),
    unframed("bracket", "Transfer-Encoding]: chunked", .fieldName),
    framed("underscore", "Transfer_Encoding: chunked", "none"),
    framed("dot", "Transfer.Encoding: chunked", "none"),
    framed("no dash", "TransferEncoding: chunked", "none"),
    framed("longer name", "X-Transfer-Encoding: chunked", "none"),
    unframed(
      "two lines", "Transfer-Encoding: chunked↵Transfer-Encoding: chunked", .transferEncoding),
    unframed(
      "chunked, then identity",
      "Transfer-Encoding: chunked↵Transfer-Encoding: identity", .transferEncoding),
    unframed(
      "identity, then chunked",
      "Transfer-Encoding: identity↵Transfer-Encoding: chunked", .transferCodingUnknown),
    unframed(
      "xchunked, then chunked",
      "Transfer-Encoding: xchunked↵Transfer-Encoding: chunked", .transferCodingUnknown),
    unframed(
      "apart", "Transfer-Encoding: chunked↵X: b↵transfer-encoding: x", .transferEncoding),
    unframed(
      "quote over two lines",
      "Transfer-Encoding: \"x↵Transfer-Encoding: chunked", .transferCodingUnknown),
    framed("an empty line beside", "Transfer-Encoding:↵Transfer-Encoding: chunked", "chunked"),
    bad(
      "HTTP/1.0", "9112 §6.1", "POST / HTTP/1.0↵Transfer-Encoding: chunked↵↵",
      .transferEncodingInHTTP10),
    bad(
      "HTTP/1.0 kept", "9112 §6.1",
      "POST / HTTP/1.0↵Connection: keep-alive↵Transfer-Encoding: chunked↵↵",
      .transferEncodingInHTTP10),
    bad(
      "HTTP/1.0 and length", "9112 §6.1",
      "POST / HTTP/1.0↵Content-Length: 5↵Transfer-Encoding: chunked↵↵", .transferEncodingInHTTP10),
    good(
      "later version", "9112 §6.1", "POST / HTTP/1.2↵Host: a↵Transfer-Encoding: chunked↵↵",
      "framing=chunked minor=2"),
  ]

  private static func both(_ name: String, _ lines: String) -> Row {
    unframed(name, lines, .contentLengthWithTransferEncoding)
  }

  static let lengthAndCoding: [Row] = [
    both("CL.TE", "Content-Length: 6↵Transfer-Encoding: chunked"),
    both("TE.CL", "Transfer-Encoding: chunked↵Content-Length: 6"),
    both("CL.TE of zero", "Content-Length: 0↵Transfer-Encoding: chunked"),
    both("coding unknown", "Content-Length: 6↵Transfer-Encoding: xchunked"),
    both("coding identity", "Transfer-Encoding: identity↵Content-Length: 6"),
    both("coding empty", "Transfer-Encoding:↵Content-Length: 6"),
    both("length empty", "Transfer-Encoding: chunked↵Content-Length:"),
    both("length not a number", "Content-Length: x↵Transfer-Encoding: chunked"),
    both("codings listed", "Content-Length: 6↵Transfer-Encoding: gzip, chunked"),
    unframed(
      "length twice and coding",
      "Content-Length: 6↵Content-Length: 6↵Transfer-Encoding: chunked", .contentLengthRepeated),
    unframed(
      "obfuscated coding", "Content-Length: 6↵Transfer-Encoding : chunked", .fieldName),
    unframed(
      "obfuscated length", "Transfer-Encoding: chunked↵Content-Length : 6", .fieldName),
    good(
      "Connection cannot take the length away", "9110 §7.6.1",
      "POST / HTTP/1.1↵Host: a↵Connection: content-length↵Content-Length: 5↵↵", "framing=5"),
    good(
      "nor the coding", "9110 §7.6.1",
      "POST / HTTP/1.1↵Host: a↵Connection: transfer-encoding↵Transfer-Encoding: chunked↵↵",
      "framing=chunked"),
    good(
      "GET may have content", "9110 §9.3.1",
      "GET / HTTP/1.1↵Host: a↵Content-Length: 5↵↵", "framing=5 method=get"),
    good(
      "HEAD may have content", "9110 §9.3.2",
      "HEAD / HTTP/1.1↵Host: a↵Transfer-Encoding: chunked↵↵", "framing=chunked method=head"),
    bad(
      "Upgrade hides nothing", "9110 §7.8",
      "GET / HTTP/1.1↵Host: a↵Upgrade: h2c↵Connection: upgrade↵Content-Length: x↵↵",
      .contentLength),
  ]
}
