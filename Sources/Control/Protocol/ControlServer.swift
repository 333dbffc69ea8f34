internal import Format
internal import Foundation
internal import IO

/// Serves the control socket of one pool: a thread that accepts, and one for each connection.
///
/// Only the pool's own user and root are answered.  A connection may send any number of requests,
/// one after another; it is closed after a line that is too long or takes too long, and after
/// `idleSeconds` without a request.  Never touches the data path: what a request needs of a lane
/// goes through its mailbox.
package final class ControlServer: Sendable {
    package struct Limits: Sendable {
        package var connectionCountMax = 32
        /// Seconds for a request to arrive whole, and for an answer to be taken.
        package var idleSeconds = 30
        package init() {}
    }

    package let path: String
    private let service: any ControlService
    private let limits: Limits
    private let listener: LocalSocket
    private let state = Guarded(State())
    private let threads = DispatchGroup()

    private struct State {
        var isStopping = false
        /// Descriptors of live connections, to wake their threads at the end.
        var connections: Set<Int32> = []
    }

    /// Listens at `path`; the caller holds the pool's lock.
    package init(
        path: String,
        service: any ControlService,
        limits: Limits = Limits()
    ) throws(ControlError) {
        self.path = path
        self.service = service
        self.limits = limits
        listener = try LocalSocket.listen(at: path)
    }

    package func start() {
        threads.enter()
        let thread = Thread { [self] in
            while let connection = listener.accept(unless: { state.withLock { $0.isStopping } }) {
                take(connection)
            }
            threads.leave()
        }
        thread.name = "control"
        thread.start()
    }

    /// Takes no more connections, ends those that wait for a request, and returns when every
    /// request that had arrived is answered.
    package func stop() {
        state.withLock { state in
            state.isStopping = true
            // Reading ends; an answer under way can still be sent.  Under the lock none of these is
            // closed, and its number cannot belong to something else.
            for descriptor in state.connections { _ = shutdown(descriptor, Int32(SHUT_RD)) }
        }
        listener.shutDown()
        threads.wait()
        LocalSocket.remove(path)
    }

    private func take(_ connection: consuming LocalSocket) {
        connection.limitWaits(seconds: limits.idleSeconds)
        guard let user = connection.peerUser(), user == LocalSocket.ownUser || user == 0 else {
            let user = connection.peerUser() ?? .max
            _ = connection.send(
                Array(ControlAnswer.line(.failure(.notForThisUser(user: user))).utf8)
            )
            return
        }
        let descriptor = connection.rawDescriptor
        let isTaken = state.withLock { state in
            guard !state.isStopping, state.connections.count < limits.connectionCountMax else {
                return false
            }
            state.connections.insert(descriptor)
            return true
        }
        guard isTaken else {
            let error = ControlError.system(what: path, reason: "too many connections; try again")
            _ = connection.send(Array(ControlAnswer.line(.failure(error)).utf8))
            return
        }
        threads.enter()
        let passed = Passed(connection)
        let thread = Thread { [self] in
            if let connection = passed.take() {
                converse(connection)
                // Forgotten before it is closed: its number may then belong to another one.
                state.withLock { _ = $0.connections.remove(descriptor) }
                _ = consume connection
            }
            threads.leave()
        }
        thread.name = "control-client"
        thread.start()
    }

    /// A connection on its way to its thread, whose closure can be copied and it cannot.
    private final class Passed: Sendable {
        private let place: Guarded<Place>
        private struct Place: ~Copyable {
            var socket: LocalSocket?
        }
        init(_ socket: consuming LocalSocket) { place = Guarded(Place(socket: socket)) }
        func take() -> LocalSocket? { place.withLock { $0.socket.take() } }
    }

    private func converse(_ connection: borrowing LocalSocket) {
        var reader = LineReader()
        while true {
            switch reader.next(from: connection, secondsMax: limits.idleSeconds) {
            case .text(let bytes):
                guard connection.send(Array(answer(bytes).utf8)) else { return }
            case .tooLong:
                let error = ControlError.protocolViolation(fact: "the request is too long")
                _ = connection.send(Array(ControlAnswer.line(.failure(error)).utf8))
                return
            case .end, .timedOut: return
            }
        }
    }

    private func answer(_ bytes: [UInt8]) -> String {
        do throws(ControlError) {
            let request = try ControlRequest(parsing: bytes)
            return ControlAnswer.line(.success(try service.answer(request)))
        } catch {
            return ControlAnswer.line(.failure(error))
        }
    }
}
