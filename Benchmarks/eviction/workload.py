#!/usr/bin/env python3
"""Writes a request log as a web site's CDN sees it: CSV with time, key and size.

    Benchmarks/eviction/workload.py --seed 1 --requests 1000000 > web.csv

Popularity follows Zipf's law among the objects that are requested again and again; 65 % of all objects
are requested once and make 6 % of the requests. Sizes are log-normal (median 17 KB, sigma 1.25), but
for 1.75 % that follow a Pareto distribution (slope 1.38, from 1 MB up, cut at 1 GB). Size and
popularity know nothing of each other. With --shift, every so many requests the 2 % of objects that a
deployment replaces get new keys. The same arguments write the same log.
"""

import argparse
import bisect
import itertools
import math
import random
import sys


def size(rng):
    if rng.random() < 0.0175:
        return min(int(1e6 * rng.paretovariate(1.38)), 10**9)
    return max(1, int(rng.lognormvariate(math.log(17_000), 1.25)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--once", type=float, default=0.06, help="share of requests made only once")
    parser.add_argument("--shift", type=int, default=0, help="requests between two deployments")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    # 65 % of the objects make `once` of the requests, one each; the other 35 % make the rest.
    core = max(1, int(options.requests * options.once * 35 / 65))
    cumulative = list(itertools.accumulate((n + 1) ** -options.alpha for n in range(core)))
    keys = [f"/c{n}" for n in range(core)]
    sizes = [size(rng) for _ in range(core)]
    out = ["time,key,size"]
    for number in range(options.requests):
        if options.shift and number and number % options.shift == 0:
            for place in rng.sample(range(core), core // 50):
                keys[place], sizes[place] = f"/c{place}.{number}", size(rng)
        if rng.random() < options.once:
            key, length = f"/o{number}", size(rng)
        else:
            place = bisect.bisect_left(cumulative, rng.random() * cumulative[-1])
            key, length = keys[place], sizes[place]
        out.append(f"{number / 1000:.3f},{key},{length}")
        if len(out) == 10_000:
            sys.stdout.write("\n".join(out) + "\n")
            out = []
    if out:
        sys.stdout.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
