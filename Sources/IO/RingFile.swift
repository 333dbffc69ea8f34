internal import CLinux
internal import Units

/// A file as a ring knows it: a descriptor, or a slot of the ring's registered table.
package struct RingFile: Hashable, Sendable, BitwiseCopyable {
    var number: Int32
    package var isRegistered: Bool

    package init(descriptor: Int32) {
        number = descriptor
        isRegistered = false
    }

    init(slot: UInt32) {
        number = Int32(slot)
        isRegistered = true
    }
}

extension Ring {
    /// Slots of the registered table.
    package static var registeredFileMax: Int { 1024 }

    /// Makes the table of registered files, which spares the kernel a look-up and a reference for
    /// every entry.  Returns false when it is refused; `register` then hands out descriptors.
    @discardableResult
    package func makeFileTable() -> Bool {
        let result = unsafe isotherm_ring_register_files(
            shared.descriptor,
            UInt32(Ring.registeredFileMax)
        )
        guard result >= 0 else { return false }
        for index in 0..<Ring.registeredFileMax {
            freeFileSlots[index] = UInt32(Ring.registeredFileMax - 1 - index)
        }
        freeFileCount = Ring.registeredFileMax
        return true
    }

    /// Puts a descriptor into the table.  When there is none, or it is full, the answer is the
    /// descriptor itself, which works as well.
    ///
    /// The table holds the open file: it stays open, and locked, until `unregister`, whatever
    /// happens to the descriptor.
    package func register(descriptor: Int32) -> RingFile {
        guard freeFileCount > 0 else { return RingFile(descriptor: descriptor) }
        let slot = freeFileSlots[freeFileCount - 1]
        let result = unsafe isotherm_ring_update_file(shared.descriptor, slot, descriptor)
        guard result >= 0 else { return RingFile(descriptor: descriptor) }
        freeFileCount -= 1
        return RingFile(slot: slot)
    }

    /// Takes a file out of the table; nothing happens for a plain descriptor.  No entry that names
    /// it may be in flight.
    package func unregister(_ file: RingFile) {
        guard file.isRegistered else { return }
        invariant(freeFileCount < Ring.registeredFileMax, "a registered slot was taken")
        let result = unsafe isotherm_ring_update_file(shared.descriptor, UInt32(file.number), -1)
        invariant(result >= 0, "a slot of the table can be emptied")
        freeFileSlots[freeFileCount] = UInt32(file.number)
        freeFileCount += 1
    }
}
