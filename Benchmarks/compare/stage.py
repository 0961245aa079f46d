"""What benchmarks stand on: a directory, the programs, and what was started."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import process

TOP = Path(__file__).resolve().parent.parent.parent


class Stage:
    """A directory, the programs, and what was started; `end` takes all of it away."""

    def __init__(self, options, name):
        self.options = options
        self.directory = Path(tempfile.mkdtemp(prefix=f"edgecache-{name}-", dir=options.directory))
        self.bin = Path(options.bin) if options.bin else self.build()
        self.started = []

    @staticmethod
    def build():
        subprocess.run(["scripts/release"], cwd=TOP, check=True, stdout=sys.stderr)
        found = subprocess.run(["scripts/release", "--show-bin-path"], cwd=TOP, check=True,
                               capture_output=True, text=True)
        return Path(found.stdout.strip())

    def start(self, command, port, name=None, cpu=None):
        """Starts a server, on one CPU or all, and waits until it listens."""
        log = self.directory / f"{name or Path(command[0]).name}.log"
        cpus = {cpu} if cpu is not None else set(range(os.cpu_count()))
        with open(log, "ab") as file:
            child = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=file,
                stderr=file, start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        self.started.append(child)
        process.wait_for_port(child, port, log)
        return child

    def origin(self, cpu=None):
        """The C origin of `make bench`: /bytes/N/anything."""
        program = self.directory / "origin"
        if not program.exists():
            subprocess.run(["gcc", "-O2", "-o", program, TOP / "Benchmarks/compare/origin.c"],
                           check=True)
        port = process.free_port()
        self.start([program, port], port, cpu=cpu)
        return port

    def end(self):
        for child in self.started:
            child.terminate()
        for child in self.started:
            process.stop(child)
        shutil.rmtree(self.directory, ignore_errors=True)
