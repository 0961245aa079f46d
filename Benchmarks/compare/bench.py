#!/usr/bin/env python3
"""Compares EdgeCache with the caches of Debian on this machine. See Benchmarks/README.md.

Exit status: 0 every bar that was measured is met, 2 one is not, 1 could not run.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

import bars
import cases
import check
import machine
import measure
import plot
import process
import report
import servers
from load import Generator

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


@dataclass
class Setup:
    """What all servers share."""

    directory: str
    programs: str
    memory_mb: int
    seconds: float
    server_cpu: int
    load_cpu: int
    origin_port: int = 0


def arguments():
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    words = str.split
    parser.add_argument("--rounds", type=int, default=5, help="at least 5 for numbers to keep")
    parser.add_argument("--seconds", type=float, default=2, help="of load for one measurement")
    parser.add_argument("--cases", default="", help="comma-separated; all if empty")
    parser.add_argument("--peers", default="", help="comma-separated; all if empty")
    parser.add_argument("--memory", type=int, default=64, help="MiB for stored responses")
    parser.add_argument("--bin", default=os.path.join(ROOT, ".build/release"))
    parser.add_argument("--results", default=os.path.join(ROOT, "Benchmarks/results"))
    parser.add_argument("--server-cpu", type=int)
    parser.add_argument("--load-cpu", type=int)
    return parser.parse_args()


def split(text):
    return [word for word in text.replace(",", " ").split() if word]


def cores(options):
    """The core of the servers and that of load and origin."""
    allowed = sorted(os.sched_getaffinity(0))
    server = allowed[0] if options.server_cpu is None else options.server_cpu
    rest = [cpu for cpu in allowed if cpu != server]
    if not rest:
        raise SystemExit("bench: two CPUs are needed, one for the server and one for the load")
    load = rest[0] if options.load_cpu is None else options.load_cpu
    return server, load


def compile_programs(directory):
    """Builds the floor and the origin."""
    if shutil.which("gcc") is None:
        raise SystemExit("bench: gcc is missing; run scripts/setup --bench")
    for name in ("floor", "origin"):
        subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o",
                        os.path.join(directory, name), os.path.join(HERE, f"{name}.c")],
                       check=True)


def start_origin(setup):
    setup.origin_port = process.free_port()
    log = os.path.join(setup.directory, "origin.log")
    origin = process.start([os.path.join(setup.directory, "origin"), str(setup.origin_port)],
                           setup.load_cpu, log)
    process.wait_for_port(origin, setup.origin_port, log)
    return origin


def main():
    options = arguments()
    chosen = cases.named(split(options.cases))
    kinds = servers.named(split(options.peers))
    for name in ("edge-pop", "edge-load"):
        if not os.access(os.path.join(options.bin, name), os.X_OK):
            raise SystemExit(f"bench: {name} is not in {options.bin}; run make build")
    server_cpu, load_cpu = cores(options)
    process.raise_file_limit()
    # The driver itself must not disturb the server.
    os.sched_setaffinity(0, {load_cpu})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    progress = measure.Progress()
    started = time.time()
    running, origin = [], None
    with tempfile.TemporaryDirectory(prefix="edgecache-bench-") as directory:
        setup = Setup(directory, options.bin, options.memory, options.seconds, server_cpu,
                      load_cpu)
        try:
            compile_programs(directory)
            origin = start_origin(setup)
            for kind in kinds:
                server = kind(setup)
                progress.show(f"starting {server.name}")
                running.append(server)
                server.start()
            generator = Generator(os.path.join(options.bin, "edge-load"), load_cpu)
            measurement = measure.Measurement(setup, running, chosen, generator, progress)
            measurement.run(options.rounds)
            about = machine.describe(setup, options, measurement, started)
        finally:
            progress.end()
            for server in running:
                server.stop()
            if origin is not None:
                process.stop(origin)
    judged = bars.judge(measurement)
    results = report.collect(measurement, judged, about)
    os.makedirs(options.results, exist_ok=True)
    report.write_json(results, os.path.join(options.results, "compare.json"))
    text = report.markdown(results)
    with open(os.path.join(options.results, "compare.md"), "w") as file:
        file.write(text)
    with open(os.path.join(options.results, "compare.svg"), "w") as file:
        file.write(plot.picture(results))
    print(text)
    print(f"bench: results are in {os.path.relpath(options.results)}", file=sys.stderr)
    return 2 if any(bar["verdict"] == "fail" for bar in judged) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        sys.exit(1)
