import Glibc
import IO
import Testing
import Units

func byte(_ region: BufferRegion, _ offset: Int) -> UInt8 {
    unsafe region.baseAddress.load(fromByteOffset: offset, as: UInt8.self)
}

@Suite struct SocketTests {
    static func path() -> String {
        var random = RandomSource()
        return "/tmp/io-test-\(random.next()).sock"
    }

    @Test func `a ring accepts, receives and sends over a path`() throws {
        let path = SocketTests.path()
        let listener = try ListeningSocket(at: .unix(path: path))
        let ring = try Ring(submissionEntries: 8, completionEntries: 16)
        ring.makeFileTable()
        let door = ring.register(descriptor: listener.descriptor)
        ring.accept(door, userData: 1)
        ring.submit()
        let client = try StreamSocket(to: .unix(path: path))
        try client.limitWait(milliseconds: 5000)
        let accepted = try #require(completions(of: ring, count: 1)[1])
        #expect(accepted.result >= 3)
        let server = StreamSocket(owning: accepted.result)
        let file = ring.register(descriptor: server.descriptor)
        #expect(file.isRegistered)

        try client.send([1, 2, 3, 4, 5])
        let space = memory(byteCount: 4096)
        ring.receive(file, into: space[0..<100], userData: 2)
        #expect(completions(of: ring, count: 1)[2]?.result == 5)
        #expect(byte(space, 4) == 5)

        ring.send(file, from: space[0..<5], userData: 3)
        #expect(completions(of: ring, count: 1)[3]?.result == 5)
        #expect(try client.receive(byteCountMax: 100) == [1, 2, 3, 4, 5])

        client.shutDown()
        ring.receive(file, into: space[0..<100], userData: 4)
        #expect(completions(of: ring, count: 1)[4]?.result == 0)
        ring.unregister(file)
    }

    @Test func `lists gather and scatter, and go on after a short transfer`() throws {
        let pair = try StreamSocket.pair()
        let ring = try Ring(submissionEntries: 8, completionEntries: 16)
        let space = memory(byteCount: 8192)
        for index in 0..<30 {
            unsafe space.baseAddress.storeBytes(
                of: UInt8(index),
                toByteOffset: index,
                as: UInt8.self
            )
        }
        let list = RegionList(capacity: 3)
        list.append(space[0..<10])
        list.append(space[20..<30])
        list.append(space[10..<20])
        #expect(list.byteCount == 30 && list.headroom == 0)
        // As if a first transfer had carried 12 bytes.
        list.advance(byByteCount: 12)
        #expect(list.count == 2 && list.byteCount == 18)
        ring.send(RingFile(descriptor: pair.first.descriptor), from: list, userData: 1)
        #expect(completions(of: ring, count: 1)[1]?.result == 18)

        let target = RegionList(capacity: 2)
        target.append(space[4096..<4100])
        target.append(space[5000..<5100])
        ring.receive(RingFile(descriptor: pair.second.descriptor), into: target, userData: 2)
        #expect(completions(of: ring, count: 1)[2]?.result == 18)
        let ends = [4096, 4099, 5000, 5013].map { byte(space, $0) }
        #expect(ends == [22, 25, 26, 19])
        list.removeAll()
        #expect(list.isEmpty && list.headroom == 3)
    }

    @Test func `a path in use is named`() throws {
        let address = SocketAddress.unix(path: SocketTests.path())
        let first = try ListeningSocket(at: address)
        #expect(throws: SocketError.addressInUse(address)) { try ListeningSocket(at: address) }
        _ = first.descriptor
    }

    @Test func `a path is waited for while its last listener is dying`() throws {
        let address = SocketAddress.unix(path: SocketTests.path())
        let dying = try ListeningSocket(at: address)
        let descriptor = dying.descriptor
        // As the end of a killed process does: nobody listens any more, and the path stays.
        let thread = try WorkThread(name: "dying") {
            Clock.pause(milliseconds: 60)
            _ = shutdown(descriptor, Int32(SHUT_RDWR))
        }
        let next = try ListeningSocket(at: address, patienceMilliseconds: 10_000)
        _ = try StreamSocket(to: address)
        thread.join()
        #expect(next.descriptor != dying.descriptor)
    }

    @Test func `a path left behind is replaced, another file is not`() throws {
        let path = SocketTests.path()
        let address = SocketAddress.unix(path: path)
        do {
            // A socket file whose listener died without removing it: only its descriptor is closed.
            let dying = try ListeningSocket(at: address)
            let copy = StreamSocket(owning: dying.descriptor)
            copy.shutDown()
            _ = copy.release()
            let second = try ListeningSocket(at: address)
            _ = try StreamSocket(to: address)
            _ = second.descriptor
        }
        #expect(throws: SocketError.addressInUse(.unix(path: "/dev/null"))) {
            try ListeningSocket(at: .unix(path: "/dev/null"))
        }
    }

    @Test func `TCP listens at a free port and connects`() throws {
        let listener = try ListeningSocket(at: .tcp(host: "127.0.0.1", port: 0))
        let port = try #require(listener.port)
        let client = try StreamSocket(to: .tcp(host: "127.0.0.1", port: port))
        let server = try listener.accept()
        try server.limitWait(milliseconds: 5000)
        try client.send([9])
        #expect(try server.receive(byteCountMax: 10) == [9])
        let taken = SocketAddress.tcp(host: "127.0.0.1", port: port)
        #expect(throws: SocketError.addressInUse(taken)) { try ListeningSocket(at: taken) }
    }

    @Test func `errors name the address`() {
        let host = SocketAddress.tcp(host: "256.1.1.1.invalid", port: 1)
        #expect {
            try ListeningSocket(at: host)
        } throws: { error in
            "\(error)".contains("256.1.1.1.invalid")
        }
        #expect {
            _ = try StreamSocket(to: .unix(path: "/nowhere/at/all"))
        } throws: { error in
            "\(error)" == "cannot connect to unix:/nowhere/at/all: No such file or directory (2)"
        }
        let long = String(repeating: "x", count: 200)
        #expect {
            try ListeningSocket(at: .unix(path: long))
        } throws: { error in
            "\(error)".contains("File name too long")
        }
    }
}
