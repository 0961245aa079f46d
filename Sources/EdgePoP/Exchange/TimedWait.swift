import NIOCore

/// Something that is waited for until a deadline, with ``LoopContext/watch(_:)``.
protocol TimedWait: AnyObject {
  /// Ends the wait if its time is up.
  func checkTime(_ now: NIODeadline)
}

/// One that can be given up.
protocol PendingWait: TimedWait {
  /// Nobody waits any more.
  func cancel()
}
