// What can go wrong between a question to a PoP and its answer. Whether to ask again is the caller's
// business; the error says if it helps.

import NIOCore
import NIOPosix

/// Why a request to the admin API has no usable reply.
public enum AdminClientError: Error, Sendable, Hashable, CustomStringConvertible {
  /// No connection could be made.
  case cannotConnect(reason: String)
  /// The connection ended before the reply was complete; the request may have been carried out.
  case connectionLost(reason: String)
  /// There was no complete reply in time; the request may have been carried out.
  case timeout(Duration)
  /// The PoP answered with a status that is not a success.
  case status(Int, message: String)
  /// The PoP has applied the purge, and cannot promise yet that it lasts, or that others hear of it.
  case applied(message: String)
  /// What answered does not speak the admin API.
  case badReply(reason: String)
  /// The task that asked was cancelled.
  case cancelled

  /// Whether the same request may succeed a little later.
  public var isTransient: Bool {
    switch self {
    case .cannotConnect, .connectionLost, .timeout, .applied: true
    case .status(let code, _): code >= 500
    case .badReply, .cancelled: false
    }
  }

  /// What happened, in a few words.
  public var description: String {
    switch self {
    case .cannotConnect(let reason): "cannot connect: \(reason)"
    case .connectionLost(let reason): "connection lost: \(reason)"
    case .timeout(let duration): "no reply within \(DurationText.print(duration))"
    case .status(let code, let message): message.isEmpty ? "\(code)" : "\(code): \(message)"
    case .applied(let message): message
    case .badReply(let reason): "not a reply of the admin API: \(reason)"
    case .cancelled: "cancelled"
    }
  }
}

extension AdminClientError {
  /// The error of a reply by another PoP than the one that was meant.
  public static func wrongPoP(_ id: String) -> AdminClientError {
    .badReply(reason: "PoP \(quoted(id)) answered in its place")
  }

  /// The reason without what it is a reason for.
  var reasonAlone: String {
    switch self {
    case .cannotConnect(let reason), .connectionLost(let reason), .badReply(let reason): reason
    case .timeout, .status, .applied, .cancelled: description
    }
  }

  /// What failed on the way to a connection. Of several addresses the last one tried speaks for all.
  init(connecting error: any Error, timeout: Duration) {
    guard let failure = error as? NIOConnectionError else {
      self = .cannotConnect(reason: plainReason(error))
      return
    }
    if let last = failure.connectionErrors.last {
      if case .connectTimeout? = last.error as? ChannelError {
        self = .timeout(timeout)
      } else {
        self = .cannotConnect(reason: plainReason(last.error))
      }
    } else {
      self = .cannotConnect(reason: "no address for \(quoted(failure.host))")
    }
  }
}

/// The kernel's words for its errors, without the name of the system call.
func plainReason(_ error: any Error) -> String {
  (error as? IOError).map { KernelError($0.errnoCode).description } ?? "\(error)"
}
