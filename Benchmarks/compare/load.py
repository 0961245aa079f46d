"""The load: one run of edge-load, on its own core, read back as numbers."""

import json
import os
import subprocess
from dataclasses import dataclass
from statistics import median


@dataclass
class Load:
    """What one run saw."""

    requests: int
    seconds: float
    rate: float
    errors: int
    p50: float
    p99: float
    p999: float


def together(loads):
    """Several runs as one: sums, and the median run's latencies, which a stall of the machine that hits
    one or two of them does not touch."""
    def middle(name):
        return median(getattr(load, name) for load in loads)

    seconds = sum(load.seconds for load in loads)
    requests = sum(load.requests for load in loads)
    return Load(requests, seconds, requests / max(seconds, 1e-9),
                sum(load.errors for load in loads), middle("p50"), middle("p99"), middle("p999"))


class Generator:
    """edge-load, with the core it runs on."""

    def __init__(self, program, cpu):
        self.program, self.cpu = program, cpu

    def run(self, port, path, seconds, connections=64, rate=None, fields=(), method="GET", body=0,
            paths_file=None, zipf=None, unique=False):
        """Puts load on a port and returns a `Load`."""
        command = [self.program, "run", "--json", "--quiet", "--threads", "1",
                   "--target", f"http://127.0.0.1:{port}/",
                   "--connections", str(connections), "--duration", f"{int(seconds * 1000)}ms"]
        command += ["--paths-file", paths_file] if paths_file else ["--path", path]
        for line in fields:
            command += ["--header", line]
        if rate:
            command += ["--rate", str(int(rate))]
        if zipf:
            command += ["--zipf", str(zipf)]
        if unique:
            command += ["--unique"]
        if method != "GET":
            command += ["--method", method]
        if body:
            command += ["--body-size", str(body)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + 60,
            preexec_fn=lambda: os.sched_setaffinity(0, {self.cpu}))
        try:
            report = json.loads(done.stdout)
        except ValueError:
            raise RuntimeError(f"edge-load failed: {done.stderr.strip() or done.stdout.strip()}")
        latency = report["latencyMicroseconds"].get("all", {})
        errors = sum(report["errors"].values())
        errors += sum(n for name, n in report["statusClasses"].items() if name in ("5xx", "4xx"))
        return Load(report["requests"], report["seconds"], report["requestsPerSecond"], errors,
                    latency.get("p50", 0), latency.get("p99", 0), latency.get("p999", 0))
