/// Traps when something that this program itself guarantees does not hold, in release builds too.
///
/// Peers' errors are typed values and never come here: a failing invariant is a bug of ours, and
/// stopping is better than serving bytes that belong to somebody else.
@inlinable
@inline(__always)
public func invariant(
  _ condition: @autoclosure () -> Bool,
  _ message: @autoclosure () -> StaticString = "",
  file: StaticString = #fileID,
  line: UInt = #line
) {
  if !condition() {
    invariantFailed(message(), file: file, line: line)
  }
}

/// The cold half of ``invariant(_:_:file:line:)``, kept out of line so that the check stays small.
@inline(never)
public func invariantFailed(
  _ message: StaticString, file: StaticString = #fileID, line: UInt = #line
) -> Never {
  fatalError("invariant violated: \(message)", file: file, line: line)
}
