import EdgeCache
import EdgeFleet
import Glibc
import NIOCore
import NIOPosix

// Sockets that listen for clients: one for each event loop, on the same address. The kernel deals out
// connections (SO_REUSEPORT), so that no loop accepts for the others and hands connections over.

/// Opens the sockets that clients connect to.
enum Listeners {
  /// Listens on an address with each of the event loops; at least one channel.
  ///
  /// Throws ``StartProblem`` if the address cannot be had, also if only because somebody else shares
  /// it out in the same way.
  static func open(
    _ endpoint: SocketEndpoint, loops: [NIOLoopBound<LoopContext>]
  ) async throws -> [any Channel] {
    // Whoever else listens with SO_REUSEPORT would get half of the connections, and nobody a word of
    // it: so this is asked for without it first.
    let probe = try await bind(bootstrap(loops[0], isShared: false), endpoint, flag: "--listen")
    if loops.count == 1 { return [probe] }
    let address = bound(endpoint, probe)
    try await probe.close()
    var channels: [any Channel] = []
    do {
      for loop in loops {
        channels.append(
          try await bind(bootstrap(loop, isShared: true), address, flag: "--listen"))
      }
    } catch {
      for channel in channels { try? await channel.close() }
      throw error
    }
    return channels
  }

  private static func bootstrap(
    _ loop: NIOLoopBound<LoopContext>, isShared: Bool
  ) -> ServerBootstrap {
    ServerBootstrap(group: loop.eventLoop, childGroup: loop.eventLoop)
      .serverChannelOption(.backlog, value: 4096)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelOption(
        .socketOption(NIOBSDSocket.Option(rawValue: SO_REUSEPORT)), value: isShared ? 1 : 0
      )
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelOption(.recvAllocator, value: ReceiveBuffers.client)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(ClientConnection(loop: loop.value))
        }
      }
  }

  /// The address that was really taken, where port 0 was asked for.
  static func bound(_ endpoint: SocketEndpoint, _ channel: any Channel) -> SocketEndpoint {
    SocketEndpoint(host: endpoint.host, port: channel.localAddress?.port ?? endpoint.port)
  }

  /// Listens; `flag` is what to choose another address with.
  static func bind(
    _ bootstrap: ServerBootstrap, _ endpoint: SocketEndpoint, flag: String
  ) async throws -> any Channel {
    do {
      return try await bootstrap.bind(host: endpoint.host, port: endpoint.port).get()
    } catch let error as IOError {
      let reason = String(cString: strerror(error.errnoCode))
      let advice =
        error.errnoCode == EADDRINUSE
        ? "; another process has it: choose another with \(flag)" : ""
      throw StartProblem("cannot listen on \(endpoint): \(reason)\(advice)")
    } catch is SocketAddressError.UnknownHost {
      throw StartProblem("cannot listen on \(endpoint): no host has this name")
    } catch {
      throw StartProblem("cannot listen on \(endpoint): \(error)")
    }
  }
}

/// How much is read at once.
enum ReceiveBuffers {
  /// A request's head, a browser's too. An idle connection keeps one of these, so they begin small.
  static let client = AdaptiveRecvByteBufferAllocator(
    minimum: 1024, initial: 1024, maximum: 64 << 10)
  /// Connections whose requests have content.
  static let upload = AdaptiveRecvByteBufferAllocator(
    minimum: 32 << 10, initial: 32 << 10, maximum: 64 << 10)
  /// True if content of a request is better read with larger ones.
  static func areTooSmall(for framing: MessageFraming) -> Bool {
    if case .length(let length) = framing { return length > 4096 }
    return framing == .chunked
  }

  /// Responses.
  static let upstream = AdaptiveRecvByteBufferAllocator(
    minimum: 2048, initial: 16 << 10, maximum: 256 << 10)
}
