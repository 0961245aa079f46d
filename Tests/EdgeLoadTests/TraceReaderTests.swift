import Foundation
import Testing

@testable import edge_load

/// A file in a directory of its own, which goes with it.
final class TraceFile {
  let path: String
  private let directory: URL

  init(_ text: String, compressed: Bool = false) throws {
    directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let plain = directory.appending(path: "trace")
    try Data(text.utf8).write(to: plain)
    guard compressed else {
      path = plain.path
      return
    }
    let gzip = Process()
    gzip.executableURL = URL(fileURLWithPath: "/bin/gzip")
    gzip.arguments = [plain.path]
    try gzip.run()
    gzip.waitUntilExit()
    path = plain.path + ".gz"
  }

  deinit { try? FileManager.default.removeItem(at: directory) }

  /// All requests, and the problems with lines, in their order.
  func read() throws -> (requests: [TraceRequest], problems: [TraceProblem]) {
    var reader = try TraceReader(path: path)
    var requests: [TraceRequest] = []
    var problems: [TraceProblem] = []
    while true {
      do {
        guard let request = try reader.next() else { return (requests, problems) }
        requests.append(request)
      } catch {
        guard error.line != nil else { throw error }
        problems.append(error)
      }
    }
  }
}

@Suite struct TraceReaderTests {
  private static func request(
    _ line: Int, _ time: Double, _ key: String, _ size: Int, _ method: String = "GET",
    status: Int? = nil, isTimed: Bool = true
  ) -> TraceRequest {
    TraceRequest(
      line: line, time: time, method: method, key: Array(key.utf8), size: size, status: status,
      isTimed: isTimed)
  }

  static let forms: [(String, [TraceRequest])] = [
    ("time,objid,size\n10,a,5\n11.5,b,6\n", [request(2, 10, "a", 5), request(3, 11.5, "b", 6)]),
    ("10,a,5\n11,b,6", [request(1, 10, "a", 5), request(2, 11, "b", 6)]),
    ("10,a,5,more,of,it\n", [request(1, 10, "a", 5)]),
    ("Bytes, URL, Timestamp\n7, /x, 3\n", [request(2, 3, "/x", 7)]),
    ("\u{FEFF}ts,op,id,value_size\n2.5,get,/x,17.0\n", [request(2, 2.5, "/x", 17)]),
    ("1995-08-01T04:00:01.5Z,a,1\n", [request(1, 807_249_601.5, "a", 1)]),
    ("time,key,size\n1995-08-01 00:00:01-04:00,a,1\n", [request(2, 807_249_601, "a", 1)]),
    ("key,size\n/x,3\n", [request(2, 0, "/x", 3, isTimed: false)]),
    ("time\tkey\tsize\n1\ta b\t2\n", [request(2, 1, "a b", 2)]),
    ("  1   a  2\r\n 3 b 4\r\n", [request(1, 1, "a", 2), request(2, 3, "b", 4)]),
    ("# made by hand\n\n1,a,2\n\n# more\n2,b,3\n", [request(3, 1, "a", 2), request(6, 2, "b", 3)]),
    (
      "time,key,size,method,status\n1,\"/a,\"\"b\"\"\",2,HEAD,404\n",
      [request(2, 1, "/a,\"b\"", 2, "HEAD", status: 404)]
    ),
    (
      """
      host - - [01/Aug/1995:00:00:01 -0400] "GET /shuttle/a.gif HTTP/1.0" 200 1839
      host - - [01/Aug/1995:00:00:02 -0400] "GET /b" 304 -
      host - - [01/Aug/1995:00:00:03 -0400] "POST /c d HTTP/1.0" 200 7
      """,
      [
        request(1, 807_249_601, "/shuttle/a.gif", 1839, status: 200),
        request(2, 807_249_602, "/b", 0, status: 304),
        request(3, 807_249_603, "/c d", 7, "POST", status: 200),
      ]
    ),
    (
      #"::1 - - [29/Feb/2024:23:59:59 +0000] "GET /\x22q\x22 HTTP/1.1" 200 5 "-" "a \"b\"" 3ms "x""#,
      [request(1, 1_709_251_199, "/\"q\"", 5, status: 200)]
    ),
  ]

  @Test(arguments: forms, [false, true])
  func reads(_ form: (String, [TraceRequest]), compressed: Bool) throws {
    let (requests, problems) = try TraceFile(form.0, compressed: compressed).read()
    #expect(requests == form.1)
    #expect(problems == [])
  }

  static let mistakes: [(text: String, line: Int, reason: String)] = [
    ("1,a,2\n2,b\n", 2, "has 2 columns where 3 or more are expected"),
    ("1,a,2\n2,b,-3\n", 2, "'-3' is no size in bytes"),
    ("1,a,2\n2,b,99999999999999999999\n", 2, "'99999999999999999999' is no size in bytes"),
    ("1,a,2\n2,b,3.5\n", 2, "'3.5' is no size in bytes"),
    ("1,a,2\n2024-13-01T00:00:00Z,b,3\n", 2, "'2024-13-01T00:00:00Z' is no time in seconds"),
    ("1,a,2\nx,b,3\n", 2, "'x' is no time in seconds or as RFC 3339 has it"),
    ("1,a,2\n2,,3\n", 2, "the key is empty"),
    ("key,size\n\"a,3\n", 2, "a quoted column does not end"),
    ("key,size,status\na,3,OK\n", 2, "'OK' is no status"),
    ("h [1/Aug/1995:00:00:01 -0400] \"GET / HTTP/1.0\" 200 1\n", 1, "its time is not like"),
    ("h [01/Aug/1995:00:00:01 -0400] \"GET\" 200 1\n", 1, "its request line has no target"),
    ("h [01/Aug/1995:00:00:01 -0400] \"GET / 200 1\n", 1, "has no request line in quotes"),
    ("h [01/Aug/1995:00:00:01 -0400] \"GET /\" 200\n", 1, "has no status and size"),
    ("h [01/Aug/1995:00:00:01 -0400] \"GET /\" 200 x\n", 1, "its size is no number"),
  ]

  /// A mistake is told with its line, and what comes after it is read.
  @Test(arguments: mistakes)
  func tellsMistakes(_ mistake: (text: String, line: Int, reason: String)) throws {
    let problem = try TraceFile(mistake.text).read().problems.first
    #expect(problem?.line == mistake.line)
    #expect(problem?.reason.hasPrefix(mistake.reason) == true, "\(problem?.reason ?? "none")")
    let file = try TraceFile("1,a,2\n2,b\n3,c,4\n").read()
    #expect(file.requests.map(\.line) == [1, 3])
  }

  /// More lines than one piece of the file has, and a line longer than a piece.
  @Test(arguments: [false, true]) func pieces(compressed: Bool) throws {
    let long = String(repeating: "k", count: 300 << 10)
    let text = (1...30_000).map { "\($0),key\($0),\($0 * 7)\n" }.joined() + "1,\(long),2\n"
    let requests = try TraceFile(text, compressed: compressed).read().requests
    #expect(requests.count == 30_001)
    for (place, request) in requests.dropLast().enumerated() {
      let number = place + 1
      guard request == Self.request(number, Double(number), "key\(number)", number * 7) else {
        Issue.record("\(request)")
        return
      }
    }
    #expect(requests.last?.key.count == long.utf8.count)
  }

  @Test func unreadableFiles() throws {
    #expect {
      _ = try TraceReader(path: "/no/such/trace")
    } throws: {
      "\($0)" == "/no/such/trace cannot be opened: No such file or directory"
    }
    let endless = try TraceFile(String(repeating: "x", count: 2 << 20))
    var reader = try TraceReader(path: endless.path)
    #expect { _ = try reader.next() } throws: { "\($0)".contains("longer than 1 MiB") }
  }

  /// A line that is too long is left out, and what comes after it is read.
  @Test func longLine() throws {
    let text = "1,a,2\n2," + String(repeating: "x", count: 3 << 20) + ",3\n3,c,4\n"
    let (requests, problems) = try TraceFile(text).read()
    #expect(requests.map(\.line) == [1, 3])
    #expect(problems.map(\.kind) == [.tooLong] && problems.map(\.line) == [2])
  }

  static let damages: [(name: String, damage: @Sendable (Data) -> Data, says: String?)] = [
    ("whole", { $0 }, nil),
    ("two members", { $0 + $0 }, nil),
    ("zeros behind it", { $0 + Data(repeating: 0, count: 700) }, nil),
    ("cut in the midst", { $0.prefix($0.count / 2) }, "its gzip data ends early"),
    ("cut before the checksum", { $0.dropLast(8) }, "its gzip data ends early"),
    ("cut within the header", { $0.prefix(9) }, "its gzip data ends early"),
    ("second member cut", { $0 + $0.dropLast(3) }, "its gzip data ends early"),
    ("wrong checksum", { $0.dropLast(8) + Data([1, 2, 3, 4]) + $0.suffix(4) }, "data is damaged"),
    ("wrong length", { $0.dropLast(1) + Data([9]) }, "data is damaged"),
    (
      "wrong in the midst",
      { data in
        var data = data
        for place in 2000..<2100 { data[place] ^= 0x5A }
        return data
      }, "data is damaged"
    ),
    ("text behind it", { $0 + Data("hello\n".utf8) }, "something behind its gzip data"),
    (
      "text like a header behind it", { $0 + Data([0x1F, 0x20]) }, "something behind its gzip data"
    ),
    ("zeros, then text", { $0 + Data([0, 0, 65]) }, "something behind its gzip data"),
  ]

  /// What is wrong with compressed data is told once, after the lines that are right.
  @Test(arguments: damages.indices) func damagedGzip(_ index: Int) throws {
    let (name, damage, says) = Self.damages[index]
    let file = try TraceFile((1...9000).map { "\($0),\($0),1\n" }.joined(), compressed: true)
    let url = URL(fileURLWithPath: file.path)
    try damage(try Data(contentsOf: url)).write(to: url)
    var reader = try TraceReader(path: file.path)
    var count = 0
    var told: [String] = []
    for _ in 0..<30_000 {
      do throws(TraceProblem) {
        guard try reader.next() != nil else { break }
        count += 1
      } catch {
        told.append(error.description)
      }
    }
    #expect(told.count == (says == nil ? 0 : 1), "\(name): \(told)")
    #expect(says.map { told.first?.contains($0) == true } ?? true, "\(name): \(told)")
    if says == nil { #expect(count == (name == "two members" ? 18_000 : 9000)) }
    if name.contains("behind") { #expect(count == 9000) }
  }
}
