import Glibc
import NIOCore

/// Why no connection was made.
public enum ConnectProblem: Error, CustomStringConvertible {
  /// The name has no address that could be tried.
  case lookup(LookupProblem, name: String)
  /// It took too long.
  case timeout
  /// The last attempt ended so.
  case refused(IOError)
  /// This machine lacks what a connection takes, which says nothing about the other side: an `errno`.
  case local(CInt)

  /// Why, in words.
  public var description: String {
    switch self {
    case .lookup(let problem, let name): problem.described(name)
    case .timeout: "no connection in time"
    case .refused(let error): String(cString: strerror(error.errnoCode))
    case .local(let code): "this machine: \(String(cString: strerror(code)))"
    }
  }

  /// True if an `errno` of making a socket or connecting it is about this machine: descriptors, memory, ports.
  public static func isLocal(_ code: CInt) -> Bool {
    switch code {
    case EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL: true
    default: false
    }
  }
}

/// Why a name could not be looked up.
public enum LookupProblem: Error, Sendable, Hashable {
  /// Who knows says that there is no such name, or that it has no address.
  case noAddress
  /// No name server has answered in time.
  case timeout
  /// A name server failed, or sent what makes no sense.
  case server(String)
  /// This machine lacks what a look-up takes: an `errno`.
  case local(CInt)
  /// As many names are looked up as may be at a time.
  case tooManyNames

  /// Why, in words, with the name.
  public func described(_ name: String) -> String {
    switch self {
    case .noAddress: "\(name) has no address"
    case .timeout: "no name server has answered in time for \(name)"
    case .server(let reason): "the name servers fail for \(name): \(reason)"
    case .local(let code):
      "\(name) was not looked up, this machine: \(String(cString: strerror(code)))"
    case .tooManyNames: "\(name) was not looked up: too many names at a time"
    }
  }
}
