// What a fleet has around it: name servers, logs, the engine that carries purges, and TLS of the admin API.

extension FleetReading {
  /// Name servers, each once; nil if the key is not there.
  mutating func readResolvers(_ node: ConfigurationNode?) -> [ResolverAddress]? {
    guard let node else { return nil }
    var paths: [ResolverAddress: String] = [:]
    return (reader.elements(node, minimum: 1) ?? []).compactMap { element in
      let server = reader.value(element) { text throws(ValueProblem) in
        try ResolverAddress(parsing: text)
      }
      if let server { reader.claim(server, at: element, in: &paths) }
      return server
    }
  }

  mutating func readAccessLog(_ node: ConfigurationNode?) -> FleetConfiguration.AccessLog {
    guard let node,
      let fields = reader.fields(node, required: [], optional: ["path", "format", "sample"])
    else { return .init() }
    let path = reader.value(fields["path"]) { text throws(ValueProblem) in
      guard !text.isEmpty else {
        throw ValueProblem(text, "is not a file; write - for standard output, or off")
      }
      return text
    }
    let format = reader.choice(fields["format"], FleetConfiguration.AccessLogFormat.self)
    let sample = reader.number(fields["sample"], in: FleetConfiguration.samples)
    return .init(path: path, format: format, sample: sample)
  }

  mutating func readTLS(_ node: ConfigurationNode?) -> FleetConfiguration.AdminTLS? {
    guard let node,
      let fields = reader.fields(
        node, required: ["ca", "certificate", "key"], optional: ["requireClientCertificate"])
    else { return nil }
    let ca = reader.string(fields["ca"])
    let certificate = reader.string(fields["certificate"])
    let key = reader.string(fields["key"])
    let isRequired = reader.truth(fields["requireClientCertificate"]) ?? true
    guard let ca, let certificate, let key else { return nil }
    return .init(
      ca: ca, certificate: certificate, key: key, requiresClientCertificate: isRequired)
  }

  mutating func readBus(_ node: ConfigurationNode?) -> FleetConfiguration.PurgeBus? {
    guard let node,
      let fields = reader.fields(node, required: ["redis"], optional: ["stream", "ca"])
    else { return nil }
    let redis = reader.value(fields["redis"]) { text throws(ValueProblem) in
      try RedisURL(parsing: text)
    }
    let stream = reader.value(fields["stream"]) { text throws(ValueProblem) in
      guard (1...256).contains(text.utf8.count), text.utf8.allSatisfy(\.isVisible)
      else {
        throw ValueProblem(text, "is not a key; use 1 to 256 characters of ASCII without spaces")
      }
      return text
    }
    let ca = reader.string(fields["ca"])
    if ca != nil, let redis, !redis.isSecure, let place = fields["ca"] {
      reader.note(place.path, "means nothing without TLS; write rediss://")
    }
    guard let redis else { return nil }
    return .init(redis: redis, stream: stream ?? FleetConfiguration.PurgeBus.defaultStream, ca: ca)
  }
}
