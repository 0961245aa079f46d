"""The servers: ours, the peers, the floor. How each is started, and what it can be asked for.

A server that can do a case in part only says so in `cannot`; everything else is found out by
asking it (see check.py).
"""

import os
import shutil
import subprocess

import process

MEGABYTE = 1 << 20
PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers")


class Server:
    """One server: a process on one core, with a directory of its own."""

    name = label = ""
    kind = "caching"  # ours, caching, static, floor
    cannot = {}  # kind of case, or "log" -> reason
    # What the server does about an access log in all other cases, and the class of a second process
    # with one, which does the cases with a log.
    log_note = "off"
    logged = None

    def __init__(self, setup):
        self.setup = setup  # directory, memory_mb, origin_port, server_cpu, programs
        self.directory = os.path.join(setup.directory, f"{self.name}.d")
        self.log = os.path.join(setup.directory, f"{self.name}.log")
        self.port = self.process = self.twin = None
        self.cache_directory = None

    # What a subclass says.

    def program(self):
        return self.name

    def command(self):
        raise NotImplementedError

    def version_command(self):
        return [self.find(), "-v"]

    # What all have in common.

    def find(self):
        path = shutil.which(self.program(), path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if path is None:
            raise SystemExit(f"bench: {self.program()} is missing; run scripts/setup --bench, or"
                             f" leave it out with PEERS=...")
        return path

    def version(self):
        done = subprocess.run(self.version_command(), capture_output=True, text=True)
        lines = (done.stdout + done.stderr).strip().splitlines()
        lines = [line for line in lines if not line.startswith("traffic_server: using")]
        return lines[0].strip() if lines else "unknown"

    def fill_in(self, source, target=None):
        """Copies a configuration into the directory with the words between @ replaced."""
        with open(os.path.join(PEERS, source)) as file:
            text = file.read()
        is_root = os.geteuid() == 0
        for word, value in {
            "PORT": self.port, "ADMIN_PORT": process.free_port(),
            "ORIGIN_PORT": self.setup.origin_port, "DIR": self.directory,
            "CACHE": self.cache_directory or "", "MEMORY_MB": self.setup.memory_mb,
            "MEMORY_BYTES": self.setup.memory_mb * MEGABYTE, "STORE_MB": 256,
            "USER": self.user_line if is_root else "", "ACCESS_LOG": self.access_log,
        }.items():
            text = text.replace(f"@{word}@", str(value))
        path = os.path.join(self.directory, target or os.path.basename(source))
        with open(path, "w") as file:
            file.write(text)
        return path

    user_line = ""
    access_log = ""

    def prepare(self):
        """Writes what the server needs before it starts."""

    def environment(self):
        return {}

    def start(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        self.port = process.free_port()
        self.prepare()
        command = self.command()
        self.process = process.start(command, self.setup.server_cpu, self.log, self.environment())
        process.wait_for_port(self.process, self.port, self.log)
        if self.logged is not None:
            self.twin = self.logged(self.setup)
            self.twin.start()

    def stop(self):
        if self.twin is not None:
            self.twin.stop()
            self.twin = None
        if self.process is not None:
            process.stop(self.process)
            self.process = None
        if self.cache_directory is not None:
            shutil.rmtree(self.cache_directory, ignore_errors=True)

    def pids(self):
        return process.tree(self.process.pid)

    def pids_of(self, case):
        return self.twin.pids() if case.log and self.twin else self.pids()

    def port_of(self, case):
        return self.twin.port if case.log and self.twin else self.port

    def memory(self):
        """Resident memory and what lies in a tmpfs, which is memory, too."""
        total = process.memory_bytes(self.pids())
        if self.cache_directory is not None:
            for place, _, files in os.walk(self.cache_directory):
                for name in files:
                    try:
                        total += os.stat(os.path.join(place, name)).st_blocks * 512
                    except OSError:
                        pass
        return total


class LoggedEdgePoP(Server):
    name, label, kind = "edgecache-logged", "EdgeCache", "ours"

    def program(self):
        return os.path.join(self.setup.programs, "edge-pop")

    def command(self):
        return [self.find(), "--config", self.fill_in("edgecache.json"), "--pop", "bench",
                "--access-log", self.access_log, "--log-level", "warning"]

    @property
    def access_log(self):
        return os.path.join(self.directory, "access.log")


class EdgePoP(LoggedEdgePoP):
    name = "edgecache"
    access_log = "off"
    logged = LoggedEdgePoP

    def version_command(self):
        return [self.find(), "--version"]

    def version(self):
        text = super().version()
        done = subprocess.run(["git", "-C", PEERS, "describe", "--always", "--dirty"],
                              capture_output=True, text=True)
        commit = done.stdout.strip()
        return f"{text} ({commit})" if commit else text


class LoggedNginx(Server):
    name, label = "nginx-logged", "nginx"
    user_line = "user root;"

    def program(self):
        return "nginx"

    @property
    def access_log(self):
        return os.path.join(self.directory, "access.log") + " combined"

    def prepare(self):
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else self.setup.directory
        self.cache_directory = os.path.join(base, f"edgecache-bench-{os.getpid()}-{self.name}")
        shutil.rmtree(self.cache_directory, ignore_errors=True)

    def command(self):
        return [self.find(), "-e", "stderr", "-p", self.directory,
                "-c", self.fill_in("nginx.conf")]


class Nginx(LoggedNginx):
    name = "nginx"
    access_log = "off"
    logged = LoggedNginx


class HAProxy(Server):
    name, label = "haproxy", "HAProxy"
    cannot = {"log": "logs to syslog alone, which would be measured with it"}

    def command(self):
        return [self.find(), "-db", "-f", self.fill_in("haproxy.cfg")]


class Varnish(Server):
    name, label = "varnish", "Varnish"
    log_note = "in shared memory, always; nobody writes it to a file"

    def program(self):
        return "varnishd"

    def command(self):
        self.fill_in("varnish.vcl")
        with open(self.fill_in("varnish.args")) as file:
            lines = [line.strip() for line in file]
        return [self.find()] + [line for line in lines if line and not line.startswith("#")]

    def version_command(self):
        return [self.find(), "-V"]


class TrafficServer(Server):
    name, label = "trafficserver", "Traffic Server"
    cannot = {"log": "not configured with an access log"}

    def program(self):
        return "traffic_server"

    def command(self):
        os.makedirs(os.path.join(self.directory, "store"))
        for name in os.listdir(os.path.join(PEERS, "trafficserver")):
            self.fill_in(os.path.join("trafficserver", name))
        return [self.find(), f"--run-root={self.directory}"]

    def version_command(self):
        return [self.find(), "--version"]


class H2O(Server):
    name, label, kind = "h2o", "h2o (static files)", "static"
    user_line = "user: root"
    cannot = {"miss": "has no cache for proxied content",
              "working-set": "has no cache for proxied content",
              "log": "not configured with an access log"}

    def prepare(self):
        for size in (1024, 16384, 65536, MEGABYTE):
            place = os.path.join(self.directory, "files", "bytes", str(size))
            os.makedirs(place)
            with open(os.path.join(place, "hit"), "wb") as file:
                file.write(b"x" * size)

    def command(self):
        return [self.find(), "-c", self.fill_in("h2o.conf")]

    def version_command(self):
        return [self.find(), "--version"]


class Floor(Server):
    """A listener for each kind of response, since the floor does not look at the request."""

    name, label, kind = "floor", "floor (epoll loop)", "floor"
    cannot = {kind: "answers with canned bytes" for kind in ("miss", "forward", "working-set")}
    cannot["log"] = "has no access log"

    def program(self):
        return os.path.join(self.setup.directory, "floor")

    def prepare(self):
        self.ports = {}

    def command(self):
        arguments = []
        for answer in ((200, 1024), (200, 16384), (200, 65536), (200, MEGABYTE), (304, 0),
                       (206, 1024)):
            port = self.port if not self.ports else process.free_port()
            self.ports[answer] = port
            arguments.append(f"{port}:{answer[0]}:{answer[1]}")
        return [self.find(), *arguments]

    def port_of(self, case):
        return self.ports[(case.status, case.size)]

    def version(self):
        done = subprocess.run(["gcc", "--version"], capture_output=True, text=True)
        return f"gcc -O2, {done.stdout.splitlines()[0]}" if done.stdout else "gcc -O2"


ALL = [EdgePoP, Nginx, HAProxy, Varnish, TrafficServer, H2O, Floor]


def named(names):
    """Ours, and the peers with these names; all if there are none."""
    known = [kind.name for kind in ALL]
    for name in names:
        if name not in known:
            raise SystemExit(f"bench: no server '{name}'; there are: {' '.join(known)}")
    return [kind for kind in ALL if kind is EdgePoP or not names or kind.name in names]
