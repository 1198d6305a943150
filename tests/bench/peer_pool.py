# SPDX-License-Identifier: MIT
"""No-op calls by Python's ProcessPoolExecutor: peer_pool.py WAY WORKERS N.

WAY: one (each submitted by its own call), chunks (map in chunks of 64), rtt
(one after the other).  Prints "tasks_per_s" or "median_us".
"""
import sys
import time
from concurrent.futures import ProcessPoolExecutor, wait


def noop(_):
    return None


def main(way, workers, n):
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(noop, range(1000), chunksize=64))
        if way == "rtt":
            times = []
            for i in range(n):
                start = time.perf_counter()
                pool.submit(noop, i).result()
                times.append(time.perf_counter() - start)
            print("median_us %.1f" % (sorted(times)[n // 2] * 1e6))
            return
        start = time.perf_counter()
        if way == "one":
            wait([pool.submit(noop, i) for i in range(n)])
        else:
            for _ in pool.map(noop, range(n), chunksize=64):
                pass
        print("tasks_per_s %.0f" % (n / (time.perf_counter() - start)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
