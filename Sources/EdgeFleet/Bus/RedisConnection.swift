// One connection to a Redis: commands in order, each with one reply. The bytes are hiredis' business, the
// connection and TLS are SwiftNIO's.
//
// Invariant: the reader of hiredis and all its replies are touched on the event loop of the connection alone, and
// freed there or when the last reference to the handler is gone.

import CHiredis
import NIOCore
import NIOPosix
import NIOSSL

/// A connection that was made, authenticated and, if there is a certificate, secured.
final class RedisConnection: Sendable {
  private let channel: any Channel

  private init(_ channel: any Channel) { self.channel = channel }

  /// Connects, and says who it is.
  static func connect(
    _ url: RedisURL, tls: NIOSSLContext?, group: any EventLoopGroup, timeout: Duration
  ) async throws(RedisError) -> RedisConnection {
    let loop = group.next()
    let channel: any Channel
    do {
      channel = try await ClientBootstrap(group: loop)
        .connectTimeout(TimeAmount(timeout))
        .channelOption(.socketOption(.tcp_nodelay), value: 1)
        .channelOption(.socketOption(.so_keepalive), value: 1)
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            if let tls {
              try channel.pipeline.syncOperations.addHandler(url.endpoint.tlsHandler(tls))
            }
            try channel.pipeline.syncOperations.addHandler(RedisHandler())
          }
        }
        .connect(host: url.endpoint.host, port: url.endpoint.port).get()
    } catch {
      throw .unreachable(reason: AdminClientError(connecting: error, timeout: timeout).reasonAlone)
    }
    let connection = RedisConnection(channel)
    do throws(RedisError) {
      if let password = url.password {
        let user = url.user.map { [$0] } ?? []
        _ = try await connection.command(["AUTH"] + user + [password], timeout: timeout)
      }
      if url.database != 0 {
        _ = try await connection.command(["SELECT", "\(url.database)"], timeout: timeout)
      }
    } catch {
      connection.close()
      throw error
    }
    return connection
  }

  /// Sends a command and waits for its reply. What Redis refuses is thrown.
  func command(_ words: [String], timeout: Duration) async throws(RedisError) -> RedisReply {
    let loop = channel.eventLoop
    let promise = loop.makePromise(of: RedisReply.self)
    let channel = channel
    let alarm = loop.scheduleTask(in: TimeAmount(timeout)) {
      promise.fail(RedisError.timeout)
      // A reply that comes after all must not be taken for that of another command.
      channel.close(promise: nil)
    }
    promise.futureResult.whenComplete { _ in alarm.cancel() }
    loop.execute {
      do {
        try channel.pipeline.syncOperations.handler(type: RedisHandler.self).send(words, promise)
      } catch {
        promise.fail(RedisError.unreachable(reason: "the connection is closed"))
      }
    }
    do {
      let reply = try await promise.futureResult.get()
      if case .error(let text) = reply { throw RedisError.refused(text) }
      return reply
    } catch let error as RedisError {
      throw error
    } catch {
      throw .unreachable(reason: "\(error)")
    }
  }

  /// Closes the connection.
  func close() { channel.close(promise: nil) }

  deinit { channel.close(promise: nil) }
}

private final class RedisHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let reader: UnsafeMutablePointer<redisReader>
  private var context: ChannelHandlerContext?
  private var waiting = CircularBuffer<EventLoopPromise<RedisReply>>()
  private var ended: RedisError?

  init() {
    guard let reader = redisReaderCreate() else { fatalError("there is no memory left") }
    self.reader = reader
  }

  deinit { redisReaderFree(reader) }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func send(_ words: [String], _ promise: EventLoopPromise<RedisReply>) {
    guard let context, ended == nil, context.channel.isActive else {
      return promise.fail(ended ?? .unreachable(reason: "the connection is closed"))
    }
    waiting.append(promise)
    context.writeAndFlush(wrapOutboundOut(Self.bytes(words)), promise: nil)
  }

  /// A command as Redis reads it.
  private static func bytes(_ words: [String]) -> ByteBuffer {
    var pointers = words.map { word in
      UnsafePointer(strdup(word))
    }
    defer { for pointer in pointers { free(UnsafeMutablePointer(mutating: pointer)) } }
    let lengths = words.map(\.utf8.count)
    var command: UnsafeMutablePointer<CChar>?
    let count = redisFormatCommandArgv(&command, Int32(words.count), &pointers, lengths)
    defer { redisFreeCommand(command) }
    guard let command, count > 0 else { return ByteBuffer() }
    return ByteBuffer(bytes: UnsafeRawBufferPointer(start: command, count: Int(count)))
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    buffer.withUnsafeReadableBytes { bytes in
      let start = bytes.bindMemory(to: CChar.self).baseAddress
      if redisReaderFeed(reader, start, bytes.count) != REDIS_OK {
        end(.unexpected, context)
      }
    }
    while ended == nil {
      var reply: UnsafeMutableRawPointer?
      guard redisReaderGetReply(reader, &reply) == REDIS_OK else {
        return end(.unexpected, context)
      }
      guard let reply else { return }
      let value = RedisReply(reply.assumingMemoryBound(to: redisReply.self))
      freeReplyObject(reply)
      guard let promise = waiting.popFirst() else { return end(.unexpected, context) }
      promise.succeed(value)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    end(.unreachable(reason: "\(error)"), context)
  }

  func channelInactive(context: ChannelHandlerContext) {
    end(.unreachable(reason: "the connection was closed"), context)
  }

  private func end(_ error: RedisError, _ context: ChannelHandlerContext) {
    if ended != nil { return }
    ended = error
    while let promise = waiting.popFirst() { promise.fail(error) }
    context.close(promise: nil)
  }
}
