import Foundation

// Each input is given to one target, which the option `--target=NAME` chooses: libFuzzer leaves
// options with two dashes to us.  `tools/fuzz` is how this program is started.
//
// What a target claims is an invariant: it prints file and line and ends the process, which
// libFuzzer takes for a crash and keeps the input.

/// What libFuzzer calls with each input.  The bytes are an allocation of exactly their length, so
/// that the address sanitizer sees a read beyond them.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ byteCount: Int) -> CInt {
    unsafe Chosen.target.run(
        RawSpan(_unsafeStart: start ?? Chosen.nothing, byteCount: Int(byteCount))
    )
    return 0
}

/// What libFuzzer calls first.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ argumentCount: OpaquePointer?, _ arguments: OpaquePointer?) -> CInt {
    if CommandLine.arguments.contains("--list") {
        print(FuzzTargets.all.map { "\($0.name) \($0.byteCountMax)" }.joined(separator: "\n"))
        exit(0)
    }
    if let folder = Chosen.option("--seeds=") {
        do {
            for (index, seed) in Chosen.target.seeds().enumerated() {
                try Data(seed).write(to: URL(filePath: "\(folder)/seed-\(index)"))
            }
            exit(0)
        } catch {
            print("the seeds cannot be written: \(error)")
            exit(1)
        }
    }
    return 0
}

/// The target of this process.
private enum Chosen {
    static let target: any FuzzTarget.Type = {
        let name = option("--target=") ?? ""
        guard let target = FuzzTargets.all.first(where: { $0.name == name }) else {
            print("there is no target '\(name)'")
            exit(64)
        }
        return target
    }()

    static func option(_ prefix: String) -> String? {
        CommandLine.arguments.first { $0.hasPrefix(prefix) }.map {
            String($0.dropFirst(prefix.count))
        }
    }

    /// Where a span of no bytes begins.
    static var nothing: UnsafePointer<UInt8> {
        unsafe UnsafePointer(bitPattern: 4096).unsafelyUnwrapped
    }
}

/// The package manager begins a program called `fuzz` here, and libFuzzer's own `main` is left out.
@_cdecl("fuzz_main")
public func main(
    _ argumentCount: CInt,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> CInt {
    var argumentCount = argumentCount
    var arguments = unsafe arguments
    return unsafe runDriver(&argumentCount, &arguments) { unsafe testOneInput($0, $1) }
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ argumentCount: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt
