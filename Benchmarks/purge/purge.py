#!/usr/bin/env python3
"""What a purge takes: `make bench-purge` calls this.

  fleet   POPS processes, each with stored responses, a disk and sockets of its own: from the start of a purge of a
          URL by purge-cli to the acknowledgement of each
  apply   one PoP with RESPONSES stored responses: from sending a purge to its acknowledgement, for every scope and
          mode; and how long it takes until what it took is freed
  load    three PoPs under load with continuous purges of what is read most: bytes that are older than an
          acknowledged purge

Nothing but Python's standard library is needed. Nothing else should run.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "Benchmarks/compare"))
import process  # noqa: E402
import stage  # noqa: E402

BARS = {"fleet": 150, "apply": 5, "load": 0}
HOST = "www.edge.example"


class Stage(stage.Stage):
    """With fleets of PoPs, and purge-cli."""

    def __init__(self, options):
        super().__init__(options, "purge")

    def fleet(self, origin, count, disks):
        """A configuration of so many PoPs."""
        ports = set()
        while len(ports) < 2 * count:
            ports.add(process.free_port())
        ports = sorted(ports)
        pops = []
        for number in range(count):
            pop = {"id": f"p{number}", "city": f"City {number}", "latitude": 0, "longitude": 0,
                   "region": "r", "listen": [f"127.0.0.1:{ports[2 * number]}"],
                   "admin": f"127.0.0.1:{ports[2 * number + 1]}", "memory": "16MiB", "threads": 1}
            if disks:
                pop["disk"] = {"path": str(self.directory / f"store{number}"), "size": "16MiB",
                               "admission": "all"}
            pops.append(pop)
        upstream = f"http://127.0.0.1:{origin}"
        config = self.directory / "pops.json"
        config.write_text(json.dumps({
            "fleet": "bench", "regions": {"r": {"api": [upstream]}},
            "sites": [{"name": "s", "hosts": [HOST], "origin": [upstream]}], "pops": pops}))
        for number, pop in enumerate(pops):
            self.start([self.bin / "edge-pop", "--config", config, "--pop", pop["id"], "--log-level",
                        "warning"], ports[2 * number + 1], pop["id"])
        return config, pops

    def cli(self, *arguments):
        done = subprocess.run([self.bin / "purge-cli", *map(str, arguments)], capture_output=True,
                              text=True, env={**os.environ,
                                              "EDGE_PURGE_SPOOL": str(self.directory / "spool")})
        return done


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def verdict(name, value, bar):
    good = value <= bar
    print(f"  {name}: {value:g} (bar {bar}) {'pass' if good else 'FAIL'}", flush=True)
    return good


def fetch(address, paths):
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port))
    for path in paths:
        connection.request("GET", path, headers={"Host": HOST})
        connection.getresponse().read()
    connection.close()


def fleet(stage):
    """A purge of a URL at all PoPs of a large fleet, by purge-cli."""
    count = stage.options.pops
    config, pops = stage.fleet(stage.origin(), count, disks=True)
    paths = [f"/bytes/1000/{number}" for number in range(50)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda pop: fetch(pop["listen"][0], paths), pops))
    deadline = time.monotonic() + 60
    while stage.cli("status", "--config", config).returncode != 0:
        if time.monotonic() > deadline:
            raise SystemExit("the PoPs did not hear from each other")
        time.sleep(1)
    taken, matched = [], 0
    for turn in range(stage.options.rounds * 4):
        done = stage.cli("url", f"http://{HOST}{paths[turn % len(paths)]}", "--config", config,
                         "--json", "--timeout", "20s")
        report = json.loads(done.stdout)
        if not report["complete"]:
            raise SystemExit(f"not everywhere: {done.stderr}")
        taken += [pop["milliseconds"] for pop in report["pops"]]
        matched += report["matched"]
    print(f"  {count} PoPs, {len(taken)} acknowledgements, {matched} stored responses: p50 "
          f"{quantile(taken, .5)} ms, p95 {quantile(taken, .95)} ms, p99 {quantile(taken, .99)} ms")
    return verdict("95 % acknowledged within, in ms", quantile(taken, .95), BARS["fleet"])


class Admin:
    """The admin API of one PoP, on one connection."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.connection.connect()
        self.connection.sock.setsockopt(6, 1, 1)

    def purge(self, order):
        body = json.dumps(order)
        start = time.perf_counter()
        self.connection.request("POST", "/purge", body)
        reply = self.connection.getresponse()
        answer = json.loads(reply.read())
        if reply.status != 200:
            raise SystemExit(f"{order}: {answer}")
        return (time.perf_counter() - start) * 1000, answer

    def stats(self):
        self.connection.request("GET", "/stats")
        return json.loads(self.connection.getresponse().read())


def apply(stage):
    """Every scope at one PoP with very many stored responses."""
    origin, port, admin = stage.origin(), process.free_port(), process.free_port()
    count = stage.options.responses
    stage.start([stage.bin / "edge-pop", "--upstream", f"http://127.0.0.1:{origin}", "--listen",
                 f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin}", "--memory", "4GiB",
                 "--log-level", "warning"], admin, "pop")
    api = Admin(admin)

    def fill(more):
        before = api.stats()["memory"]["storedResponses"]
        while api.stats()["memory"]["storedResponses"] < count:
            left = count - api.stats()["memory"]["storedResponses"]
            name = f"{time.monotonic_ns()}"
            subprocess.run([stage.bin / "edge-load", "run", "--quiet", "--json", "--target",
                            f"http://127.0.0.1:{port}/", "--connections", "64", "--unique",
                            "--path", f"/bytes/100/{name}/{{n}}", "--requests", str(left)],
                           check=True, capture_output=True)
        return api.stats()["memory"]["storedResponses"] - before

    fill(count)
    print(f"  {api.stats()['memory']['storedResponses']} stored responses")
    base = f"http://127.0.0.1:{port}"
    orders = {
        "url": lambda n: {"scope": "url", "urls": [f"{base}/bytes/100/x/{n}"]},
        "prefix": lambda n: {"scope": "prefix", "prefixes": [f"{base}/bytes/100/y{n}"]},
        "host": lambda n: {"scope": "host", "hosts": [f"h{n}.example"]},
        "tag": lambda n: {"scope": "tag", "tags": [f"tag{n}"]},
    }
    good = True
    for mode in ("hard", "soft"):
        for scope, order in orders.items():
            times = []
            for turn in range(200):
                taken, answer = api.purge({**order(turn), "mode": mode})
                times.append(taken)
            print(f"  {scope}, {mode}: p50 {quantile(times, .5):.2f} ms, p99 "
                  f"{quantile(times, .99):.2f} ms, most {max(times):.2f} ms")
            good &= verdict(f"{scope}, {mode}, p99 in ms", round(quantile(times, .99), 2),
                            BARS["apply"])
    soft, _ = api.purge({"scope": "everything", "mode": "soft"})
    prefix, answer = api.purge({"scope": "prefix", "prefixes": [f"{base}/bytes/"]})
    start = time.monotonic()
    print(f"  a prefix that covers all: {prefix:.2f} ms, matched {answer['matched']}"
          f"{', by a sample' if answer.get('estimated') else ''}")
    while api.stats()["memory"]["storedResponses"]:
        time.sleep(0.05)
    print(f"  all of it was freed {time.monotonic() - start:.1f} s later")
    fill(count)
    hard, _ = api.purge({"scope": "everything"})
    for name, taken in (("everything, soft", soft), ("a prefix of everything", prefix),
                        ("everything, hard", hard)):
        good &= verdict(f"{name}, in ms", round(taken, 2), BARS["apply"])
    return good


def load(stage):
    """Continuous purges of what is read most, under load."""
    config, _ = stage.fleet(stage.origin(), 3, disks=True)
    sample = process.free_port()
    stage.start([stage.bin / "edge-load", "origin", "--root", stage.directory, "--listen",
                 f"127.0.0.1:{sample}"], sample, "sample")
    text = json.loads(config.read_text())
    for child in stage.started[1:4]:
        process.stop(child)
    text["sites"][0]["origin"] = [f"http://127.0.0.1:{sample}"]
    config.write_text(json.dumps(text))
    for pop in text["pops"]:
        stage.start([stage.bin / "edge-pop", "--config", config, "--pop", pop["id"], "--log-level",
                     "warning"], int(pop["admin"].rsplit(":", 1)[1]), pop["id"])
    done = subprocess.run(
        [stage.bin / "edge-load", "run", "--json", "--quiet", "--pops", config, "--host", HOST,
         "--purge-rate", "50", "--purge-urls", "8", "--connections", "24", "--duration",
         f"{stage.options.seconds}s", "--origin", f"http://127.0.0.1:{sample}"],
        capture_output=True, text=True)
    report = json.loads(done.stdout)
    purges = report["purges"]
    print(f"  {report['requests']} responses, {purges['acknowledged']} purges acknowledged, "
          f"{purges['failed']} not; {purges['staleBeforeAcknowledgement']} older ones were asked for "
          f"before the acknowledgement")
    return verdict("older ones asked for after an acknowledgement", purges["staleAfterAcknowledgement"],
                   BARS["load"]) and purges["failed"] == 0


def main():
    parts = {"fleet": fleet, "apply": apply, "load": load}
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("parts", nargs="*", help=f"which: {', '.join(parts)}; all if left out")
    parser.add_argument("--bin", help="the directory of the programs; built if left out")
    parser.add_argument("--directory", default="/var/tmp", help="where the disks are")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pops", type=int, default=100)
    parser.add_argument("--responses", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    process.raise_file_limit()
    for name in options.parts:
        if name not in parts:
            raise SystemExit(f"purge: no part '{name}'; there are: {', '.join(parts)}")
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
