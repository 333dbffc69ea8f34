package import Catalogue
internal import Dispatch
internal import IO
internal import Logging

/// One pool being served until a signal ends it.
package struct Daemon {
    private let directory: PoolDirectory
    private let options: PoolService.Options
    private let log: Logger

    package init(directory: PoolDirectory, options: PoolService.Options) {
        self.directory = directory
        let log = Logger(label: "isotherm", factory: { _ in ErrorOutputLog() })
        self.log = log
        var options = options
        // A log that is slow to take a line must not hold up a lane.
        let queue = DispatchQueue(label: "isotherm.events")
        options.report = { rows in
            queue.async { for row in rows { log.warning("\(row.type): \(row.text)") } }
        }
        self.options = options
    }

    /// Serves; returns when everything is closed in good order.
    ///
    /// Signals are blocked before the first thread starts, and read one at a time: a second one
    /// while the pool is being closed changes nothing.
    package func run() throws(ControlError) {
        do throws(StandardDescriptorError) {
            try StandardDescriptors.fill()
        } catch {
            throw .system(what: "standard descriptors", reason: "\(error)")
        }
        let signals: SignalWatch
        do throws(SignalError) {
            signals = try SignalWatch()
        } catch {
            throw .system(what: "signals", reason: "\(error)")
        }
        let service = try PoolService.open(directory, options: options)
        let control: ControlServer
        do throws(ControlError) {
            control = try ControlServer(path: directory.controlSocketPath, service: service)
        } catch {
            try service.stop()
            throw error
        }
        control.start()
        announce(service)
        sleep(until: signals)
        log.info("stopping: finishing requests, writing a checkpoint")
        control.stop()
        try service.stop()
        log.info("pool \(directory.name) closed")
    }

    private func sleep(until signals: SignalWatch) {
        while true {
            switch signals.wait() {
            case .terminate: return
            case .reload: log.info("nothing to read again: there is no configuration file")
            case nil: continue
            }
        }
    }

    /// What people paste goes to the output, everything else to the log.
    private func announce(_ service: PoolService) {
        log.info("\(service.openingSummary)")
        for line in service.deviceLines { log.info("\(line)") }
        for warning in service.warnings { log.warning("\(warning)") }
        for address in options.addresses where !address.isLoopback {
            log.warning(
                "\(address) can be reached from other machines, and nothing there is encrypted"
            )
        }
        let console = Console.current
        let mark = service.isModelled ? " (modelled)" : ""
        let names = service.exportNames
        if names.isEmpty {
            console.message(
                "the pool has no volume yet; 'isotherm volume create \(directory.name)/NAME SIZE'"
            )
        }
        console.line("serving pool \(directory.name)\(mark)")
        for name in names {
            for text in service.endpoints.attachStrings(name) { console.line("  " + text) }
        }
    }
}
