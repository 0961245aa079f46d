#!/usr/bin/env python3
"""Counts what a request costs edge-pop in instructions and allocations, and holds it to thresholds.

The program runs under valgrind --tool=callgrind. Counting is switched on for a fixed number of
requests on one connection, one after another, so that the counts are the same whatever else the
machine does. What the kernel does is not counted. Exit status: 0 all within their thresholds, 2 one
is not, 1 could not run.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from email.utils import formatdate

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CONTENT = b"x" * 1024
ALLOCATORS = re.compile(r"^(malloc|calloc|realloc|posix_memalign|aligned_alloc|memalign|mallocx)$")

BROWSER = (
    b'sec-ch-ua: "Chromium";v="128", "Not;A=Brand";v="24", "Google Chrome";v="128"\r\n'
    b"sec-ch-ua-mobile: ?0\r\n"
    b'sec-ch-ua-platform: "Windows"\r\n'
    b"Upgrade-Insecure-Requests: 1\r\n"
    b"User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    b"Chrome/128.0.0.0 Safari/537.36\r\n"
    b"Accept: text/css,*/*;q=0.1\r\n"
    b"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: style\r\n"
    b"Referer: https://www.example.com/products/shoes?color=red\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n"
    b"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
)

# Name, path, fields besides Host, status, and what Cache-Status has to say. With an access log in each format where the
# name ends so.
CASES = [
    ("hit", b"/a/style.css", b"User-Agent: guard\r\nAccept: */*\r\n", 200, b"hit"),
    ("hit-browser", b"/a/style.css", BROWSER, 200, b"hit"),
    ("hit-logged", b"/a/style.css", b"User-Agent: guard\r\nAccept: */*\r\n", 200, b"hit"),
    ("hit-logged-json", b"/a/style.css", b"User-Agent: guard\r\nAccept: */*\r\n", 200, b"hit"),
    ("hit-browser-logged", b"/a/style.css", BROWSER, 200, b"hit"),
    ("not-modified", b"/a/style.css", b'If-None-Match: "abc"\r\n', 304, b"hit"),
    ("range", b"/a/style.css", b"Range: bytes=100-199\r\n", 206, b"hit"),
    ("pass-no-store", b"/a/style.css",
     b"User-Agent: guard\r\nAccept: */*\r\nCache-Control: no-store\r\n", 200, b"fwd=request"),
    # Nothing but its responses says that this is not for the store.
    ("pass-unshared", b"/account/thing", b"User-Agent: guard\r\nAccept: */*\r\n", 200,
     b"detail=no-store"),
    ("pass-through", b"/api/thing", b"User-Agent: guard\r\nAccept: */*\r\n", 200, b"fwd=bypass"),
]

CONFIG = {
    "fleet": "guard",
    "regions": {"here": {"api": []}},
    "sites": [{"name": "guard", "hosts": ["www.example"], "origin": [],
               "routes": [{"prefix": "/api/", "to": "api"}]}],
    "pops": [{"id": "guard", "city": "Loopback", "latitude": 0, "longitude": 0, "region": "here",
              "listen": ["127.0.0.1:0"], "admin": "127.0.0.1:0", "memory": "64MiB", "threads": 1}],
}


def fail(text):
    sys.exit(f"bench-guard: {text}")


class Origin:
    """Answers every request with the same kilobyte; the path says whether it may be stored."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.socket.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    @staticmethod
    def serve(connection):
        pending = b""
        while True:
            while b"\r\n\r\n" not in pending:
                received = connection.recv(65536)
                if not received:
                    return
                pending += received
            head, _, pending = pending.partition(b"\r\n\r\n")
            control = b"no-store" if b" /api/" in head or b" /account/" in head else b"max-age=6000"
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nServer: origin\r\nDate: %s\r\n"
                b"Last-Modified: Tue, 24 Nov 2026 20:00:00 GMT\r\nCache-Control: %s\r\n"
                b'ETag: "abc"\r\nContent-Type: text/css\r\nContent-Length: %d\r\n\r\n'
                % (formatdate(usegmt=True).encode(), control, len(CONTENT)) + CONTENT)


class PoP:
    """edge-pop under callgrind, counting only when told to."""

    def __init__(self, program, folder, origin, name):
        upstream = [f"http://127.0.0.1:{origin.port}"]
        CONFIG["regions"]["here"]["api"] = upstream
        CONFIG["sites"][0]["origin"] = upstream
        config = os.path.join(folder, "pops.json")
        with open(config, "w", encoding="utf-8") as file:
            json.dump(CONFIG, file)
        self.output = os.path.join(folder, "callgrind.out")
        # What the thread that writes the log does is counted with it.
        log = ["--access-log", os.path.join(folder, "access.log")] if "-logged" in name else []
        if name.endswith("-json"):
            log += ["--access-log-format", "json"]
        environment = dict(os.environ, LD_PRELOAD=os.path.join(folder, "shim.so"))
        self.process = subprocess.Popen(
            ["valgrind", "--tool=callgrind", "--instr-atstart=no",
             f"--callgrind-out-file={self.output}", program, "--config", config, "--pop", "guard"]
            + log,
            stderr=subprocess.PIPE, text=True, env=environment)
        said = []
        for line in self.process.stderr:
            said.append(line)
            if found := re.search(r"listening on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found.group(1))
                break
        else:
            fail("edge-pop did not start under valgrind:\n" + "".join(said[-15:]))
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def count(self, on):
        subprocess.run(["callgrind_control", "-i", "on" if on else "off", str(self.process.pid)],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            fail("edge-pop did not end within a minute of SIGTERM")


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)

    def ask(self, path, fields, status, says):
        self.socket.sendall(b"GET %s HTTP/1.1\r\nHost: www.example\r\n%s\r\n" % (path, fields))
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.receive()
        head, _, content = received.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 %d " % status) or says not in head:
            fail(f"expected {status} and {says.decode()}, got:\n{head.decode()}")
        found = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        length = int(found.group(1)) if found and status != 304 else 0
        while len(content) < length:
            content += self.receive()

    def receive(self):
        received = self.socket.recv(65536)
        if not received:
            fail("edge-pop closed the connection")
        return received


def totals(path):
    """Instructions and calls of allocators in a callgrind file."""
    names = {}
    instructions = allocations = 0
    callee = ""
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("cfn=") or line.startswith("fn="):
                found = re.match(r"c?fn=\((\d+)\)(?: (.*))?", line)
                if found.group(2):
                    names[found.group(1)] = found.group(2)
                if line.startswith("cfn="):
                    callee = names.get(found.group(1), "")
            elif line.startswith("calls="):
                if ALLOCATORS.match(callee.split("'")[0]):
                    allocations += int(line[6:].split()[0])
            elif line.startswith(("summary:", "totals:")):
                instructions = int(line.split(":")[1])
    return instructions, allocations


def measure(program, folder, case, requests):
    name, path, fields, status, says = case
    origin = Origin()
    pop = PoP(program, folder, origin, name)
    client = Client(pop.port)
    stored = b"" if path.startswith((b"/api/", b"/account/")) else b"stored"
    client.ask(path, b"", 200, stored)
    for _ in range(50):
        client.ask(path, fields, status, says)
    pop.count(True)
    for _ in range(requests):
        client.ask(path, fields, status, says)
    pop.count(False)
    pop.stop()
    instructions, allocations = totals(pop.output)
    return instructions / requests, allocations / requests


def profile(path, requests, lines):
    """The functions in which most instructions are spent, per request."""
    said = subprocess.run(["callgrind_annotate", path], check=True, capture_output=True, text=True)
    found = re.findall(r"^\s*([\d,]+) \([ \d.]+%\)\s+\?*:?(.*?)(?: \[.*\])?$", said.stdout, re.MULTILINE)
    rows = [(int(count.replace(",", "")) / requests, name) for count, name in found]
    names = subprocess.run(["swift", "demangle", "--simplified"], check=True, capture_output=True,
                           text=True, input="\n".join(name for _, name in rows[:lines])).stdout
    for (count, _), name in zip(rows[:lines], names.splitlines()):
        print(f"{count:>10.1f}  {name[:150]}")


def main():
    parser = argparse.ArgumentParser(prog="bench-guard", description=__doc__)
    parser.add_argument("--bin", default=os.path.join(ROOT, ".build/release/edge-pop"))
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--cases", default="", help="comma-separated; all if empty")
    parser.add_argument("--profile", type=int, metavar="LINES",
                        help="also print so many lines of what the instructions of each case are")
    options = parser.parse_args()
    for tool in ("valgrind", "gcc", "strip"):
        if not shutil.which(tool):
            fail(f"there is no {tool}; scripts/setup --bench installs it")
    if not os.path.exists(options.bin):
        fail(f"there is no {options.bin}; make build")
    with open(os.path.join(HERE, "thresholds.json"), encoding="utf-8") as file:
        thresholds = json.load(file)
    chosen = [name for name in options.cases.split(",") if name]
    if unknown := set(chosen) - {case[0] for case in CASES}:
        fail(f"no case {', '.join(sorted(unknown))}; there are "
             + ", ".join(case[0] for case in CASES))
    broken = 0
    print(f"{'case':<20}{'instructions':>14}{'at most':>10}{'allocations':>13}{'at most':>9}")
    with tempfile.TemporaryDirectory() as folder:
        # Valgrind 3.19 cannot read the debug information of today's compilers.
        program = os.path.join(folder, "edge-pop")
        subprocess.run(["strip", "--strip-debug", "-o", program, options.bin], check=True)
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", os.path.join(folder, "shim.so"),
                        os.path.join(HERE, "shim.c")], check=True)
        for case in CASES:
            if chosen and case[0] not in chosen:
                continue
            most = thresholds[case[0]]
            instructions, allocations = measure(program, folder, case, options.requests)
            good = instructions <= most["instructions"] and allocations <= most["allocations"]
            broken += not good
            print(f"{case[0]:<20}{instructions:>14.0f}{most['instructions']:>10}"
                  f"{allocations:>13.2f}{most['allocations']:>9}{'' if good else '  TOO MANY'}",
                  flush=True)
            if options.profile:
                profile(os.path.join(folder, "callgrind.out"), options.requests, options.profile)
    if broken:
        sys.exit(2)


if __name__ == "__main__":
    main()
