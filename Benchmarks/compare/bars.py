"""The bars: what the measured ratios must be. Every ratio is ours divided by the other's in the
same round, then the median over the rounds. Against the best peer it is the worst of these medians,
so that nobody has to be named beforehand."""

from statistics import median

# case, value, against, limit. Against: "best-caching", "best", the name of a server, or "own " and the
# name of another case of ours.
BARS = [
    ("hit-1k", "cpu", "best-caching", 0.90),
    ("hit-1k", "cpu", "nginx", 0.70),
    ("hit-1k", "cpu", "floor", 1.35),
    ("hit-1k-browser", "cpu", "best-caching", 0.90),
    ("hit-1k-logged", "cpu", "own hit-1k", 1.12),
    ("hit-1k-logged", "cpu", "nginx", 0.60),
    ("hit-64k", "cpu", "best", 1.00),
    ("hit-1m", "cpu", "best", 1.00),
    ("not-modified", "cpu", "best", 1.00),
    ("range-1k", "cpu", "best", 1.00),
    ("pass-get", "cpu", "nginx", 1.05),
    ("miss", "cpu", "nginx", 1.00),
    ("half-rate", "p99", "best", 1.00),
    ("common-rate", "p99", "best", 1.00),
    ("idle", "bytes", None, 5120),
]

AGAINST = {"best-caching": "best caching peer", "best": "best peer"}
VALUES = {"cpu": "CPU per request", "p99": "p99", "bytes": "bytes per connection"}


def ratios(values, ours, theirs, key):
    """Ours divided by theirs, round by round."""
    return [mine[key] / other[key] for mine, other in zip(values[ours], values[theirs])
            if other[key] > 0]


def judge(measurement):
    """A verdict for every bar: pass, fail, or not measured."""
    ours = next(server.name for server in measurement.servers if server.kind == "ours")
    verdicts = []
    for case, key, against, limit in BARS:
        values = measurement.values.get(case, {})
        verdict = {"case": case, "value": VALUES[key], "limit": limit, "measured": None,
                   "against": AGAINST.get(against, against or "absolute"),
                   "verdict": "not measured"}
        verdicts.append(verdict)
        if not values.get(ours):
            reason = measurement.reasons.get(case, {}).get(ours)
            if reason:  # a case that we cannot do is a bar that we miss
                verdict.update(verdict="fail", reason=reason)
            continue
        if against is None:
            verdict["measured"] = median(value[key] for value in values[ours])
        elif against.startswith("own "):
            other = measurement.values.get(against.removeprefix("own "), {}).get(ours)
            if not other:
                continue
            verdict["measured"] = median(
                mine[key] / base[key] for mine, base in zip(values[ours], other) if base[key] > 0)
        else:
            worst = worst_ratio(measurement, values, ours, against, key)
            if worst is None:
                continue
            verdict["measured"], verdict["peer"] = worst
        verdict["verdict"] = "pass" if verdict["measured"] <= limit else "fail"
    return verdicts


def worst_ratio(measurement, values, ours, against, key):
    """The largest median ratio to the servers meant, and which of them it is to."""
    kinds = {"best-caching": ("caching",), "best": ("caching", "static")}.get(against)
    found = []
    for server in measurement.servers:
        is_meant = server.kind in kinds if kinds else server.name == against
        if is_meant and values.get(server.name):
            each = ratios(values, ours, server.name, key)
            if each:
                found.append((median(each), server.label))
    return max(found) if found else None
