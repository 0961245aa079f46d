import EdgeCache
import EdgeFleet
import EdgeSocket
import Glibc
import NIOCore
import NIOPosix

// Sockets that listen for clients: one for each event loop, on the same address. The kernel deals out
// connections (SO_REUSEPORT), so that no loop accepts for the others and hands connections over.

/// Opens the sockets that clients connect to.
enum Listeners {
  /// Sockets that listen on one address, and that address as it really was taken.
  struct Opened: Sendable {
    let address: SocketEndpoint
    let descriptors: [CInt]
  }

  /// Listens on an address as often as there are event loops.
  ///
  /// Throws ``StartProblem`` if the address cannot be had, also if only because somebody else shares
  /// it out in the same way.
  static func open(_ endpoint: SocketEndpoint, count: Int) throws -> Opened {
    guard
      var address = InternetAddress.resolve(
        host: endpoint.host, port: endpoint.port, isPassive: true
      ).first
    else { throw StartProblem("cannot listen on \(endpoint): no host has this name") }
    var descriptors: [CInt] = []
    do {
      // Whoever else listens with SO_REUSEPORT would get half of the connections, and nobody a word of
      // it: so this is asked for without it first.
      let probe = try Listening.open(address, isShared: false)
      address = Listening.address(of: probe) ?? address
      let bound = SocketEndpoint(host: endpoint.host, port: address.port)
      if count == 1 { return Opened(address: bound, descriptors: [probe]) }
      close(probe)
      for _ in 0..<count {
        descriptors.append(try Listening.open(address, isShared: true))
      }
      return Opened(address: bound, descriptors: descriptors)
    } catch {
      for descriptor in descriptors { close(descriptor) }
      throw problem(endpoint, error.errnoCode, flag: "--listen")
    }
  }

  /// Accepts clients on a loop.
  static func accept(_ descriptor: CInt, _ loop: LoopContext) {
    let logger = loop.shared.logger
    var lastComplaint: Int64 = 0
    _ = ListeningSocket(descriptor, reactor: loop.reactor) { code in
      // Ten times a second would fill the log.
      let now = Monotonic.coarse()
      guard lastComplaint == 0 || now - lastComplaint > 10_000_000_000 else { return }
      lastComplaint = now
      logger.error(
        "cannot accept clients",
        metadata: [
          "reason": "\(String(cString: strerror(code)))",
          "advice": "raise the limit of open files (ulimit -n)",
        ])
    } accepted: { socket, address in
      // The reactor keeps it.
      _ = ClientConnection(socket, from: address, loop: loop)
    }
  }

  /// Listens with a channel; `flag` is what to choose another address with.
  static func bind(
    _ bootstrap: ServerBootstrap, _ endpoint: SocketEndpoint, flag: String
  ) async throws -> any Channel {
    do {
      return try await bootstrap.bind(host: endpoint.host, port: endpoint.port).get()
    } catch let error as IOError {
      throw problem(endpoint, error.errnoCode, flag: flag)
    } catch is SocketAddressError.UnknownHost {
      throw StartProblem("cannot listen on \(endpoint): no host has this name")
    } catch {
      throw StartProblem("cannot listen on \(endpoint): \(error)")
    }
  }

  /// The address that was really taken, where port 0 was asked for.
  static func bound(_ endpoint: SocketEndpoint, _ channel: any Channel) -> SocketEndpoint {
    SocketEndpoint(host: endpoint.host, port: channel.localAddress?.port ?? endpoint.port)
  }

  private static func problem(
    _ endpoint: SocketEndpoint, _ code: CInt, flag: String
  ) -> StartProblem {
    let reason = String(cString: strerror(code))
    let advice =
      code == EADDRINUSE ? "; another process has it: choose another with \(flag)" : ""
    return StartProblem("cannot listen on \(endpoint): \(reason)\(advice)")
  }
}
