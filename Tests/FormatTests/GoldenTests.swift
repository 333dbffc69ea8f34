import Format
import Testing
import Units

/// The bytes of every version of every structure, written down from the tables by a program that
/// shares no code with the module.  Bytes that are not shown are zero.
@Suite struct GoldenTests {
    @Test func `a segment header has its golden bytes`() {
        #expect(
            Bytes.block { Sample.segment.encode(into: &$0) }
                == Bytes.parse(Golden.segment, count: 4096)
        )
    }

    @Test func `the header of a stream's first segment has its golden bytes`() {
        #expect(
            Bytes.block { Sample.firstSegment.encode(into: &$0) }
                == Bytes.parse(Golden.firstSegment, count: 4096)
        )
    }

    @Test func `a record header has its golden bytes`() {
        #expect(Sample.record() == Bytes.parse(Golden.record, count: 4096))
    }

    @Test func `the tail of a record has its golden bytes`() {
        #expect(Sample.record(isTail: true) == Bytes.parse(Golden.tail, count: 4096))
    }

    @Test(arguments: [false, true])
    func `a record of version 1 is read, and sealed anew as it was`(isTail: Bool) throws {
        let golden = isTail ? Golden.tailOfVersion1 : Golden.recordOfVersion1
        let bytes = Bytes.parse(golden, count: 4096)
        let header = try RecordHeader(decoding: bytes.raw, nonce: Sample.nonce)
        #expect(header == Sample.recordHeader(isTail: isTail, saysPool: false))
        #expect(Sample.record(isTail: isTail, saysPool: false) == bytes)
    }

    @Test func `a superblock has its golden bytes`() {
        #expect(
            Bytes.block { Sample.superblock.encode(into: &$0) }
                == Bytes.parse(Golden.superblock, count: 4096)
        )
    }

    @Test func `a witness has its golden bytes`() throws {
        let bytes = Bytes.parse(Golden.witness, count: 4096)
        #expect(Bytes.block { Sample.witness.encode(into: &$0) } == bytes)
        #expect(try Witness(decoding: bytes.raw) == Sample.witness)
    }

    @Test func `the creation of a volume has its golden bytes`() {
        #expect(Sample.control.encode() == Bytes.parse(Golden.volume))
    }

    @Test func `a leaf has its golden bytes`() {
        let bytes = Sample.leaf()
        #expect(bytes == Bytes.parse(Golden.leaf, count: 222))
    }

    @Test func `a leaf without blocks has its golden bytes`() {
        let states = [BlockState](repeating: .absent, count: LeafFormat.blockCount)
        let bytes = Leaf.encode(states, writers: [])
        #expect(bytes == Bytes.parse(Golden.emptyLeaf, count: 40))
    }

    @Test func `heat has its golden bytes`() {
        let heat = Sample.heat
        let bytes = HeatFormat.encode(heat.span)
        let words = heat.flatMap { word in
            (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
        }
        #expect(bytes == Bytes.parse("49534f4d48454154 0100 6000 2ce88424") + words)
    }
}

/// Golden bytes; of version 1 where nothing else is said.
enum Golden {
    static let segment = """
        49534f5345474d54 0100030375a553b6 7766554433221100 ffeeddccbbaa9988
        8776655443322110 0ffeeddccbbaa998 0700000005000000 2900000000000000
        e903000000000000 1807f6e5d4c3b2a1 00f1536500000000 0200220106000000
        28
        """

    static let firstSegment = """
        49534f5345474d54 010001003e4bf7d3 7766554433221100 ffeeddccbbaa9988
        8776655443322110 0ffeeddccbbaa998 0000000001000000 0100000000000000
        0100000000000000 efcdab8967452301 ffffffffffffffff 000011
        """

    static let record = """
        49534f5245435244 02000100e1951d18 2900000000000000 070000000c000000
        eb03000000000000 e903000000000000 5802000000050000 0300000003000000
        bebafeca02000300 9800000005000000 7766554433221100 ffeeddccbbaa9988
        8796a5b4c3d2e1f0 0f1e2d3c4b5a6978 0002000000000000 0200000001000000
        1111111122222222 8796a5b4c3d2e1f0 0f1e2d3c4b5a6978 0000000000000000
        0000000005012400 0104020000000000 4d00000000000000 0000000032000000
        01f1536500000000 6462303133221100 efbeaddebbaa9988 7766554409000000
        0000000001000000 0400000063000000 0004000033333333
        """

    static let recordOfVersion1 = """
        49534f5245435244 010001006ca27d75 2900000000000000 070000000c000000
        eb03000000000000 e903000000000000 5802000000050000 0300000003000000
        bebafeca02000300 9800000005000000 0000000000000000 0000000000000000
        8796a5b4c3d2e1f0 0f1e2d3c4b5a6978 0002000000000000 0200000001000000
        1111111122222222 8796a5b4c3d2e1f0 0f1e2d3c4b5a6978 0000000000000000
        0000000005012400 0104020000000000 4d00000000000000 0000000032000000
        01f1536500000000 6462303133221100 efbeaddebbaa9988 7766554409000000
        0000000001000000 0400000063000000 0004000033333333
        """

    static let tail = """
        49534f5245435244 02000101571a89a9 2900000000000000 070000000c000000
        eb03000000000000 e903000000000000 5802000000050000 0300000003000000
        bebafeca02000300 9800000005000000 7766554433221100 ffeeddccbbaa9988
        8796a5b4c3d2e1f0 0f1e2d3c4b5a6978 0002000000000000 0200000001000000
        1111111122222222 8796a5b4c3d2e1f0 0f1e2d3c4b5a6978 0000000000000000
        0000000005012400 0104020000000000 4d00000000000000 0000000032000000
        01f1536500000000 6462303133221100 efbeaddebbaa9988 7766554409000000
        0000000001000000 0400000063000000 0004000033333333
        """

    static let tailOfVersion1 = """
        49534f5245435244 01000101da2de9c4 2900000000000000 070000000c000000
        eb03000000000000 e903000000000000 5802000000050000 0300000003000000
        bebafeca02000300 9800000005000000 0000000000000000 0000000000000000
        8796a5b4c3d2e1f0 0f1e2d3c4b5a6978 0002000000000000 0200000001000000
        1111111122222222 8796a5b4c3d2e1f0 0f1e2d3c4b5a6978 0000000000000000
        0000000005012400 0104020000000000 4d00000000000000 0000000032000000
        01f1536500000000 6462303133221100 efbeaddebbaa9988 7766554409000000
        0000000001000000 0400000063000000 0004000033333333
        """

    static let superblock = """
        49534f544845524d 010002034e4e5380 7766554433221100 ffeeddccbbaa9988
        8776655443322110 0ffeeddccbbaa998 0000000002000000 00000002ff000000
        0600000000000000 00f1536500000000 0200010204000000 0000000000000000
        74616e6b00000000 0000000000000000 0000000000000000 0000000000000000
        0000000000000000 0000000000000000 0000000000000000 0000000000000000
        0000000000000000 0000000000000000 0000000000000000 0000000000000000
        0000000000000000 0000000000000000 0000000000000000 0000000000000000
        0807060504030201 110f0e0d0c0b0a09 0000004000000000 0100000000000000
        8776655443322110 0ffeeddccbbaa998 0000000002000000 0203
        """

    static let witness = """
        49534f5749544e53 04000303824c1317 7766554433221100 ffeeddccbbaa9988
        8776655443322110 0ffeeddccbbaa998 0200220105000000 4d00000000000000
        2900000000000000 2800000000000000 0400000004030201 1817161514131211
        6300000034333231 2423222100000000 4443424100000000 2200000074737271
        5251000000000000 6463626100000000 8887868584838281
        """

    static let volume = """
        0104020000000000 4d00000000000000 0000000032000000 01f1536500000000
        64623031
        """

    static let leaf = """
        49534f4d4c454146 01000200df925513 4d00000000000000 3930000000000000
        0400000000000000 8796a5b4c3d2e1f0 0f1e2d3c4b5a6978 33221100efbeadde
        bbaa998877665544 0000040044010000 0500010022000000 0600020044030100
        fe01020088000000 0430e80300000000 005a02104d000000 0001005a05000000
        0001005a0230905f 01000002005a0220 0500000000000000 0230060000000000
        0000021009000000 0000000014000000 0000000003200b00 000000000000a000
        0000a1000000a200 0000a3000000b600 0000b7000000c000 0000c1
        """

    static let emptyLeaf = """
        49534f4d4c454146 0100000032cad283 4d00000000000000 3930
        """
}
