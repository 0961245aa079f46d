import EdgeCache
import NIOCore

// A line of the access log, written from what was served into the memory of the event loop. What comes from outside is
// escaped, so that no byte of it can end a line or a column, or forge one.

/// What a line has besides what was served and its head.
struct AccessLogLine {
  /// The address of the client, as it is told by who is believed.
  var client: String
  var cacheName: [UInt8]
  /// When the response ended.
  var finished: Instant
  /// True if the client's connection is secured.
  var isSecure = false
  var id: RequestID?
  var site: String?
  var upstream: Upstream?

  /// The upstream that was asked.
  struct Upstream {
    var authority: String
    var times: UpstreamTimes
  }

  /// When the response ended, on the time line in microseconds; 0 if that is not told.
  var finishedMicroseconds: Int64 = 0

  // MARK: The combined log format

  /// The host, with a port, and a blank: what `vhost_combined` of Apache has first.
  func writeHost(_ head: borrowing RequestHead, to block: LogBlock) {
    if head.authority.isEmpty { return block.put("- ") }
    let authority = head.fields.bytes.readableBytesUInt8Span.extracting(head.authority.range)
    // A port may be empty (RFC 3986 §3.2.3).
    let isOpen = authority[authority.count - 1] == ASCII.colon
    block.put(
      authority.extracting(0..<(isOpen ? authority.count - 1 : authority.count)),
      escaped: .hexadecimal)
    if !Self.hasPort(authority) { block.put(isSecure ? ":443" : ":80") }
    block.put(ASCII.space)
  }

  private static func hasPort(_ authority: Span<UInt8>) -> Bool {
    var index = authority.count
    while index > 0, authority[index - 1] &- ASCII.zero < 10 { index -= 1 }
    return index > 0 && index < authority.count && authority[index - 1] == ASCII.colon
  }

  /// A line in the combined log format, with two columns more.
  func writeCombined(
    _ served: borrowing ServedRequest, _ head: borrowing RequestHead, _ time: LogBlock,
    to block: LogBlock
  ) {
    let bytes = head.fields.bytes.readableBytesUInt8Span
    beginCombined(time, to: block)
    // A token has nothing that would have to be escaped.
    block.put(plain: bytes.extracting(head.methodRange.range))
    block.put(ASCII.space)
    writeTarget(head, bytes, .hexadecimal, to: block)
    block.put(" HTTP/1.")
    block.put(ASCII.zero &+ head.minorVersion)
    writeCount(served, to: block)
    let (referer, agent) = Self.clientFields(head)
    block.put(" \"")
    writeText(referer, bytes, to: block)
    block.put("\" \"")
    writeText(agent, bytes, to: block)
    endCombined(served, to: block)
  }

  /// The same of something that is no request: of what came there is the first line.
  func writeCombined(_ served: borrowing ServedRequest, _ time: LogBlock, to block: LogBlock) {
    beginCombined(time, to: block)
    if served.firstLine.isEmpty {
      block.put(ASCII.dash)
    } else {
      block.put(served.firstLine.span, escaped: .hexadecimal)
    }
    writeCount(served, to: block)
    block.put(" \"-\" \"-")
    endCombined(served, to: block)
  }

  @inline(__always)
  private func beginCombined(_ time: LogBlock, to block: LogBlock) {
    block.put(text: client)
    block.put(" - - [")
    block.put(time)
    block.put("] \"")
  }

  @inline(__always)
  private func writeCount(_ served: borrowing ServedRequest, to block: LogBlock) {
    block.put("\" ")
    block.put(Int64(served.statusCode))
    block.put(ASCII.space)
    block.put(Int64(served.contentBytes))
  }

  @inline(__always)
  private func endCombined(_ served: borrowing ServedRequest, to block: LogBlock) {
    block.put("\" ")
    block.put(finished.milliseconds(since: served.started))
    block.put("ms \"")
    writeStatus(served.status, to: block)
    block.put(ASCII.quote)
    block.endLine()
  }

  /// What `Cache-Status` says, without the key.
  @inline(__always)
  private func writeStatus(_ status: CacheStatus, to block: LogBlock) {
    guard status.isPlainHit, let ttl = status.ttl else {
      return block.put(text: status.text(name: cacheName))
    }
    block.put(cacheName)
    block.put("; hit; ttl=")
    block.put(ttl)
  }

  private func writeTarget(
    _ head: borrowing RequestHead, _ bytes: Span<UInt8>, _ escape: LogEscape, to block: LogBlock
  ) {
    // A target in absolute form may have no path (RFC 9110 §4.2.3).
    if head.path.isEmpty || bytes[Int(head.path.offset)] == ASCII.question {
      block.put(ASCII.slash)
    }
    block.put(bytes.extracting(head.path.range), escaped: escape)
  }

  private func writeText(_ range: ByteRange?, _ bytes: Span<UInt8>, to block: LogBlock) {
    guard let range else { return block.put(ASCII.dash) }
    block.put(bytes.extracting(range.range), escaped: .hexadecimal)
  }

  /// How much of a head is in its line, in bytes as they came.
  static func bytes(of head: borrowing RequestHead) -> Int {
    let (referer, agent) = clientFields(head)
    return head.methodRange.range.count + head.path.range.count + head.authority.range.count
      + (referer?.range.count ?? 0) + (agent?.range.count ?? 0) + RequestID.longest
  }

  /// `Referer` and `User-Agent`, the first of each.
  private static func clientFields(
    _ head: borrowing RequestHead
  ) -> (referer: ByteRange?, agent: ByteRange?) {
    (head.fields.first(.referer), head.fields.first(.userAgent))
  }

  // MARK: JSON

  /// A line that is one object of JSON, with all members in one order.
  func writeJSON(
    _ served: borrowing ServedRequest, _ head: borrowing RequestHead,
    _ time: (second: LogBlock, fraction: Int64), to block: LogBlock
  ) {
    let bytes = head.fields.bytes.readableBytesUInt8Span
    beginJSON(time, to: block)
    block.put(",\"host\":")
    string(head.authority.isEmpty ? nil : head.authority, bytes, to: block)
    writeWho(bytes, to: block)
    block.put(",\"method\":\"")
    block.put(plain: bytes.extracting(head.methodRange.range))
    block.put("\",\"target\":\"")
    writeTarget(head, bytes, .json, to: block)
    block.put("\",\"protocol\":\"HTTP/1.")
    block.put(ASCII.zero &+ head.minorVersion)
    block.put("\",\"tls\":null")
    writeOutcome(served, to: block)
    let (referer, agent) = Self.clientFields(head)
    block.put(",\"referer\":")
    string(referer, bytes, to: block)
    block.put(",\"userAgent\":")
    string(agent, bytes, to: block)
    block.put(",\"firstLine\":null}")
    block.endLine()
  }

  /// The same of something that is no request.
  func writeJSON(
    _ served: borrowing ServedRequest, _ time: (second: LogBlock, fraction: Int64),
    to block: LogBlock
  ) {
    beginJSON(time, to: block)
    block.put(",\"host\":null")
    writeWho(served.firstLine.span, to: block)
    block.put(",\"method\":null,\"target\":null,\"protocol\":null,\"tls\":null")
    writeOutcome(served, to: block)
    block.put(",\"referer\":null,\"userAgent\":null,\"firstLine\":\"")
    block.put(served.firstLine.span, escaped: .json)
    block.put("\"}")
    block.endLine()
  }

  private func beginJSON(_ time: (second: LogBlock, fraction: Int64), to block: LogBlock) {
    block.put("{\"time\":\"")
    block.put(time.second)
    block.put(ASCII.dot)
    block.put(time.fraction, digits: 6)
    block.put("Z\",\"site\":")
    string(site, to: block)
  }

  private func writeWho(_ bytes: Span<UInt8>, to block: LogBlock) {
    block.put(",\"client\":\"")
    block.put(client, escaped: .json)
    block.put("\",\"id\":\"")
    if let id {
      if id.taken.isEmpty {
        block.putHexadecimal(id.high)
        block.putHexadecimal(id.low)
      } else {
        block.put(bytes.extracting(id.taken.range), escaped: .json)
      }
    }
    block.put(ASCII.quote)
  }

  private func writeOutcome(_ served: borrowing ServedRequest, to block: LogBlock) {
    block.put(",\"status\":")
    block.put(Int64(served.statusCode))
    if served.status.isPlainHit, !served.isFromDisk, upstream == nil, let ttl = served.status.ttl {
      block.put(
        """
        ,"cache":"hit","detail":null,"forward":null,"forwardStatus":null,"stored":false,"tier":"memory","ttl":
        """)
      block.put(ttl)
      block.put(
        """
        ,"upstream":null,"connectMicroseconds":null,"firstByteMicroseconds":null,"upstreamMicroseconds":null
        """)
    } else {
      writeWhy(served, to: block)
    }
    block.put(",\"totalMicroseconds\":")
    block.put(
      served.startedMicroseconds == 0 ? 0 : finishedMicroseconds - served.startedMicroseconds)
    block.put(",\"received\":")
    block.put(Int64(served.requestBytes))
    block.put(",\"sent\":")
    block.put(Int64(served.contentBytes))
  }

  private func writeWhy(_ served: borrowing ServedRequest, to block: LogBlock) {
    let status = served.status
    block.put(",\"cache\":\"")
    block.put(Self.outcome(status))
    block.put("\",\"detail\":")
    string(status.detail?.token, to: block)
    block.put(",\"forward\":")
    string(status.forward?.rawValue, to: block)
    block.put(",\"forwardStatus\":")
    number(status.forwardStatus.map(Int64.init), to: block)
    block.put(",\"stored\":")
    block.put(status.isStored ? "true" : "false")
    block.put(",\"tier\":")
    block.put(Self.tier(served))
    block.put(",\"ttl\":")
    number(status.ttl, to: block)
    block.put(",\"upstream\":")
    string(upstream?.authority, to: block)
    let times = upstream?.times
    block.put(",\"connectMicroseconds\":")
    number(times?.connect, to: block)
    block.put(",\"firstByteMicroseconds\":")
    number(times?.firstByte, to: block)
    block.put(",\"upstreamMicroseconds\":")
    number(times?.total(until: finishedMicroseconds), to: block)
  }

  /// What became of a request, in one word.
  static func outcome(_ status: CacheStatus) -> StaticString {
    if status.isHit { return "hit" }
    if status.isCollapsed { return "collapsed" }
    switch status.forward {
    case nil: return "none"
    case .bypass, .method: return "pass"
    default: return status.forwardStatus == 304 ? "validated" : "miss"
    }
  }

  /// Where the response came from, as JSON.
  private static func tier(_ served: borrowing ServedRequest) -> StaticString {
    if served.status.forward != nil { return "\"upstream\"" }
    if !served.status.isHit { return "null" }
    return served.isFromDisk ? "\"disk\"" : "\"memory\""
  }

  private func string(_ range: ByteRange?, _ bytes: Span<UInt8>, to block: LogBlock) {
    guard let range else { return block.put("null") }
    block.put(ASCII.quote)
    block.put(bytes.extracting(range.range), escaped: .json)
    block.put(ASCII.quote)
  }

  private func string(_ text: String?, to block: LogBlock) {
    guard let text else { return block.put("null") }
    block.put(ASCII.quote)
    block.put(text, escaped: .json)
    block.put(ASCII.quote)
  }

  private func number(_ value: Int64?, to block: LogBlock) {
    guard let value else { return block.put("null") }
    block.put(value)
  }
}
