"""What the checks share that know what was written: a server of their own, and stamped blocks."""

import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

import nbd_connection

BLOCK = 4096
ZEROS = bytes(BLOCK)
MOVED = "ByteCount"
_STAMP = struct.Struct("<QQQ8s")


class Failure(Exception):
    """What a person reads when a check fails."""


def content(block: int, version: int, seed: int) -> bytes:
    """A block's bytes: a stamp with its place, version and seed, repeated, and its CRC at the end.

    Version 0 reads as zeros.
    """
    if version == 0:
        return ZEROS
    body = (_STAMP.pack(block, version, seed, b"isotherm") * (BLOCK // _STAMP.size))[: BLOCK - 4]
    return body + zlib.crc32(body).to_bytes(4, "little")


def version_of(found: bytes, block: int, seed: int) -> int | None:
    """The version that a block's bytes are, 0 for zeros; None when nobody wrote them there."""
    if found == ZEROS:
        return 0
    version = _STAMP.unpack_from(found)[1]
    return version if version and found == content(block, version, seed) else None


def name(found: bytes) -> str:
    """What a person calls the bytes of one block."""
    if found == ZEROS:
        return "zeros"
    if zlib.crc32(found[:-4]).to_bytes(4, "little") == found[-4:]:
        block, version, seed, _ = _STAMP.unpack_from(found)
        return f"version {version} of block {block}, seed {seed}"
    return "bytes that nobody wrote"


class Server:
    """One pool `demo`, and the process that serves it."""

    def __init__(self, program: Path, folder: Path):
        self.program, self.folder = program, folder
        self.log = open(folder / "server.log", "ab")
        self.socket = folder / "nbd.sock"
        self.environment = dict(os.environ, ISOTHERM_HOME=str(folder / "home"), SWIFT_BACKTRACE="enable=no")
        (folder / "home").mkdir(exist_ok=True)
        self.process = None

    def run(self, *arguments) -> bytes:
        """Runs a command to its end and returns its output."""
        done = subprocess.run([self.program, *map(str, arguments)], env=self.environment,
                              stdout=subprocess.PIPE, stderr=self.log, check=False)
        if done.returncode:
            raise Failure(f"'isotherm {' '.join(map(str, arguments))}' ends with {done.returncode}{self.last_lines()}")
        return done.stdout

    def create(self, volumes: dict[str, str], *arguments):
        """Makes the pool and its volumes, each with its size."""
        self.run("pool", "create", "demo", *arguments)
        for volume, size in volumes.items():
            self.run("volume", "create", f"demo/{volume}", size)

    def start(self):
        self.process = subprocess.Popen(
            [self.program, "serve", "demo", "--socket", self.socket],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def connect(self, volume: str = "vol0", patience: float = 60) -> nbd_connection.Connection:
        """A connection, as soon as the server takes one."""
        deadline = time.monotonic() + patience
        while True:
            try:
                return nbd_connection.Connection(self.socket, f"demo/{volume}")
            except nbd_connection.ConnectionLost as error:
                if self.process.poll() is not None:
                    raise Failure(
                        f"the server ended by itself: {self.process.returncode}{self.last_lines()}") from error
                if time.monotonic() > deadline:
                    raise Failure(f"the server does not answer within {patience} s of its start") from error
                time.sleep(0.01)

    def end(self, how: signal.Signals):
        """Sends the signal, and fails unless the server ends as it should on that."""
        self.process.send_signal(how)
        try:
            status = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"the server does not end within 60 s of {how.name}") from error
        if how == signal.SIGTERM and status != 0:
            raise Failure(f"SIGTERM ended the server with {status}, not 0{self.last_lines()}")
        if how == signal.SIGKILL and status != -signal.SIGKILL:
            raise Failure(f"the server ended by itself: {status}{self.last_lines()}")

    def abandon(self):
        """Ends the server in any case, for a check that is over."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def note_moves(self, counters: Counter):
        """Adds what the server has moved since its start; its counters end with it."""
        moved = json.loads(self.run("status", "demo", "--json"))["items"][0]["moves"]
        for field, count in moved.items():
            if field.endswith(MOVED):
                counters[field] += count

    def last_lines(self) -> str:
        self.log.flush()
        lines = (self.folder / "server.log").read_text(errors="replace").splitlines()[-5:]
        return "".join(f"\n    | {line}" for line in lines)


def moves(counters: Counter) -> str:
    """What `note_moves` added, in words."""
    return ", ".join(f"{field.removesuffix(MOVED)} {count / (1 << 20):.0f} MiB"
                     for field, count in sorted(counters.items()) if field.endswith(MOVED))


def install_packages(*options: str):
    """Installs what is missing, as tools/install-packages takes it; says nothing when all is there."""
    done = subprocess.run([Path(__file__).resolve().parent / "install-packages", *options], check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def find_program(given: Path | None) -> Path:
    """The program to check: the one that was named, or the release build, with what building needs."""
    if given is None:
        install_packages()
        build = Path(__file__).resolve().parent / "build"
        given = Path(subprocess.run([build], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
    if not os.access(given, os.X_OK):
        print(f"{Path(sys.argv[0]).name}: error: there is no program '{given}'", file=sys.stderr)
        raise SystemExit(1)
    return given.resolve()


def choose_seed(given: int | None) -> int:
    """The seed that was named, or a fresh one; prints it."""
    seed = random.SystemRandom().randrange(1 << 32) if given is None else given
    print(f"seed {seed}", flush=True)
    return seed
