"""The rounds: every server does every case in turn, again and again, so that whatever else the
machine is doing meets all of them alike. Ratios are made within a round."""

import os
import sys
import time

import check
import process
from load import together
import wire

IDLE_CONNECTIONS = 10000
# An open loop is measured in so many runs, of which the median one's latencies count.
OPEN_RUNS = 5
ZIPF = 0.9


class Progress:
    """One line for what is being done; nothing but plain lines when nobody watches."""

    def __init__(self):
        self.is_live = sys.stderr.isatty() and "NO_COLOR" not in os.environ

    def show(self, text):
        if self.is_live:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def end(self):
        if self.is_live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


class Measurement:
    """All measured values: values[case][server] is a list with one dictionary for each round."""

    def __init__(self, setup, servers, cases, generator, progress):
        self.setup, self.servers, self.cases = setup, servers, cases
        self.generator, self.progress = generator, progress
        self.values = {case.name: {server.name: [] for server in servers} for case in cases}
        self.reasons = {case.name: {} for case in cases}
        self.memory = {server.name: {} for server in servers}
        self.idle_cpu = {}
        self.runs = 0
        self.others = []  # share of the servers' core that somebody else took, each measurement

    def run(self, rounds):
        for server in self.servers:
            self.memory[server.name]["started"] = server.memory()
        self.measure_idle_cpu()
        for round_number in range(rounds):
            saturating = {}
            for case in self.cases:
                if case.kind == "idle":
                    continue
                if case.kind == "open":
                    self.saturate(case, saturating)
                for server in self.rotated(round_number):
                    self.progress.show(f"round {round_number + 1} of {rounds}: "
                                       f"{case.name}, {server.name}")
                    value = self.attempt(case, server, round_number, saturating)
                    if value is not None:
                        self.values[case.name][server.name].append(value)
                        if case.name == "hit-1k":
                            saturating[server.name] = value["rate"]
        for server in self.servers:
            self.memory[server.name]["after"] = server.memory()
        for case in self.cases:
            if case.kind == "idle":
                for _ in range(min(rounds, 3)):
                    self.measure_idle_connections(case)
        self.progress.end()

    def rotated(self, by):
        by %= len(self.servers)
        return self.servers[by:] + self.servers[:by]

    def attempt(self, case, server, round_number, saturating):
        """Checks and measures one case; None, with the reason kept, where it cannot be done."""
        if server.name in self.reasons[case.name]:
            return None
        try:
            fields = check.prepare(case, server, self.setup.origin_port)
        except (check.NotPossible, OSError) as reason:
            self.reasons[case.name][server.name] = str(reason)
            return None
        value = self.measure(case, server, fields, round_number, saturating)
        if value["problem"]:
            self.reasons[case.name][server.name] = value["problem"]
            self.values[case.name][server.name] = []
            return None
        return value

    # MARK: One measurement

    def load(self, case, server, fields, seconds, rate=None, paths_file=None):
        path, is_unique = case.path, case.kind == "miss"
        if is_unique:
            # The load generator counts within a run; the number of the run makes URLs new for good.
            self.runs += 1
            path += f"/{self.runs}-{{n}}"
        return self.generator.run(
            server.port_of(case), path, seconds, case.connections, rate, fields, case.method,
            case.body, paths_file, ZIPF if case.kind == "working-set" else None, is_unique)

    def measure(self, case, server, fields, round_number, saturating):
        paths_file, rate, seconds = None, None, self.setup.seconds
        if case.kind == "working-set":
            paths_file = self.set_paths(case)
        if case.name == "half-rate":
            rate = saturating[server.name] / 2
        if case.name == "common-rate":
            rate = min(saturating.values()) / 2
        if round_number == 0 or case.kind == "working-set":
            # Warm: code, connections to the origin, and the store where it is to be full.
            warm = seconds if case.kind == "working-set" else 0.2
            self.load(case, server, fields, warm, rate, paths_file)
        pids = server.pids_of(case)
        forwards = check.origin_count(self.setup.origin_port)
        core = process.core_seconds(self.setup.server_cpu)
        started, before = time.monotonic(), process.cpu_seconds(pids)
        # Latency is what stalls of the machine blur most, for whoever happens to be measured.
        runs = OPEN_RUNS if case.kind == "open" else 1
        load = together([self.load(case, server, fields, seconds / runs, rate, paths_file)
                         for _ in range(runs)])
        cpu = process.cpu_between(before, process.cpu_seconds(pids))
        elapsed = time.monotonic() - started
        others = process.core_seconds(self.setup.server_cpu) - core - cpu
        self.others.append(max(0, others) / elapsed)
        forwards = check.origin_count(self.setup.origin_port) - forwards
        done = max(1, load.requests)
        return {
            "cpu": cpu / done * 1e6, "rate": load.rate, "p50": load.p50, "p99": load.p99,
            "p999": load.p999, "busy": cpu / max(load.seconds, 1e-9), "requests": load.requests,
            "forwarded": forwards / done, "asked": rate,
            "problem": self.problem(case, load, forwards),
        }

    @staticmethod
    def problem(case, load, forwards):
        """Why the numbers of a run do not count; None if they do."""
        if load.requests == 0:
            return "answered nothing under load"
        if load.errors > load.requests / 1000:
            return f"{load.errors} errors in {load.requests} requests"
        if case.kind in ("hit", "open") and forwards > load.requests / 1000:
            return f"asked the origin {forwards} times in {load.requests} requests"
        if case.kind in ("miss", "forward") and forwards < load.requests * 0.98:
            return f"asked the origin only {forwards} times in {load.requests} requests"
        return None

    def saturate(self, case, saturating):
        """Finds the highest rate of the servers that have none in this round."""
        for server in self.servers:
            if server.name not in saturating and server.name not in self.reasons[case.name]:
                self.progress.show(f"highest rate of {server.name}")
                load = self.load(case, server, [], min(1, self.setup.seconds))
                saturating[server.name] = max(1, load.rate)

    def set_paths(self, case):
        """A file with the paths of a working set four times as large as the memory."""
        path = os.path.join(self.setup.directory, "set-paths")
        if not os.path.exists(path):
            count = 4 * self.setup.memory_mb * (1 << 20) // case.size
            with open(path, "w") as file:
                file.write("\n".join(f"{case.path}/{number}" for number in range(count)) + "\n")
        return path

    # MARK: Idle

    def measure_idle_cpu(self):
        """What each server takes while nobody asks it anything, as a share of a core."""
        self.progress.show("idle servers, for 2 s")
        before = {server.name: process.cpu_seconds(server.pids()) for server in self.servers}
        started = time.monotonic()
        time.sleep(2)
        elapsed = time.monotonic() - started
        for server in self.servers:
            cpu = process.cpu_seconds(server.pids())[0] - before[server.name][0]
            self.idle_cpu[server.name] = cpu / elapsed

    def measure_idle_connections(self, case):
        """Memory for each connection, with a server that was just started: memory that an
        allocator has kept from earlier would hide what connections take."""
        for server in self.servers:
            if server.name in self.reasons[case.name]:
                continue
            self.progress.show(f"{case.name}, {server.name}")
            server.stop()
            server.start()
            try:
                check.prepare(case, server, self.setup.origin_port)
                connections = wire.IdleConnections(server.port, case.path, 100)
                before = server.memory()
                more = wire.IdleConnections(server.port, case.path, IDLE_CONNECTIONS)
                after, still = server.memory(), more.open_count()
                more.close()
                connections.close()
            except (check.NotPossible, OSError) as reason:
                self.reasons[case.name][server.name] = str(reason) or repr(reason)
                continue
            if still < IDLE_CONNECTIONS:
                self.reasons[case.name][server.name] = (
                    f"keeps only {still} of {IDLE_CONNECTIONS} connections")
                continue
            self.values[case.name][server.name].append(
                {"bytes": (after - before) / IDLE_CONNECTIONS})
