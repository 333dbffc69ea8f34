"""What is printed: tables for people, lines of JSON for programs."""

import datetime
import json
import os
import platform
import shlex
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from .comparison import MEASURES, compare, spread
from .load import Case, Sample
from .servers import Server, first_line

Results = dict[Case, dict[str, list[Sample]]]

LABELS = {"iops": "requests/s", "p50": "p50 us", "p99": "p99 us", "cpu_per_request": "CPU us/request"}


def facts(folder: Path, servers: list[Server], settings: dict) -> dict:
    """What a reader needs to judge the figures, and to make them again."""
    repository = Path(__file__).resolve().parents[2]
    git = ["git", "-C", str(repository)]
    commit = subprocess.run(git + ["rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    changed = subprocess.run(git + ["status", "--porcelain"], capture_output=True, text=True).stdout
    mount = subprocess.run(
        ["findmnt", "-n", "-o", "SOURCE,FSTYPE", "-T", str(folder)], capture_output=True, text=True)
    return {
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": {
            "processor": processor_name(), "processors": os.cpu_count(),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "disk": mount.stdout.strip(), "load_average": os.getloadavg()[0],
        },
        "kernel": platform.release(),
        "commit": commit + ("+changes" if changed else ""),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "fio": first_line(["fio", "--version"]),
        "modelled": False,
        "settings": settings,
        "servers": {
            server.name: {"version": server.version(), "durability": server.durability}
            for server in servers},
    }


def processor_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def print_head(facts: dict):
    machine = facts["machine"]
    print(f"{machine['processor']}, {machine['processors']} processors, Linux {facts['kernel']}, "
          f"{machine['disk']}, commit {facts['commit'][:12]}, {facts['fio']}")
    print("closed loop: latency hides queueing (coordinated omission)")
    for name, server in facts["servers"].items():
        print(f"  {name}: {server['version']}; a write is answered when {server['durability']}")


def print_tables(results: Results, peers: list[str], canary_limit: float):
    for case, by_server in results.items():
        print(f"\n{case.name}: median (least to greatest)")
        print(f"  {'':10}" + "".join(f"{LABELS[measure]:>28}" for measure in MEASURES))
        for name, samples in by_server.items():
            cells = "".join(f"{spread_text(samples, measure):>28}" for measure in MEASURES)
            print(f"  {name:10}{cells}")
        subject = next(iter(by_server))
        for peer in peers:
            cells = "".join(
                f"{ratio_text(by_server[subject], by_server[peer], measure, canary_limit):>28}"
                for measure in MEASURES)
            print(f"  {'/ ' + peer:10}{cells}")
    print("\n'/ NAME' is the first server's figure over NAME's: the median of the rounds' ratios and "
          "its bootstrap 95 % interval;\n'~': the interval touches 1 +- 1 %; '-N': N rounds dropped, "
          "as the machine's speed changed inside them;\n'!': it changed in so many that none was dropped.")


def spread_text(samples: list[Sample], measure: str) -> str:
    if not samples:
        return "-"
    return "{} ({} to {})".format(*(number(value) for value in spread(samples, measure)))


def number(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:.1f}K"
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def ratio_text(ours: list[Sample], theirs: list[Sample], measure: str, canary_limit: float) -> str:
    ratio = compare(ours, theirs, measure, canary_limit)
    if ratio is None:
        return "too few rounds"
    mark = ("!" if ratio.is_restless else "") + ("" if ratio.is_significant else "~")
    dropped = f" -{ratio.dropped_count}" if ratio.dropped_count else ""
    return f"{mark}{ratio.median:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]{dropped}"


def write_lines(stream, results: Results, peers: list[str], canary_limit: float, facts: dict):
    """One line for each server of each case, and one for each ratio; each stands by itself."""
    for case, by_server in results.items():
        for name, samples in by_server.items():
            line = {"schema": "isotherm.bench.nbd.samples/1", "case": asdict(case), "server": name,
                    "samples": [asdict(sample) for sample in samples], **facts}
            print(json.dumps(line), file=stream)
        subject = next(iter(by_server))
        for peer in peers:
            ratios = {}
            for measure in MEASURES:
                ratio = compare(by_server[subject], by_server[peer], measure, canary_limit)
                ratios[measure] = asdict(ratio) if ratio else None
            line = {"schema": "isotherm.bench.nbd.ratios/1", "case": asdict(case), "of": subject,
                    "over": peer, "ratios": ratios, **facts}
            print(json.dumps(line), file=stream)
