"""The servers that are compared: how each is started, filled, measured and ended.

All keep their data in files of one folder, so on one disk.  An image is written in full before the
first measurement: an unwritten extent costs a file system's metadata at each first write.
"""

import abc
import os
import re
import signal
import subprocess
import time
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class ServerFailure(Exception):
    """A server does not start, or ended by itself."""


class Server(abc.ABC):
    """One server process with one export; the subclasses say how it is started."""

    name = ""
    #: What a reply to a write means while no flush is asked for.
    durability = ""

    def __init__(self, folder: Path, byte_count: int, processors: str | None):
        self.folder = folder / self.name
        self.folder.mkdir()
        self.byte_count = byte_count
        self.processors = processors
        self.socket = self.folder / "s"
        self.process = None
        self.log = open(self.folder / "log", "ab")

    @property
    def uri(self) -> str:
        return f"nbd+unix:///x?socket={self.socket}"

    @abc.abstractmethod
    def version(self) -> str:
        """What the program says of itself."""

    @abc.abstractmethod
    def command(self) -> list[str]:
        """What starts the server in the foreground."""

    @abc.abstractmethod
    def images(self) -> list[Path]:
        """The files whose cached pages are dropped before each measurement."""

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    @abc.abstractmethod
    def prepare(self):
        """Makes what the server serves, before it starts."""

    def start(self):
        prefix = ["taskset", "-c", self.processors] if self.processors else []
        self.process = subprocess.Popen(
            prefix + self.command(), env=self.environment(), stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while subprocess.run(["nbdinfo", "--size", self.uri], capture_output=True).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailure(f"{self.name} does not start; see {self.folder / 'log'}")
            time.sleep(0.05)

    def check_alive(self):
        if self.process.poll() is not None:
            raise ServerFailure(
                f"{self.name} ended by itself with {self.process.returncode}; see {self.folder / 'log'}")

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def cpu_seconds(self) -> float:
        """User and system time of all the process's threads so far, ended ones included."""
        text = Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def settle(self):
        """Writes back and drops what the host's page cache holds of the images."""
        for image in self.images():
            subprocess.run(
                ["dd", f"of={image}", "oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none"],
                check=True)


class FileServer(Server):
    """A server over one plain image."""

    @property
    def image(self) -> Path:
        return self.folder / "image"

    def prepare(self):
        fill(self.image, self.byte_count)

    def images(self) -> list[Path]:
        return [self.image]


class Nbdkit(FileServer):
    name = "nbdkit"
    durability = "the page cache has it (cache=none starts writeback and drops pages)"

    def version(self) -> str:
        return first_line(["nbdkit", "--version"])

    def command(self) -> list[str]:
        return ["nbdkit", "-f", "-U", str(self.socket), "file", str(self.image), "cache=none"]


class StorageDaemon(FileServer):
    name = "qsd"
    durability = "the device has completed it (O_DIRECT), its volatile cache may hold it"

    def version(self) -> str:
        return first_line(["qemu-storage-daemon", "--version"])

    def command(self) -> list[str]:
        return [
            "qemu-storage-daemon",
            "--blockdev", f"driver=file,node-name=f,filename={self.image},aio=io_uring,cache.direct=on",
            "--nbd-server", f"addr.type=unix,addr.path={self.socket}",
            "--export", "type=nbd,id=e,node-name=f,name=x,writable=on",
        ]


class Isotherm(Server):
    name = "isotherm"
    durability = "the flash device has completed data and metadata (O_DIRECT), its volatile cache may hold them"

    #: Set before the server is made: the program, and the sizes of the pool's devices in bytes.
    program = Path("isotherm")
    flash_byte_count = 0
    disk_byte_count = 0

    @property
    def uri(self) -> str:
        return f"nbd+unix:///bench/x?socket={self.socket}"

    def version(self) -> str:
        return first_line([str(self.program), "--version"])

    def environment(self) -> dict[str, str]:
        return dict(os.environ, ISOTHERM_HOME=str(self.folder))

    def images(self) -> list[Path]:
        return []  # Opened with O_DIRECT and locked; they have no pages.

    def prepare(self):
        self.run("pool", "create", "bench", "--dir", self.folder / "pool",
                 "--flash", f"{self.folder}/flash.img:{self.flash_byte_count}",
                 "--disk", f"{self.folder}/disk.img:{self.disk_byte_count}", "--lanes", "1")
        self.run("volume", "create", "bench/x", str(self.byte_count))

    def run(self, *arguments):
        outcome = subprocess.run(
            [self.program, *map(str, arguments)], env=self.environment(), capture_output=True, text=True)
        if outcome.returncode != 0:
            raise ServerFailure(f"isotherm {' '.join(map(str, arguments))}: {outcome.stderr.strip()}")

    def command(self) -> list[str]:
        return [str(self.program), "serve", "bench", "--socket", str(self.socket)]

    def start(self):
        super().start()
        # What the peers have as a file: every block written, with bytes that do not repeat.
        source = self.folder / "fill"
        fill(source, self.byte_count)
        subprocess.run(["nbdcopy", "--flush", "--requests=16", str(source), self.uri], check=True)
        source.unlink()


def fill(path: Path, byte_count: int):
    """Writes a file of random bytes and makes it durable."""
    with open("/dev/urandom", "rb") as source, open(path, "wb") as target:
        for start in range(0, byte_count, 1 << 20):
            target.write(source.read(min(1 << 20, byte_count - start)))
        target.flush()
        os.fsync(target.fileno())


def first_line(command: list[str]) -> str:
    outcome = subprocess.run(command, capture_output=True, text=True)
    text = (outcome.stdout or outcome.stderr).strip()
    return re.sub(r"\s+", " ", text.splitlines()[0]) if text else "unknown"
