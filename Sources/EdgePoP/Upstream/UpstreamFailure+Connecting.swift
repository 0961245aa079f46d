import EdgeCache
import EdgeSocket
import Glibc

extension ConnectProblem {
  /// True if it is this machine that lacks something: no upstream is at fault.
  var isLocal: Bool {
    switch self {
    case .local, .lookup(.local, _), .lookup(.tooManyNames, _): true
    case .lookup, .timeout, .refused: false
    }
  }
}

extension UpstreamFailure {
  /// What clients are told of it (the names are those of RFC 9209 §2.3 where that has one).
  init(_ problem: ConnectProblem) {
    self =
      switch problem {
      case .timeout: .connectTimeout
      case .refused: .connect
      case .local(let code), .lookup(.local(let code), _): .lack(code)
      case .lookup(.timeout, _): .dnsTimeout
      case .lookup(.noAddress, _), .lookup(.server, _), .lookup(.tooManyNames, _): .dnsError
      }
  }

  private static func lack(_ code: CInt) -> UpstreamFailure {
    switch code {
    case EMFILE, ENFILE: .outOfDescriptors
    case EADDRNOTAVAIL: .outOfPorts
    default: .outOfMemory
    }
  }
}
