#if canImport(Glibc)
    internal import Glibc
#endif

/// Ends the process when a fact that only our own bug can break does not hold.
///
/// On in release builds; prints the message with file and line first, which `precondition` does
/// not do in an optimised build.  What the world can do is an error and never goes through here.
@inlinable
@inline(__always)
package func invariant(
    _ condition: @autoclosure () -> Bool,
    _ message: StaticString,
    file: StaticString = #fileID,
    line: UInt = #line
) {
    if _slowPath(!condition()) { invariantFailed(message, file: file, line: line) }
}

/// The slow end of `invariant`, out of line so that the check itself stays two instructions.
@usableFromInline
package func invariantFailed(
    _ message: StaticString,
    file: StaticString,
    line: UInt
) -> Never {
    let text = "\(file):\(line): invariant failed: \(message)\n"
    var copy = text
    copy.withUTF8 { bytes in _ = unsafe write(2, bytes.baseAddress, bytes.count) }
    abort()
}
