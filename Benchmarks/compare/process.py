"""A server's processes: started on one core, and read from /proc. Linux only."""

import os
import resource
import signal
import socket
import subprocess
import time


def free_port():
    """A port of the loopback interface that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def raise_file_limit(wanted=20000):
    """Allows as many open files as the idle connections need, as far as the system lets us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
        except (ValueError, PermissionError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def start(command, cpu, log_path, environment=None):
    """Starts a command that may run on one CPU only; children and threads inherit that."""
    with open(log_path, "ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, **(environment or {})},
            preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))


def wait_for_port(process, port, log_path, seconds=20):
    """Returns once somebody accepts connections on the port."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    with open(log_path, errors="replace") as log:
        end = "".join(log.readlines()[-15:])
    raise RuntimeError(f"{process.args[0]} does not listen on port {port}; it said:\n{end}")


def stop(process):
    """Ends a server and what it started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(process.pid, signal.SIGKILL)  # its own session, see `start`
    except ProcessLookupError:
        pass
    process.wait()


def tree(root):
    """The process and all its descendants."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    parent = int(stat.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def cpu_seconds(pids):
    """CPU time, user and system, of the processes with all their threads.

    schedstat counts nanoseconds but forgets threads that ended; stat remembers them but counts
    ticks of 10 ms. So: schedstat, unless stat knows of clearly more.
    """
    fine, coarse = 0, 0
    tick = os.sysconf("SC_CLK_TCK")
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rpartition(")")[2].split()
            coarse += (int(fields[11]) + int(fields[12])) / tick
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat") as schedstat:
                    fine += int(schedstat.read().split()[0]) / 1e9
        except OSError:
            continue
    return fine, coarse


def cpu_between(before, after):
    """CPU seconds between two readings of `cpu_seconds`."""
    fine, coarse = after[0] - before[0], after[1] - before[1]
    return coarse if coarse > fine + max(0.05, 0.05 * fine) else fine


def core_seconds(cpu):
    """Time that a core was busy, whoever it was busy for."""
    tick = os.sysconf("SC_CLK_TCK")
    with open("/proc/stat") as file:
        for line in file:
            if line.startswith(f"cpu{cpu} "):
                user, nice, system, _, _, irq, softirq, steal = map(int, line.split()[1:9])
                return (user + nice + system + irq + softirq + steal) / tick
    return 0


def memory_bytes(pids):
    """Resident memory; pages that several processes share count once (Pss)."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as rollup:
                for line in rollup:
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
        except OSError:
            continue
    return total
