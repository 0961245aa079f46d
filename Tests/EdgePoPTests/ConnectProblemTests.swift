import EdgeCache
import EdgeSocket
import Glibc
import NIOCore
import Testing

@testable import EdgePoP

// What clients are told when no connection was made, and whose fault it is.

@Suite("No connection")
struct ConnectProblemTests {
  private static let rows: [(ConnectProblem, String, Int, isLocal: Bool)] = [
    (.timeout, "connect-timeout", 504, false),
    (.refused(IOError(errnoCode: ECONNREFUSED, reason: "")), "connect-failed", 502, false),
    (.refused(IOError(errnoCode: EHOSTUNREACH, reason: "")), "connect-failed", 502, false),
    (.lookup(.timeout, name: "a"), "dns-timeout", 504, false),
    (.lookup(.noAddress, name: "a"), "dns-error", 502, false),
    (.lookup(.server("SERVFAIL"), name: "a"), "dns-error", 502, false),
    (.lookup(.tooManyNames, name: "a"), "dns-error", 502, true),
    (.lookup(.local(EMFILE), name: "a"), "out-of-descriptors", 503, true),
    (.local(EMFILE), "out-of-descriptors", 503, true),
    (.local(ENFILE), "out-of-descriptors", 503, true),
    (.local(EADDRNOTAVAIL), "out-of-ports", 503, true),
    (.local(ENOBUFS), "out-of-memory", 503, true),
    (.local(ENOMEM), "out-of-memory", 503, true),
  ]

  @Test("is told with its reason", arguments: rows.indices)
  func told(index: Int) {
    let (problem, token, status, isLocal) = Self.rows[index]
    let failure = UpstreamFailure(problem)
    #expect(failure.rawValue == token)
    #expect(failure.status == status)
    #expect(problem.isLocal == isLocal)
  }

  @Test(
    "is this machine's fault where it lacks something",
    arguments: [
      (EMFILE, true), (ENFILE, true), (ENOBUFS, true), (ENOMEM, true), (EADDRNOTAVAIL, true),
      (ECONNREFUSED, false), (ECONNRESET, false), (ETIMEDOUT, false), (ENETUNREACH, false),
      (EHOSTUNREACH, false), (EAFNOSUPPORT, false), (EACCES, false),
    ])
  func local(code: CInt, isLocal: Bool) {
    #expect(ConnectProblem.isLocal(code) == isLocal)
  }
}
