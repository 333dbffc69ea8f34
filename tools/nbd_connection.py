"""One NBD connection that sends many requests at a time, for the checks of this folder.

It needs nothing but Python's standard library, and it never waits in a place that the caller did
not choose: `submit` queues, `pump` moves bytes, `take` hands out what was answered.
"""

import select
import socket
import struct
import time
from collections import deque

READ, WRITE, DISCONNECT, FLUSH, TRIM, CACHE, ZERO = range(7)
DURABLE = 1
"""The flag that is called FUA on the wire."""

_OPTION_MAGIC = b"IHAVEOPT"
_OPTION_REPLY_MAGIC = 0x3E889045565A9
_GO, _ACKNOWLEDGE, _INFORMATION = 7, 1, 3
_REQUEST = struct.Struct(">IHHQQI")
_REQUEST_MAGIC = 0x25609513
_REPLY = struct.Struct(">IIQ")
_REPLY_MAGIC = 0x67446698


class ConnectionLost(Exception):
    """The other side is gone, or speaks something else."""


class Reply:
    """What came back for one request."""

    __slots__ = ("context", "data", "error", "received")

    def __init__(self, context, error: int, data: bytes, received: float):
        self.context, self.error, self.data, self.received = context, error, data, received


class Connection:
    """A connection in its transmission phase.  Belongs to one thread."""

    def __init__(self, path: str, export: str, patience: float = 60):
        """Connects; raises ConnectionLost, also when the server says nothing for `patience` seconds."""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.outgoing = deque()
        self.incoming = bytearray()
        self.waiting = {}
        self.replies = deque()
        self.cookie = 0
        try:
            self.socket.connect(str(path))
            self.socket.settimeout(patience)
            self._go(export.encode())
        except (OSError, struct.error) as error:
            self.socket.close()
            raise ConnectionLost(str(error)) from error
        self.socket.setblocking(False)

    def _receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionLost("closed in the handshake")
            data += part
        return data

    def _go(self, export: bytes):
        greeting = self._receive(18)
        if greeting[:16] != b"NBDMAGIC" + _OPTION_MAGIC:
            raise ConnectionLost("no NBD server")
        request = struct.pack(">I", len(export)) + export + struct.pack(">H", 0)
        self.socket.sendall(struct.pack(">I", 3) + _OPTION_MAGIC + struct.pack(">II", _GO, len(request)) + request)
        while True:
            magic, _, kind, length = struct.unpack(">QIII", self._receive(20))
            data = self._receive(length)
            if magic != _OPTION_REPLY_MAGIC:
                raise ConnectionLost("no answer to an option")
            if kind == _ACKNOWLEDGE:
                return
            if kind != _INFORMATION:
                raise ConnectionLost(f"the export is refused: {kind:#x} {data!r}")
            if data[:2] == b"\0\0":
                self.byte_count, self.flags = struct.unpack(">QH", data[2:12])

    @property
    def in_flight(self) -> int:
        return len(self.waiting)

    def submit(self, kind: int, offset: int, length: int, context=None, data: bytes = b"", flags: int = 0):
        """Queues one request; `pump` sends it."""
        self.cookie += 1
        self.waiting[self.cookie] = (context, length if kind == READ else 0)
        self.outgoing.append(_REQUEST.pack(_REQUEST_MAGIC, flags, kind, self.cookie, offset, length))
        if data:
            self.outgoing.append(data)

    def take(self) -> Reply | None:
        """The oldest reply that was not taken."""
        return self.replies.popleft() if self.replies else None

    def pump(self, timeout: float):
        """Sends and receives what it can; waits for something to arrive, at most `timeout` seconds."""
        try:
            self._send()
            readable, _, _ = select.select([self.socket], [self.socket] if self.outgoing else [], [], timeout)
            if readable:
                part = self.socket.recv(1 << 20)
                if not part:
                    raise ConnectionLost("closed by the server")
                self.incoming += part
                self._parse(time.monotonic())
            self._send()
        except OSError as error:
            raise ConnectionLost(str(error)) from error

    def _send(self):
        while self.outgoing:
            piece = self.outgoing[0]
            try:
                count = self.socket.send(piece)
            except BlockingIOError:
                return
            if count == len(piece):
                self.outgoing.popleft()
            else:
                self.outgoing[0] = memoryview(piece)[count:]

    def _parse(self, now: float):
        used = 0
        while len(self.incoming) - used >= _REPLY.size:
            magic, error, cookie = _REPLY.unpack_from(self.incoming, used)
            if magic != _REPLY_MAGIC or cookie not in self.waiting:
                raise ConnectionLost("a reply to nothing that was asked")
            context, length = self.waiting[cookie]
            length = 0 if error else length
            end = used + _REPLY.size + length
            if len(self.incoming) < end:
                break
            del self.waiting[cookie]
            self.replies.append(Reply(context, error, bytes(self.incoming[end - length : end]), now))
            used = end
        del self.incoming[:used]

    def finish(self, timeout: float = 60):
        """Returns when every request is answered."""
        deadline = time.monotonic() + timeout
        while self.waiting:
            self.pump(1)
            if time.monotonic() > deadline:
                raise ConnectionLost(f"no answer within {timeout} s")

    def call(self, kind: int, offset: int = 0, length: int = 0, data: bytes = b"", flags: int = 0) -> bytes:
        """One request and its answer, with nothing else in flight."""
        self.submit(kind, offset, length, None, data, flags)
        self.finish()
        reply = self.take()
        if reply.error:
            raise ConnectionLost(f"the server answers with error {reply.error}")
        return reply.data

    def read_all(self) -> bytes:
        """All bytes of the export."""
        image = bytearray(self.byte_count)
        step = 1 << 20
        for offset in range(0, self.byte_count, step):
            while self.in_flight >= 4:
                self._place(image)
            self.submit(READ, offset, min(step, self.byte_count - offset), offset)
        while self.in_flight or self.replies:
            self._place(image)
        return bytes(image)

    def _place(self, image: bytearray):
        if not self.replies:
            self.pump(60)
        while reply := self.take():
            if reply.error:
                raise ConnectionLost(f"reading 1 MiB at {reply.context} ends with error {reply.error}")
            image[reply.context : reply.context + len(reply.data)] = reply.data

    def disconnect(self):
        """Says goodbye and closes."""
        try:
            self.socket.setblocking(True)
            self.socket.sendall(_REQUEST.pack(_REQUEST_MAGIC, 0, DISCONNECT, 0, 0, 0))
        except OSError:
            # The server is gone, which ends the connection as well.
            pass
        self.close()

    def close(self):
        self.socket.close()
