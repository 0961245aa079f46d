#!/usr/bin/env python3
"""Textbook LRU over a request log, to hold `edge-load simulate-eviction` against.

    Benchmarks/eviction/reference.py TRACE BYTES [BYTES ...]

TRACE is a CSV file with the columns time, key (or objid) and size, plain or gzip-compressed. An
object costs its size. One larger than the memory is never stored. A stored object that is requested
with another size is a hit and keeps the size it was stored with. Nothing here is shared with the
program that it checks: an ordered dictionary is the whole cache.
"""

import csv
import gzip
import sys
from collections import OrderedDict


def requests(path):
    with open(path, "rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    with (gzip.open if compressed else open)(path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            yield row.get("key") or row.get("objid"), int(row["size"])


def lru(trace, capacity):
    cache = OrderedDict()
    used = hits = hit_bytes = 0
    for key, size in trace:
        if key in cache:
            cache.move_to_end(key)
            hits += 1
            hit_bytes += size
        elif size <= capacity:
            while used + size > capacity:
                used -= cache.popitem(last=False)[1]
            cache[key] = size
            used += size
    return hits, hit_bytes


def main():
    trace = list(requests(sys.argv[1]))
    total = sum(size for _, size in trace)
    print("memory,hits,object_hit_ratio,byte_hit_ratio")
    for capacity in map(int, sys.argv[2:]):
        hits, hit_bytes = lru(trace, capacity)
        print(f"{capacity},{hits},{hits / len(trace):.6f},{hit_bytes / total:.6f}")


if __name__ == "__main__":
    main()
