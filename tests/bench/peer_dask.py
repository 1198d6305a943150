# SPDX-License-Identifier: MIT
"""No-op calls by dask.distributed, each submitted by its own call:
peer_dask.py WORKERS N.  Prints "tasks_per_s"."""
import logging
import sys
import time

from distributed import Client, LocalCluster, wait


def noop(_):
    return None


def main(workers, n):
    with LocalCluster(n_workers=workers, threads_per_worker=1,
                      dashboard_address=None,
                      silence_logs=logging.CRITICAL) as cluster:
        with Client(cluster) as client:
            client.gather(client.map(noop, range(100), pure=False))
            start = time.perf_counter()
            wait([client.submit(noop, i, pure=False) for i in range(n)])
            print("tasks_per_s %.0f" % (n / (time.perf_counter() - start)))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
