"""Where, when and with what the numbers were made."""

import os
import platform
import time
from statistics import median


def cpu_model():
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def system():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "Linux"


def memory_gigabytes():
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)


def disturbance(others):
    """How much of the servers' core somebody else took, in words."""
    if not others:
        return "not measured"
    return f"median {median(others):.1%}, most {max(others):.1%}"


def describe(setup, options, measurement, started):
    """Machine, versions and configuration, as one dictionary."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(started)),
        "took": round(time.time() - started),
        "cpu": cpu_model(), "cpus": os.cpu_count(), "kernel": platform.release(),
        "system": system(), "memory": f"{memory_gigabytes():.0f} GiB",
        "load average": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "rounds": options.rounds, "seconds": options.seconds,
        "server CPU": setup.server_cpu, "load CPU": setup.load_cpu,
        "taken by others on the server CPU": disturbance(measurement.others),
        "store": f"{setup.memory_mb} MiB",
        "versions": {server.label: server.version() for server in measurement.servers},
    }
