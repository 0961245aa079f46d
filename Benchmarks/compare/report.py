"""The results as one dictionary, and as tables."""

import json
from statistics import median

from bars import ratios

KEYS = ("cpu", "rate", "p50", "p99", "p999", "busy", "forwarded", "asked", "bytes")


def collect(measurement, judged, about):
    """Everything that is known, as plain values: what compare.json holds."""
    ours = next(server.name for server in measurement.servers if server.kind == "ours")
    rows = []
    for case in measurement.cases:
        values = measurement.values[case.name]
        cells = {}
        for server in measurement.servers:
            rounds = values[server.name]
            if not rounds:
                reason = measurement.reasons[case.name].get(server.name, "not measured")
                cells[server.name] = {"reason": reason}
                continue
            cell = {key: median(value[key] for value in rounds) for key in KEYS
                    if rounds[0].get(key) is not None}
            cell["rounds"] = [{key: round(value[key], 4) for key in KEYS
                               if value.get(key) is not None} for value in rounds]
            key = "bytes" if case.kind == "idle" else "cpu"
            if values[ours]:
                each = ratios(values, ours, server.name, key)
                if each:
                    cell["ratio"] = median(each)
                    cell["ratios"] = [round(ratio, 4) for ratio in each]
            cells[server.name] = cell
        rows.append({"case": case.name, "title": case.title, "kind": case.kind, "cells": cells})
    return {
        "about": about, "ours": ours,
        "servers": [{"name": server.name, "label": server.label, "kind": server.kind,
                     "access log": server.log_note + (
                         ", on in cases that say so" if server.logged else ""),
                     "idle CPU": measurement.idle_cpu.get(server.name),
                     "memory": measurement.memory[server.name]}
                    for server in measurement.servers],
        "rows": rows, "bars": judged,
    }


def write_json(results, path):
    with open(path, "w") as file:
        json.dump(results, file, indent=1)
        file.write("\n")


def table(head, lines):
    """A Markdown table; the first column is text, the others are numbers."""
    out = ["| " + " | ".join(head) + " |",
           "|---|" + "---:|" * (len(head) - 1)]
    return out + ["| " + " | ".join(line) + " |" for line in lines]


def number(value):
    """Three digits that matter, more for large ones."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def markdown(results):
    """The tables of compare.md."""
    about, servers, rows = results["about"], results["servers"], results["rows"]
    head = [""] + [server["label"] for server in servers]
    notes = {}

    def note(reason):
        return f"n/a [{notes.setdefault(reason, len(notes) + 1)}]"

    def cells(row, show):
        return [row["title"]] + [
            note(cell["reason"]) if "reason" in cell else show(cell)
            for cell in (row["cells"][server["name"]] for server in servers)]

    def cost(cell):
        ratio = cell.get("ratio")
        return number(cell["cpu"]) + (f" ({ratio:.2f})" if ratio else "")

    loaded = [row for row in rows if row["kind"] != "idle"]
    closed = [row for row in loaded if row["kind"] != "open"]
    lines = ["# Comparison", "", f"{about['date']}, {about['rounds']} rounds of "
             f"{number(about['seconds'])} s. Made by `make bench`; "
             "[Benchmarks/README.md](../README.md) says what the numbers mean.", ""]
    if about["rounds"] < 5:
        lines += ["**Fewer than five rounds: a trial, no result.**", ""]
    lines += ["## Bars", ""] + bar_table(results["bars"])
    lines += ["", "## CPU per request", "",
              "Microseconds of the server's CPU, median of the rounds. In parentheses: EdgeCache's "
              "divided by it, median of the rounds' ratios; below 1 EdgeCache is cheaper.", ""]
    lines += table(head, [cells(row, cost) for row in loaded])
    lines += ["", "## Requests per second", "",
              "In parentheses: how busy the server kept its core. Clearly below 100 %, "
              "the load generator, the origin or other programs were the limit, not the server.",
              ""]
    lines += table(head, [cells(row, lambda cell: f"{cell['rate']:.0f} ({cell['busy']:.0%})")
                          for row in closed])
    lines += ["", "## Latency", "", "p50 / p99 / p99.9 in microseconds. Closed loop except where "
              "it says otherwise: there, from the moment that a request was due.", ""]
    lines += table(head, [cells(row, lambda cell: " / ".join(
        f"{cell[key]:.0f}" for key in ("p50", "p99", "p999"))) for row in loaded])
    if any(row["kind"] == "open" for row in rows):
        lines += ["", "Rates of the open loops, requests per second:", ""]
        lines += table(head, [cells(row, lambda cell: f"{cell['asked']:.0f}")
                              for row in rows if row["kind"] == "open"])
    lines += working_set(head, rows, cells)
    lines += ["", "## Memory", ""] + memory_table(head, servers, rows, cells)
    if notes:
        lines += [""] + [f"[{index}] {reason}  " for reason, index in notes.items()]
    lines += ["", "## Access logs", ""]
    lines += [f"* {server['label']}: {server['access log']}" for server in servers]
    lines += ["", "## Machine", ""]
    lines += [f"* {name}: {value}" for name, value in about.items() if name != "versions"]
    lines += [f"* {label}: {version}" for label, version in about["versions"].items()]
    return "\n".join(lines) + "\n"


def bar_table(judged):
    """The bars with their verdicts."""
    lines = []
    for bar in judged:
        measured, limit = bar["measured"], bar["limit"]
        against = bar["against"]
        if bar.get("peer") and bar["peer"] != against:
            against += f": {bar['peer']}"
        is_ratio = bar["against"] != "absolute"
        show = (lambda value: f"{value:.2f}") if is_ratio else (lambda value: f"{value:.0f}")
        lines.append([f"{bar['case']}, {bar['value']}", against, f"≤ {show(limit)}",
                      bar.get("reason", "") if measured is None else show(measured),
                      bar["verdict"]])
    return table(["bar", "against", "limit", "measured", "verdict"], lines)


def working_set(head, rows, cells):
    """How much of the working set came from the store."""
    found = [row for row in rows if row["kind"] == "working-set"]
    if not found:
        return []
    lines = [cells(row, lambda cell: f"{max(0, 1 - cell['forwarded']):.1%}") for row in found]
    return ["", "## Working set", "", "Share of requests that did not reach the origin.",
            ""] + table(head, lines)


def memory_table(head, servers, rows, cells):
    """Resident memory, and bytes for each idle connection."""
    def megabytes(server, moment):
        value = server["memory"].get(moment)
        return "" if value is None else f"{value / (1 << 20):.1f}"

    lines = [["MiB, started"] + [megabytes(server, "started") for server in servers],
             ["MiB, after the rounds"] + [megabytes(server, "after") for server in servers],
             ["CPU while idle"] + [f"{server['idle CPU'] or 0:.2%}" for server in servers]]
    for row in rows:
        if row["kind"] == "idle":
            lines.append(["bytes per idle connection"]
                         + cells(row, lambda cell: f"{cell['bytes']:.0f}")[1:])
    return table(head, lines)
