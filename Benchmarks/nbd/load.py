"""One measurement: fio's NBD engine against one server."""

import json
import subprocess
import time
import zlib
from dataclasses import dataclass

from .servers import Server


class LoadFailure(Exception):
    """fio ended with an error."""


@dataclass(frozen=True)
class Case:
    """A kind of load."""

    direction: str  # "randwrite" or "randread"
    depth: int
    block: str = "4k"

    @property
    def name(self) -> str:
        return f"{self.direction} {self.block} depth {self.depth}"


@dataclass(frozen=True)
class Sample:
    """What one run of one case on one server gave.  Latencies are microseconds."""

    iops: float
    p50: float
    p99: float
    request_count: int
    cpu_per_request: float  # microseconds of the server's processor time
    canary: float  # seconds of a fixed piece of work, the slower of before and after


_canary_bytes = bytes(range(256)) * (32 << 12)  # 32 MiB


def canary() -> float:
    """Seconds that a fixed piece of work takes: tells whether the machine was as fast as before."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        zlib.crc32(_canary_bytes)
        best = min(best, time.perf_counter() - start)
    return best


class Calm:
    """Waits until the machine is as fast as it was at its best, for a while at most."""

    def __init__(self, limit: float, patience: float):
        self.limit, self.patience = limit, patience
        self.best = canary()

    def wait(self):
        deadline = time.monotonic() + self.patience
        while True:
            now = canary()
            self.best = min(self.best, now)
            if now <= self.best * (1 + self.limit) or time.monotonic() > deadline:
                return
            time.sleep(0.2)


def fio_command(server: Server, case: Case, seconds: float, flush_every: int, seed: int) -> list[str]:
    command = [
        "fio", "--name=x", "--ioengine=nbd", f"--uri={server.uri}", f"--rw={case.direction}",
        f"--bs={case.block}", f"--iodepth={case.depth}", f"--runtime={seconds}", "--time_based",
        f"--size={server.byte_count}", "--norandommap", "--randrepeat=0", f"--randseed={seed}",
        "--output-format=json",
    ]
    if flush_every and case.direction == "randwrite":
        command.append(f"--fsync={flush_every}")
    return command


def measure(server: Server, case: Case, seconds: float, flush_every: int, seed: int,
            processors: str | None) -> Sample:
    """Runs one case.  The server's processor time is taken from its start to fio's end."""
    server.settle()
    before = canary()
    cpu = server.cpu_seconds()
    prefix = ["taskset", "-c", processors] if processors else []
    outcome = subprocess.run(
        prefix + fio_command(server, case, seconds, flush_every, seed), capture_output=True, text=True,
        stdin=subprocess.DEVNULL)
    cpu = server.cpu_seconds() - cpu
    server.check_alive()
    start = outcome.stdout.find("{\n")
    if outcome.returncode != 0 or start < 0:
        raise LoadFailure(f"fio on {server.name}, {case.name}: {outcome.stderr[-500:]}{outcome.stdout[-500:]}")
    job = json.loads(outcome.stdout[start:])["jobs"][0]
    if job["error"]:
        raise LoadFailure(f"fio on {server.name}, {case.name}: error {job['error']}")
    side = job["read" if case.direction == "randread" else "write"]
    percentiles = side["clat_ns"]["percentile"]
    return Sample(
        iops=side["iops"],
        p50=percentiles["50.000000"] / 1e3,
        p99=percentiles["99.000000"] / 1e3,
        request_count=side["total_ios"],
        cpu_per_request=cpu / max(1, side["total_ios"]) * 1e6,
        canary=max(before, canary()))
