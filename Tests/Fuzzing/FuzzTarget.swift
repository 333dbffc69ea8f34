/// One decoder, parser or state machine that takes bytes from outside.
protocol FuzzTarget: SendableMetatype {
    static var name: String { get }
    /// Bytes of the longest input that is worth trying.
    static var byteCountMax: Int { get }
    /// Inputs to begin with, made by the project's own encoders.
    static func seeds() -> [[UInt8]]
    /// Takes one input; whatever it is, this returns.
    static func run(_ input: RawSpan)
}

enum FuzzTargets {
    static var all: [any FuzzTarget.Type] {
        [
            HandshakeTarget.self, OptionsTarget.self, RequestsTarget.self, StatusTarget.self,
            SuperblockTarget.self, CopiesTarget.self, SegmentTarget.self, RecordTarget.self,
            VolumeTarget.self, LeafTarget.self, HeatTarget.self, WitnessTarget.self,
            MirrorTarget.self, AnewTarget.self, ReplayTarget.self, RowsTarget.self,
            NamesTarget.self, ControlTarget.self,
        ]
    }
}
