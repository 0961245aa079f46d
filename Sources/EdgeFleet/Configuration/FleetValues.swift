// What single values of Config/pops.json may be: each is parsed on its own, and says what is wrong with it.

/// A name that is safe in log lines, metric labels and file names.
func parseName(_ text: String) throws(ValueProblem) -> String {
  let isName = text.utf8.allSatisfy { byte in
    byte.isLetter || byte.isDigit || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
  }
  guard isName, (1...64).contains(text.utf8.count) else {
    throw ValueProblem(text, "is not a name; use 1 to 64 letters, digits, - and _")
  }
  return text
}

func parseHostPattern(
  _ text: String
) throws(ValueProblem) -> FleetConfiguration.HostPattern {
  if text == "*" { return .any }
  let isSuffix = text.hasPrefix("*.")
  let host = isSuffix ? text.dropFirst(2) : text[...]
  guard let parts = HostGrammar.split(host), !(isSuffix && host.hasPrefix("[")) else {
    throw ValueProblem(text, "is not a host; write www.example, *.example or *")
  }
  guard parts.port == nil else {
    throw ValueProblem(text, "has a port; a site is served on every port")
  }
  // Upper case and long forms of IPv6 never match: a request's host is compared in this form.
  let canonical = HostGrammar.bracketed(parts.host)
  guard canonical == host else {
    throw ValueProblem(text, "should be written \(isSuffix ? "*." : "")\(canonical)")
  }
  return isSuffix ? .suffix(canonical) : .exact(canonical)
}

func parseUpstream(_ text: String) throws(ValueProblem) -> UpstreamURL {
  try UpstreamURL(parsing: text)
}

func parseEndpoint(_ text: String) throws(ValueProblem) -> SocketEndpoint {
  try SocketEndpoint(parsing: text)
}
