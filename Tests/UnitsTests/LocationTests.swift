import Testing
import Units

@Suite struct LocationTests {
    @Test func `all zeros is no location`() {
        #expect(Location(rawValue: 0) == nil)
    }

    @Test(arguments: [0, 1, 7, 255] as [UInt8], [0, 1, 4095, 1 << 39, 1 << 40 - 1] as [UInt64])
    func `a place keeps its device and block`(device: UInt8, block: UInt64) {
        let place = Location(device: DeviceIndex(device), block: block)
        #expect(place.isPlace)
        #expect(!place.isNowhere)
        #expect(place.device == DeviceIndex(device))
        #expect(place.block == block)
        #expect(place.byteOffset == block * 4096)
        #expect(Location(rawValue: place.rawValue) == place)
        #expect(place != .nowhere)
    }

    @Test func `nowhere is a code of its own`() {
        #expect(Location.nowhere.isNowhere)
        #expect(!Location.nowhere.isPlace)
        #expect(Location.nowhere.rawValue == 0xA5 << 56)
        #expect(Location(rawValue: Location.nowhere.rawValue) == .nowhere)
    }

    /// The tag and the byte below the device index: every other value of them is refused.
    @Test func `of all codes of the upper bits only those of a place and of nowhere are taken`() {
        for upper in 0...UInt64(0xFFFF) {
            let found = Location(rawValue: upper << 48)
            switch upper {
            case 0x5A00: #expect(found?.isPlace == true)
            case 0xA500: #expect(found?.isNowhere == true)
            default: #expect(found == nil)
            }
        }
    }

    @Test func `nowhere with anything beside its tag is refused`() {
        for bit in 0..<56 { #expect(Location(rawValue: 0xA5 << 56 | 1 << bit) == nil) }
    }
}
