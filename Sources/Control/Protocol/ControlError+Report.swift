internal import Units

/// What a person and a program are told of an error.
package struct ErrorReport: Equatable, Sendable {
    /// Stable, for programs: `volume_missing`.
    package var code: String
    /// The thing, and the reason.
    package var message: String
    /// What to do.
    package var advice: String
    package var status: ExitStatus

    init(_ code: String, _ status: ExitStatus, _ message: String, _ advice: String) {
        self.code = code
        self.status = status
        self.message = message
        self.advice = advice
    }

    /// `message; advice`, as it stands behind `isotherm: `.
    package var line: String { advice.isEmpty ? message : "\(message); \(advice)" }
}

/// The one place that turns an error into words and an exit status.
extension ControlError {
    package var report: ErrorReport {
        reportOfInput ?? reportOfPart ?? reportOfPlan ?? reportOfDevice ?? reportOfRebuild
            ?? reportOfMirror ?? reportOfObject ?? reportOfRefusal ?? reportOfAge ?? reportOfTalk
            ?? reportOfFailure
    }

    private var reportOfInput: ErrorReport? {
        switch self {
        case .name(let kind, let text, let lengthMax):
            .init(
                "bad_name",
                .usage,
                "'\(text.prefix(80))' is no name for a \(kind)",
                "use 1 to \(lengthMax) letters, digits, '.', '_' or '-', a letter or digit first"
            )
        case .volumePath(let text):
            .init(
                "bad_name",
                .usage,
                "'\(text.prefix(80))' names no volume",
                "write POOL/VOLUME, for example tank/db01"
            )
        case .address(let text):
            .init(
                "bad_address",
                .usage,
                "'\(text.prefix(80))' is no place in a volume",
                "write tank/db01@+12.5GiB or tank/db01:chunk204800"
            )
        case .size(let refusal): .init("bad_size", .usage, refusal.description, "")
        case .deviceOption(let device, let option):
            .init(
                "bad_device",
                .usage,
                "'\(option)' in '\(device)' is no option of a device",
                "write PATH[:SIZE][,model=hdd7200]"
            )
        case .devicePath(let text):
            .init(
                "bad_device",
                .usage,
                "'\(text)' names no file or device",
                "write PATH[:SIZE][,model=hdd7200]"
            )
        case .model(let device, let model, let known):
            .init(
                "bad_device",
                .usage,
                "\(device): there is no model '\(model)'",
                "known models: \(known.joined(separator: ", "))"
            )
        default: nil
        }
    }

    private var reportOfPart: ErrorReport? {
        switch self {
        case .listenAddress(let text):
            .init(
                "bad_listen_address",
                .usage,
                "'\(text)' is no address to listen on",
                "write HOST:PORT, for example 127.0.0.1:10809 or [::1]:10809"
            )
        case .column(let text, let known):
            .init(
                "bad_column",
                .usage,
                "there is no column '\(text)'",
                "columns: \(known.joined(separator: ", ")); '-o help' tells what they mean"
            )
        case .inspectTarget(let text):
            .init(
                "bad_target",
                .usage,
                "'\(text)' is nothing to inspect",
                "write one of: \(InspectionTarget.forms.joined(separator: ", ")); without any it "
                    + "shows a device's superblock, and of a catalogue the pool"
            )
        case .laneCount(let count, let countMax):
            .init("bad_lanes", .usage, "\(count) lanes", "use 1 to \(countMax)")
        default: nil
        }
    }

    private var reportOfPlan: ErrorReport? {
        switch self {
        case .noDevice(let role):
            .init(
                "no_device",
                .usage,
                "a pool needs a \(role) device",
                "name one: --\(role) PATH[:SIZE]"
            )
        case .tooManyDevices(let count, let countMax):
            .init(
                "too_many_devices",
                .usage,
                "\(count) devices are too many for a pool",
                "use at most \(countMax)"
            )
        case .deviceNamedTwice(let path):
            .init("device_named_twice", .usage, "\(path) is named twice", "name each device once")
        case .deviceTooSmall(let path, let byteCount, let byteCountMin):
            .init(
                "device_too_small",
                .refused,
                "\(path): \(ByteCountText.short(byteCount)) is too small",
                "use at least \(ByteCountText.short(byteCountMin))"
            )
        case .deviceMissing(let path):
            .init(
                "device_missing",
                .notFound,
                "\(path): there is no such file or device",
                "check the path; to have a file made, give its size: \(path):10GiB"
            )
        case .deviceExists(let path, let byteCount):
            .init(
                "device_exists",
                .refused,
                "\(path): exists already, with \(ByteCountText.both(byteCount))",
                "leave the size out to use it whole, or choose another path"
            )
        default: nil
        }
    }

    private var reportOfDevice: ErrorReport? {
        switch self {
        case .deviceOfPool(let path, let pool):
            .init(
                "device_of_pool",
                .refused,
                "\(path): belongs to pool \(pool)",
                "open that pool, or 'isotherm pool destroy' it; 'isotherm inspect \(path)' shows it"
            )
        case .deviceInUse(let path):
            .init(
                "device_in_use",
                .refused,
                "\(path): another process has it open",
                "stop what uses it (a daemon that serves it, a mount)"
            )
        case .deviceMismatch(let path, let fact):
            .init(
                "device_mismatch",
                .refused,
                "\(path): is not the pool's device: \(fact) differs",
                "bring the right device back; 'isotherm inspect \(path)' shows what this one is"
            )
        case .deviceUnreadable(let path, let reason):
            .init(
                "device_unreadable",
                .failed,
                "\(path): \(reason)",
                "see the system's log for it"
            )
        case .directoryInUse(let path):
            .init(
                "directory_in_use",
                .refused,
                "\(path): is not empty",
                "choose a directory that is empty or does not exist"
            )
        default: nil
        }
    }

    private var reportOfObject: ErrorReport? {
        switch self {
        case .poolMissing(let name):
            .init(
                "pool_missing",
                .notFound,
                "there is no pool '\(name)'",
                "'isotherm pool list' shows all; a pool elsewhere is named with --dir"
            )
        case .volumeMissing(let path):
            .init(
                "volume_missing",
                .notFound,
                "there is no volume '\(path)'",
                "'isotherm volume list' shows all"
            )
        case .volumeExists(let path):
            .init(
                "volume_exists",
                .refused,
                "the volume '\(path)' exists already",
                "choose another name"
            )
        case .volumeSize(let byteCount, let byteCountMin, let byteCountMax):
            .init(
                "volume_size",
                .usage,
                "\(ByteCountText.both(byteCount)) is no size for a volume",
                "use a multiple of 512 bytes, from \(ByteCountText.short(byteCountMin)) to "
                    + ByteCountText.short(byteCountMax)
            )
        case .addressBeyondEnd(let path, let offset, let byteCount):
            .init(
                "address_beyond_end",
                .notFound,
                "'\(path)' has no byte \(ByteCountText.grouped(offset))",
                "it ends at \(ByteCountText.both(byteCount))"
            )
        default: nil
        }
    }

    private var reportOfRefusal: ErrorReport? {
        switch self {
        case .volumeAttached(let path, let clientCount):
            .init(
                "volume_attached",
                .refused,
                "'\(path)' is attached by \(clientCount) client\(clientCount == 1 ? "" : "s")",
                "detach them first, or use --force"
            )
        case .poolServed(let name, let processIdentifier):
            .init(
                "pool_served",
                .refused,
                "the pool '\(name)' is open in "
                    + (processIdentifier.map { "process \($0)" } ?? "another process"),
                "ask that process, or stop it first (SIGTERM)"
            )
        case .poolHasVolumes(let name, let count):
            .init(
                "pool_has_volumes",
                .refused,
                "the pool '\(name)' holds \(count) volume\(count == 1 ? "" : "s")",
                "destroy them first, or use --force"
            )
        case .needsConfirmation(let verb, let object):
            .init(
                "needs_confirmation",
                .refused,
                "'\(verb)' of '\(object)' cannot be undone and nobody can be asked here",
                "say --yes to do it, --dry-run to see what it would do"
            )
        case .notConfirmed(let object):
            .init(
                "not_confirmed",
                .refused,
                "what was typed is not '\(object)'",
                "nothing was changed"
            )
        default: nil
        }
    }

    private var reportOfAge: ErrorReport? {
        switch self {
        case .catalogueOlder(let pool, let path, let finding):
            .init(
                "catalogue_older",
                .refused,
                "the catalogue of pool '\(pool)' is older than \(path) says: \(finding)",
                "put the newest catalogue back, with all files that lay beside it, or make it "
                    + "anew: \(Self.rebuildCommand(pool))"
            )
        case .deviceOlder(let path, let finding):
            .init(
                "device_older",
                .refused,
                "\(path): is a copy from earlier: \(finding)",
                "bring back the device as it was last, or an image of it that is as new"
            )
        case .deviceAway(let path):
            .init(
                "device_away",
                .failed,
                "\(path): refuses reads and gives them later, or gives nothing: what was logged "
                    + "cannot be told from what was not; nothing was changed",
                "look at the device and its connection, then start the pool again"
            )
        default: nil
        }
    }

    private var reportOfTalk: ErrorReport? {
        switch self {
        case .daemonUnreachable(let socket, let reason):
            .init(
                "daemon_unreachable",
                .unreachable,
                "\(socket): \(reason)",
                "start it with 'isotherm serve POOL'"
            )
        case .timedOut(let what, let seconds):
            .init("timed_out", .timedOut, "\(what): no answer in \(seconds) s", "try again")
        case .socket(let path, let call, let code):
            .init("socket", .failed, "\(path): \(call) failed with system error \(code)", "")
        case .protocolViolation(let fact):
            .init("protocol", .failed, "control socket: \(fact)", "use a matching program")
        case .unknownCommand(let name):
            .init(
                "unknown_command",
                .failed,
                "the daemon knows no command '\(name.prefix(80))'",
                "use the version of 'isotherm' that the daemon has"
            )
        case .notForThisUser(let user):
            .init(
                "not_permitted",
                .refused,
                "user \(user) may not control this pool",
                "run it as the pool's owner or as root"
            )
        default: nil
        }
    }

    private static func rebuildCommand(_ pool: String) -> String {
        "isotherm pool rebuild \(pool) --yes --device ..., with every device of the pool"
    }

    private var reportOfFailure: ErrorReport {
        switch self {
        case .recovery(let pool, let finding, let isCatalogue):
            .init(
                "recovery",
                .failed,
                "the pool '\(pool)' cannot be opened: \(finding)",
                "nothing was changed; "
                    + (isCatalogue
                        ? "the catalogue can be made anew: \(Self.rebuildCommand(pool))"
                        : "'isotherm inspect' shows the devices")
            )
        case .shuttingDown(let pool):
            .init("shutting_down", .failed, "the pool '\(pool)' is being closed", "try again later")
        case .noSpace(let pool):
            .init(
                "no_space",
                .failed,
                "the pool '\(pool)' has no free space",
                "destroy or trim volumes, or add a disk"
            )
        case .readOnly(let pool):
            .init(
                "read_only",
                .failed,
                "the pool '\(pool)' takes no changes",
                "see 'isotherm status'"
            )
        case .deviceFailed(let pool):
            .init(
                "device_failed",
                .failed,
                "a device of the pool '\(pool)' failed",
                "see 'isotherm status'"
            )
        case .checkDiffers(let pool, let count):
            .init(
                "check_differs",
                .failed,
                "the pool '\(pool)' has \(count) counts or references that are not as they must be",
                "keep its devices and catalogue as they are, and ask for help"
            )
        case .system(let what, let reason): .init("system", .failed, "\(what): \(reason)", "")
        case .catalogue(let description, let status): .init("catalogue", status, description, "")
        case .format(let place, let error): .init("format", .failed, "\(place): \(error.text)", "")
        case .remote(let code, let message, let status): .init(code, status, message, "")
        default: .init("unknown", .failed, "an error without words", "")
        }
    }
}
