// The requests of a run as bytes. What is known before the run is written before it; a path that is
// only known when it is due is put between two pieces that are.

/// The requests of a run as bytes.
struct RequestTable: Sendable {
  /// What follows each head.
  let content: [UInt8]
  /// Whether responses have no content, whatever they announce (HEAD).
  let isHead: Bool
  /// Number of listed paths, the same for each target.
  let pathCount: Int

  /// Method and space.
  private let opening: [UInt8]
  /// For each target all from the space after the path up to, not including, the empty line.
  private let closings: [[UInt8]]
  private let paths: [[[UInt8]]]
  /// The complete heads of listed paths.
  private let heads: [[[UInt8]]]

  /// The last field line, if any, and the empty line.
  private let end: [UInt8]

  /// Writes the requests of a plan. O(targets × paths).
  init(_ plan: LoadPlan) {
    content = (0..<plan.contentSize).map { UInt8(0x61 + $0 % 26) }
    isHead = plan.method == "HEAD"
    let opening = Array("\(plan.method) ".utf8)
    let closings = plan.targets.map { target in
      var text = " HTTP/1.1\r\nHost: \(plan.host ?? target.authority)\r\n"
      for field in plan.fields { text += "\(field.name): \(field.value)\r\n" }
      if plan.contentSize > 0 || plan.method == "POST" || plan.method == "PUT" {
        text += "Content-Length: \(plan.contentSize)\r\n"
      }
      return Array(text.utf8)
    }
    let end = Array((plan.newConnections ? "Connection: close\r\n\r\n" : "\r\n").utf8)
    (self.opening, self.closings, self.end) = (opening, closings, end)
    let paths = plan.targets.map { target in
      (plan.paths.isEmpty ? [target.path] : plan.paths).map { Array($0.utf8) }
    }
    self.paths = paths
    heads = paths.enumerated().map { target, paths in
      paths.map { opening + $0 + closings[target] + end }
    }
    pathCount = max(1, plan.paths.count)
  }

  /// The head of a request for a listed path.
  func head(target: Int, path: Int) -> [UInt8] {
    heads[target][path]
  }

  /// The head of a request after which the connection stays open in any case.
  func lastingHead(target: Int, path: [UInt8]) -> [UInt8] {
    opening + path + closings[target] + [0x0D, 0x0A]
  }

  /// A listed path.
  func path(target: Int, _ path: Int) -> [UInt8] {
    paths[target][path]
  }

  /// The head of a request for any path, with field lines that only this request has.
  func head(target: Int, path: [UInt8], fields: [UInt8] = []) -> [UInt8] {
    let closing = closings[target]
    var head: [UInt8] = []
    head.reserveCapacity(opening.count + path.count + closing.count + fields.count + end.count)
    head += opening
    head += path
    head += closing
    head += fields
    head += end
    return head
  }
}
