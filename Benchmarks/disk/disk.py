#!/usr/bin/env python3
"""What the disk tier costs and gives: `make bench-disk` calls this.

  hits      content on disk, in the page cache, four times the memory: CPU per request against nginx
  latency   hits in memory while the disk is filled, against the same without, and against the same
            fill with nothing but memory
  recovery  a store of RECORDS responses whose PoP is killed under load: time from exec to the first
            hit from disk, and memory for each response
  ratio     the web workload with memory for 1 % of its footprint and disk for 10 %

Nothing but Python's standard library is needed. Servers and load are on cores of their own where that
matters; nothing else should run.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from statistics import median

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "Benchmarks/compare"))
import process  # noqa: E402
import stage  # noqa: E402

BARS = {"hits": 1.0, "latency": 2.0, "recovery": 1.0, "bytes": 32, "ratio": 0.80, "written": 0.03}
SERVER, LOAD = 0, 1


class Stage(stage.Stage):
    """With a PoP and nginx before the origin, and load on them."""

    def __init__(self, options):
        super().__init__(options, "disk")

    def pop(self, origin, memory, disk=None, admission="all", cpu=SERVER, name="store", port=None):
        port, admin = port or process.free_port(), process.free_port()
        command = [self.bin / "edge-pop", "--upstream", f"http://127.0.0.1:{origin}", "--listen",
                   f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin}", "--memory", memory,
                   "--log-level", "warning", "--access-log", "off"]
        if cpu is not None:
            command += ["--threads", "1"]
        if disk:
            command += ["--disk", self.directory / name, "--disk-size", disk,
                        "--disk-admission", admission]
        child = self.start(command, port, cpu=cpu)
        return Served(child, port, admin)

    def nginx(self, origin):
        port = process.free_port()
        place = self.directory / "nginx"
        place.mkdir()
        text = (TOP / "Benchmarks/compare/peers/nginx.conf").read_text()
        for word, value in {"USER": "user root;" if os.geteuid() == 0 else "", "DIR": place,
                            "CACHE": place / "cache", "MEMORY_MB": 4096, "ORIGIN_PORT": origin,
                            "PORT": port}.items():
            text = text.replace(f"@{word}@", str(value))
        (place / "nginx.conf").write_text(text)
        program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        child = self.start([program, "-e", "stderr", "-p", place, "-c", place / "nginx.conf"], port,
                           cpu=SERVER)
        return Served(child, port, None)

    def load(self, port, *arguments, cpu=LOAD, background=False):
        command = [str(self.bin / "edge-load"), "run", "--json", "--quiet", "--threads", "1",
                   "--target", f"http://127.0.0.1:{port}/", *map(str, arguments)]
        cpus = {cpu} if cpu is not None else set(range(os.cpu_count()))
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                 preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        return child if background else result(child)


class Served:
    def __init__(self, child, port, admin):
        self.child, self.port, self.admin = child, port, admin

    def cpu(self):
        return process.cpu_seconds(process.tree(self.child.pid))

    def memory(self):
        return process.memory_bytes([self.child.pid])

    def stats(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/stats") as answer:
            return json.load(answer)


def result(child):
    return json.loads(child.communicate()[0])


def verdict(name, value, bar, least=False):
    good = value >= bar if least else value <= bar
    print(f"  {name}: {value:.3f} (bar {bar}) {'pass' if good else 'FAIL'}", flush=True)
    return good


def hits(stage):
    """Content on disk against nginx, in turns."""
    origin = stage.origin(LOAD)
    ours = stage.pop(origin, "64MiB", "2GiB")
    theirs = stage.nginx(origin)
    good = True
    for title, size, count, connections in (("64 KB", 65536, 4096, 64), ("1 MB", 1 << 20, 256, 16)):
        paths = stage.directory / f"paths-{size}"
        paths.write_text("".join(f"/bytes/{size}/s/{number}\n" for number in range(count)))
        arguments = ["--connections", connections, "--paths-file", paths, "--duration"]
        for server in (ours, theirs):
            stage.load(server.port, *arguments, "6s")
        # What was written is on the disk before anything is measured.
        os.sync()
        for server in (ours, theirs):
            stage.load(server.port, *arguments, "1s")
        ratios = []
        for turn in range(stage.options.rounds):
            cost = {}
            for server in ((ours, theirs), (theirs, ours))[turn % 2]:
                before = server.cpu()
                done = stage.load(server.port, *arguments, "2s")
                if done["errors"]:
                    raise SystemExit(f"errors: {done['errors']}")
                cost[server] = process.cpu_between(before, server.cpu()) / done["requests"] * 1e6
            ratios.append(cost[ours] / cost[theirs])
            print(f"  {title}: {cost[ours]:.1f} us, nginx {cost[theirs]:.1f} us", flush=True)
        good &= verdict(f"{title} from disk, CPU per request by nginx's", median(ratios), BARS["hits"])
    disk = ours.stats()["disk"]
    print(f"  {disk['hits']} hits from disk, {disk['damaged'] + disk['readErrors']} errors")
    return good


def latency(stage):
    """Hits in memory while the disk is filled."""
    origin = stage.origin()
    found = {}
    pops = {name: stage.pop(origin, "256MiB", disk, cpu=None, name=f"latency-{name}")
            for name, disk in (("disk", "8GiB"), ("memory", None))}
    for turn in range(2 * stage.options.rounds):
        for name, pop in pops.items():
            for fills in (False, True):
                fill = stage.load(
                    pop.port, "--connections", 4, "--unique", "--rate",
                    stage.options.fill * 4, "--path", f"/bytes/262144/{name}-{turn}-{{n}}",
                    "--duration", "4s", cpu=None, background=True) if fills else None
                time.sleep(0.5 if fills else 0)
                run = stage.load(pop.port, "--connections", 16, "--rate", 2000, "--path",
                                 "/bytes/1024/hot", "--duration", "3s", cpu=None)
                found.setdefault((name, fills), []).append(run["latencyMicroseconds"]["all"]["p99"])
                if fill:
                    result(fill)
    middle = {key: median(values) for key, values in found.items()}
    print(f"  p99 at {stage.options.fill} MB/s: quiet {middle['disk', False]:.0f} us, filling the disk "
          f"{middle['disk', True]:.0f} us; with memory alone {middle['memory', False]:.0f} and "
          f"{middle['memory', True]:.0f} us")
    verdict("filling the disk by filling memory alone", middle["disk", True] / middle["memory", True],
            BARS["latency"])
    return verdict("filling the disk by quiet", middle["disk", True] / middle["disk", False],
                   BARS["latency"])


def recovery(stage):
    """A large store after SIGKILL under load."""
    records = stage.options.records
    origin = stage.origin()
    size = f"{(records * 2200 >> 30) + 1}GiB"
    pop = stage.pop(origin, "64MiB", size, cpu=None)
    empty = pop.memory()
    stage.load(pop.port, "--connections", 32, "--unique", "--path", "/bytes/1024/r-{n}",
               "--requests", records, "--duration", "3600s", cpu=None)
    deadline = time.monotonic() + 60
    while pop.stats()["disk"]["written"] < records * 0.99 and time.monotonic() < deadline:
        time.sleep(0.2)
    load = stage.load(pop.port, "--connections", 8, "--unique", "--path", "/bytes/1024/x-{n}",
                      "--duration", "2s", cpu=None, background=True)
    time.sleep(1)
    pop.child.kill()
    pop.child.wait()
    load.communicate()
    began = time.monotonic()
    again = stage.pop(origin, "64MiB", size, cpu=None, port=pop.port)
    # The oldest that is sure to be there: one of the first requests.
    with urllib.request.urlopen(f"http://127.0.0.1:{again.port}/bytes/1024/r-100") as answer:
        status = answer.headers["Cache-Status"]
    took = time.monotonic() - began
    disk = again.stats()["disk"]
    print(f"  {disk['recoveredResponses']} responses in {disk['recoveryMilliseconds']} ms; first answer: "
          f"{status}")
    grown = (again.memory() - empty) / max(1, disk["storedResponses"])
    print(f"  memory: directory {disk['directoryBytes'] / disk['storedResponses']:.1f} B for each response, "
          f"resident {grown:.1f} B more than an empty PoP")
    good = verdict("seconds from exec to the first hit from disk", took, BARS["recovery"])
    if "; hit" not in status:
        good = False
        print("  FAIL: it was no hit")
    return verdict("bytes of memory for each response", disk["directoryBytes"] / disk["storedResponses"],
                   BARS["bytes"]) and good


def ratio(stage):
    """The web workload with little memory and a small disk."""
    requests = 300_000
    workload = ["--workload", "web", "--dynamic", "0", "--requests", str(requests)]
    trace = subprocess.run([stage.bin / "edge-load", "trace", *workload], check=True,
                           capture_output=True, text=True).stdout.splitlines()[1:]
    sizes = {}
    for line in trace:
        _, key, size = line.split(",")
        sizes[key] = int(size)
    footprint = sum(sizes.values())
    site = stage.directory / "site"
    site.mkdir()
    origin = process.free_port()
    stage.start([stage.bin / "edge-load", "origin", "--listen", f"127.0.0.1:{origin}", "--root", site],
                origin)
    pop = stage.pop(origin, f"{footprint // 100 >> 20}MiB", f"{footprint // 10 >> 20}MiB", "auto",
                    cpu=None)
    stage.load(pop.port, "--connections", 16, *workload, cpu=None)
    stats = pop.stats()
    disk = stats["disk"]
    print(f"  footprint {footprint / 1e9:.2f} GB, memory {stats['memory']['capacity'] >> 20} MiB, disk "
          f"{disk['capacity'] >> 20} MiB; an infinite cache: {1 - len(sizes) / len(trace):.3f}")
    good = verdict("object hit ratio", stats["hits"] / stats["requests"], BARS["ratio"], least=True)
    return verdict("bytes written per byte requested", disk["bytesWritten"] / stats["bytesSent"],
                   BARS["written"]) and good


def main():
    parts = {"hits": hits, "ratio": ratio, "recovery": recovery, "latency": latency}
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("parts", nargs="*", help=f"which: {', '.join(parts)}; all if left out")
    parser.add_argument("--bin", help="the directory of the programs; built if left out")
    parser.add_argument("--directory", default="/var/tmp", help="a directory on the disk to be measured")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--fill", type=int, default=100, help="MB/s that the disk is filled with")
    options = parser.parse_args()
    process.raise_file_limit()
    for name in options.parts:
        if name not in parts:
            raise SystemExit(f"disk: no part '{name}'; there are: {', '.join(parts)}")
    good = True
    for name in options.parts or parts:
        print(f"{name}: {parts[name].__doc__}", flush=True)
        stage = Stage(options)
        try:
            good &= parts[name](stage)
        finally:
            stage.end()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
