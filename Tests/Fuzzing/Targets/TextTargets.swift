import Control
import Format
import Units

/// Names, sizes, identities and addresses as people and the catalogue write them.
enum NamesTarget: FuzzTarget {
    static var name: String { "names" }
    static var byteCountMax: Int { 200 }

    static func seeds() -> [[UInt8]] {
        [
            "1.5GiB", "4096", "18446744073709551615", "0.0009765625 kib", Sample.pool.description,
            "tank/db01@+12.5GiB", "tank/db01:chunk204800", "[::1]:10809", "localhost:0",
            "/dev/sdb:10GiB,model=hdd7200", "db01", "host\u{6DD}:1",
        ].map { Array($0.utf8) }
    }

    static func run(_ input: RawSpan) {
        let text = String(decoding: input.copied, as: UTF8.self)
        checkSize(text)
        if let identifier = Identifier(text) {
            invariant(identifier.description == text.lowercased(), "an identity has one text")
        }
        checkNames(text)
        if let address = try? ListenAddress(text) {
            invariant(
                (try? ListenAddress(address.description)) == address,
                "an address reads back as itself"
            )
            _ = AttachString.tcp(address, export: text)
        }
        _ = AttachString.unix(socket: text, export: text)
        if let device = try? DeviceSpecification(text, role: .flash) {
            invariant(!device.path.isEmpty, "a device has a path")
        }
    }

    private static func checkSize(_ text: String) {
        do throws(ByteCountError) {
            let size = try ByteCount(parsing: text)
            invariant((try? ByteCount(parsing: "\(size.rawValue)")) == size, "digits are a size")
            _ = size.echo
            _ = ByteCountText.number(size.rawValue, like: ~size.rawValue)
            try? VolumeSize.validate(size.rawValue)
        } catch {
            _ = error.description
        }
    }

    private static func checkNames(_ text: String) {
        if let path = try? VolumePath(text) {
            invariant(path.description == text, "a volume's path reads back as itself")
        }
        if let address = try? VolumeAddress(text) {
            invariant(address.path.volume.text.utf8.count <= 128, "a volume's name is short")
        }
        let isStorable = NameText.isStorable(text)
        if let name = try? ObjectName.volume(text) {
            invariant(isStorable && name.text == text, "a volume's name can be stored")
        }
        guard isStorable else { return }
        var volume = Sample.control
        volume.name = text
        invariant(
            (try? VolumeControl(decoding: volume.encode().raw)) == volume,
            "a name that can be stored is read again"
        )
    }
}

/// Lines on the control socket, from both ends.
enum ControlTarget: FuzzTarget {
    static var name: String { "control" }
    static var byteCountMax: Int { 4 << 10 }

    static func seeds() -> [[UInt8]] {
        [
            ControlRequest("volume.create", ["volume": "db01", "byteCount": 214_748_364_800]).line,
            ControlRequest("heat", ["volume": "d\u{1F600}\n\"", "columns": .real(1.5e300)]).line,
            #"{"arguments":{"a":[[],{},[null,true,false,-0.0,1e-7]]},"command":"\ud83d\ude00"}"#,
            ControlAnswer.line(.success(["a": .large(.max), "b": .integer(.min)])),
            ControlAnswer.line(.failure(.unknownCommand(name: "x"))),
        ].map { Array($0.utf8) }
    }

    static func run(_ input: RawSpan) {
        let bytes = input.copied
        if let value = try? JSONReader.read(bytes: bytes) {
            let line = value.line
            invariant(!line.utf8.contains(10), "a value is one line")
            invariant((try? JSONReader.read(line)) == value, "what is written is read again")
            invariant((try? JSONReader.read(value.indented)) == value, "also when it is indented")
        }
        do throws(ControlError) {
            let request = try ControlRequest(parsing: bytes)
            let again = try? ControlRequest(parsing: Array(request.line.utf8))
            invariant(again == request, "a request reads back as itself")
        } catch {
            let answer = ControlAnswer.line(.failure(error))
            invariant(answer.utf8.count < 16 << 10, "a refusal is short")
        }
        do throws(ControlError) {
            _ = try ControlAnswer.parse(bytes)
        } catch {
            _ = error.report.line
        }
    }
}
