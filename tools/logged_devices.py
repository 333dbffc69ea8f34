"""Devices that log each write, discard and flush, and the images that a power cut could have left.

One qemu-storage-daemon serves each device as a file (FUSE export), over its driver blklogwrites.
That driver writes an entry of the dm-log-writes format for every operation, once it has completed
and before it is answered.  All these logs are kept by a small NBD server in this process, which
takes the entries of all devices one at a time: so the devices, and what a client of this process
noted in between, stand in one order, in which each thing comes after what it depends on.

    engine -> FUSE file -> blklogwrites -> image file
                               |
                               +-> log: NBD -> `Recorder.entries`, one list for all devices

A flush is logged when it has completed.  The daemon carries out one operation at a time, so every
write before it in the list is durable with it.
"""

import os
import random
import signal
import socket
import socketserver
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from verifying import Failure

SECTOR = 512
FLUSH, DURABLE, DISCARD = 1, 2, 4
_ENTRY = struct.Struct("<QQQQ")
"""First sector, number of sectors, flags, and the length of a mark, which this driver never writes."""
_LOG_BYTES = 1 << 40
"""The size that each log claims: nothing of it is stored beyond its entries."""

_OPTION_MAGIC = b"IHAVEOPT"
_EXPORT_NAME, _GO = 1, 7


class Entry:
    """One completed operation of one device."""

    __slots__ = ("device", "file", "flags", "length", "offset", "start", "stored")

    def __init__(self, device: str, offset: int, length: int, flags: int):
        self.device, self.offset, self.length, self.flags = device, offset, length, flags

    def store(self, file, start: int, data: bytes):
        """Keeps what was written in an open file, which is closed when its last entry goes."""
        os.pwrite(file.fileno(), data, start)
        self.file, self.start, self.stored = file, start, len(data)

    @property
    def data(self) -> bytes:
        """What was written; empty for flushes and discards."""
        return os.pread(self.file.fileno(), self.stored, self.start)


class Recorder:
    """An NBD server that keeps what blklogwrites writes, in the order in which it is written."""

    def __init__(self, path: Path):
        self.entries = []
        self.lock = threading.Lock()
        self.store = tempfile.TemporaryFile(dir=path.parent)
        self.byte_count = 0
        recorder = self

        class Session(socketserver.BaseRequestHandler):
            def handle(self):
                recorder.serve(self.request)

        class Listener(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

        self.listener = Listener(str(path), Session)
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()

    def close(self):
        self.listener.shutdown()
        self.listener.server_close()

    def serve(self, connection: socket.socket):
        stream = connection.makefile("rb")
        try:
            device = self._negotiate(connection, stream)
            while header := stream.read(28):
                _, _, kind, cookie, offset, length = struct.unpack(">IHHQQI", header)
                if kind == 2:
                    return
                data = b""
                if kind == 1:
                    data = stream.read(length)
                    self._take(device, offset, data)
                elif kind == 0:
                    data = bytes(length)
                connection.sendall(struct.pack(">IIQ", 0x67446698, 0, cookie) + (data if kind == 0 else b""))
        except (OSError, struct.error):
            # The daemon is gone; what it logged is here.
            return

    def _negotiate(self, connection: socket.socket, stream) -> str:
        connection.sendall(b"NBDMAGIC" + _OPTION_MAGIC + b"\0\3")
        stream.read(4)
        while True:
            _, option, length = struct.unpack(">8sII", stream.read(16))
            data = stream.read(length)
            flags = 1 | 4 | 8  # Has flags, can flush, knows FUA.
            if option == _EXPORT_NAME:
                connection.sendall(struct.pack(">QH", _LOG_BYTES, flags))
                return data.decode()
            if option == _GO:
                size = struct.unpack(">I", data[:4])[0]
                information = struct.pack(">HQH", 0, _LOG_BYTES, flags)
                connection.sendall(self._option_reply(option, 3, information) + self._option_reply(option, 1))
                return data[4 : 4 + size].decode()
            connection.sendall(self._option_reply(option, 2**31 + 1))

    @staticmethod
    def _option_reply(option: int, kind: int, data: bytes = b"") -> bytes:
        return struct.pack(">QIII", 0x3E889045565A9, option, kind, len(data)) + data

    def _take(self, device: str, offset: int, data: bytes):
        """One entry; what the driver writes to sector 0 is only the count of its entries."""
        if offset < SECTOR:
            return
        sector, count, flags, _ = _ENTRY.unpack_from(data)
        payload = data[SECTOR:]
        if len(payload) != (0 if flags & DISCARD else count * SECTOR):
            raise OSError("an entry of the log came in pieces")
        with self.lock:
            entry = Entry(device, sector * SECTOR, count * SECTOR, flags)
            entry.store(self.store, self.byte_count, payload)
            self.byte_count += len(payload)
            self.entries.append(entry)


class LoggedDevices:
    """The daemon and its devices: `path(name)` is the file to use, its content is the image's."""

    def __init__(self, folder: Path, images: dict[str, Path]):
        self.folder, self.images = folder, images
        (folder / "logged").mkdir()
        self.recorder = Recorder(folder / "log.sock")
        command = ["qemu-storage-daemon"]
        for name, image in images.items():
            self.path(name).touch()
            command += [
                "--blockdev", f"driver=file,node-name=image-{name},filename={image},discard=unmap",
                "--blockdev", f"driver=nbd,node-name=log-{name},export={name},server.type=unix,"
                              f"server.path={folder / 'log.sock'}",
                "--blockdev", f"driver=blklogwrites,node-name=logged-{name},file=image-{name},log=log-{name},"
                              f"log-sector-size={SECTOR},discard=unmap",
                "--export", f"type=fuse,id={name},node-name=logged-{name},mountpoint={self.path(name)},writable=on",
            ]
        self.messages = open(folder / "devices.log", "ab")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.messages, stderr=self.messages)
        deadline = time.monotonic() + 20
        while not all(self._is_served(name) for name in images):
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = (folder / "devices.log").read_text(errors="replace")
                raise Failure(f"qemu-storage-daemon does not serve its devices: {said}")
            time.sleep(0.02)
        for name in images:
            self._serialise(self.path(name))

    @staticmethod
    def _serialise(path: Path):
        """Lets the kernel send one write at a time to the file.

        The FUSE export of qemu before 10.2 receives the next request into the buffer from which it
        still writes: two writes at a time mix their bytes.
        """
        control = Path("/sys/fs/fuse/connections")
        number = os.minor(path.stat().st_dev)
        if not (control / str(number)).is_dir():
            subprocess.run(["mount", "-t", "fusectl", "none", control], check=False, capture_output=True)
        try:
            (control / str(number) / "max_background").write_text("1")
        except OSError as error:
            raise Failure(f"the requests of {path} cannot be limited: {error}") from error

    def path(self, name: str) -> Path:
        return self.folder / "logged" / name

    def _is_served(self, name: str) -> bool:
        return f" {self.path(name)} fuse" in Path("/proc/mounts").read_text()

    @property
    def entries(self) -> list[Entry]:
        return self.recorder.entries

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for name in self.images:
            if self._is_served(name):
                subprocess.run(["umount", "-l", self.path(name)], check=False)
        self.messages.close()
        self.recorder.close()


MODES = ("all", "none", "one in ten", "half", "nine in ten", "a prefix", "all but one", "one", "torn")
"""What of a device's volatile writes a power cut leaves."""


class PowerCuts:
    """Rebuilds the images as of a place in the log.  Places must come in rising order."""

    def __init__(self, bases: dict[str, bytes], entries: list[Entry], tears: dict[str, int]):
        """`tears` is the size of what each device writes as a whole, in bytes."""
        self.durable = {name: bytearray(base) for name, base in bases.items()}
        self.volatile = {name: [] for name in bases}
        self.entries, self.tears = entries, tears
        self.place = 0

    def advance(self, place: int):
        """Takes over what the first `place` entries did: up to its flush each device is durable."""
        for entry in self.entries[self.place : place]:
            waiting = self.volatile[entry.device]
            if entry.length:
                waiting.append(entry)
            if entry.flags & FLUSH:
                for done in waiting:
                    self._apply(self.durable[entry.device], done)
                waiting.clear()
        self.place = place

    @staticmethod
    def _apply(image: bytearray, entry: Entry):
        data = bytes(entry.length) if entry.flags & DISCARD else entry.data
        image[entry.offset : entry.offset + len(data)] = data

    def image(self, device: str, mode: str, generator: random.Random) -> bytearray:
        """What a cut here leaves on the device: what was flushed, and of the rest what `mode` says."""
        image = bytearray(self.durable[device])
        for entry, is_torn in self._choose(self.volatile[device], mode, generator):
            if entry.flags & DISCARD:
                self._discard(image, entry, generator)
            elif is_torn:
                self._tear(image, entry, self.tears[device], generator)
            else:
                self._apply(image, entry)
        return image

    @staticmethod
    def _choose(entries: list[Entry], mode: str, generator: random.Random):
        shares = {"one in ten": 0.1, "half": 0.5, "nine in ten": 0.9}
        if mode == "all":
            return [(entry, False) for entry in entries]
        if mode == "none" or not entries:
            return []
        if mode in shares:
            return [(entry, False) for entry in entries if generator.random() < shares[mode]]
        if mode == "torn":
            return [(entry, generator.random() < 0.5) for entry in entries]
        place = generator.randrange(len(entries))
        if mode == "a prefix":
            return [(entry, False) for entry in entries[:place]]
        if mode == "all but one":
            return [(entry, False) for entry in entries[:place] + entries[place + 1 :]]
        return [(entries[place], False)]

    @staticmethod
    def _tear(image: bytearray, entry: Entry, unit: int, generator: random.Random):
        """Each unit of the write is there or not; sometimes only its beginning is."""
        data = entry.data
        units = range(0, len(data), unit)
        kept = generator.randrange(len(units) + 1) if generator.random() < 0.5 else None
        for index, start in enumerate(units):
            if (index < kept) if kept is not None else generator.random() < 0.5:
                piece = data[start : start + unit]
                image[entry.offset + start : entry.offset + start + len(piece)] = piece

    @staticmethod
    def _discard(image: bytearray, entry: Entry, generator: random.Random):
        """A discarded range may hold the old bytes, zeros, or anything."""
        kind = generator.randrange(3)
        if kind:
            data = bytes(entry.length) if kind == 1 else generator.randbytes(entry.length)
            image[entry.offset : entry.offset + entry.length] = data


def write_image(path: Path, image: bytes):
    """Writes an image as a sparse file."""
    step = 1 << 16
    empty = bytes(step)
    with open(path, "wb") as file:
        file.truncate(len(image))
        view = memoryview(image)
        for offset in range(0, len(image), step):
            piece = view[offset : offset + step]
            if piece != empty[: len(piece)]:
                os.pwrite(file.fileno(), piece, offset)
