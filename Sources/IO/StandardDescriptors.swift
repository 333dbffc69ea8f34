internal import CLinux

/// Descriptors 0, 1 and 2: nothing that we open may ever stand there, or a stray message to
/// standard error would go into a device.
package enum StandardDescriptors {
    /// Opens /dev/null where one of them is closed; called first of all in every program.  Every
    /// descriptor that this module opens is from 3 up, which this makes cheap.
    package static func fill() throws(StandardDescriptorError) {
        let result = isotherm_fill_standard()
        guard result >= 0 else { throw .cannotOpen(SystemCode(ofResult: result)) }
    }
}

package enum StandardDescriptorError: Error, Hashable, Sendable {
    case cannotOpen(SystemCode)
}
