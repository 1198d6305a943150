# SPDX-License-Identifier: MIT
"""No-op calls by mpi4py.futures: mpirun -n WORKERS+1 python3 -m mpi4py.futures
peer_mpi4py.py WAY N.  WAY: one or chunks (of 64).  Prints "tasks_per_s"."""
import sys
import time
from concurrent.futures import wait

from mpi4py.futures import MPIPoolExecutor


def noop(_):
    return None


def main(way, n):
    with MPIPoolExecutor() as pool:
        list(pool.map(noop, range(1000), chunksize=64))
        start = time.perf_counter()
        if way == "one":
            wait([pool.submit(noop, i) for i in range(n)])
        else:
            for _ in pool.map(noop, range(n), chunksize=64):
                pass
        print("tasks_per_s %.0f" % (n / (time.perf_counter() - start)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
