# SPDX-License-Identifier: MIT
"""And when other processes keep every CPU busy?"""

import multiprocessing
import os
import statistics
import time

from harness import NOISE, TERNS, Cell, compare_table, ratio_bar
from plots import lines_grid

NAME = "busy"
TITLE = "No-op items while other processes keep every CPU busy, 2 threads"
METRICS = (("wall", "wall"), ("cpu", "CPU"))
BUSY_SECONDS_MAX = 240
# Where the kernel puts the threads decides a run, by a factor of four and more: so many short runs,
# and their geometric mean. A median would only tell which of the two kinds there were more of.
TIMES = 8
RUN_MS = 40


def burn(parent):
    """Ends by itself, however the benchmark ends."""
    end = time.monotonic() + BUSY_SECONDS_MAX
    while time.monotonic() < end and os.getppid() == parent:
        for _ in range(100000):
            pass


def mean(values):
    """Geometric; of what may be nothing at all, allocations for one, the median."""
    return statistics.geometric_mean(values) if min(values) > 0 else statistics.median(values)


def measure(bench):
    windows = (64,) if bench.quick else (1, 16, 64, 1024)
    cells = [
        Cell(
            f"W={w}",
            {"window": w, "threads": 2, "threads_min": 2, "ms": RUN_MS},
            {"window": w, "": 2},
            average=mean,
        )
        for w in windows
    ]
    others = [
        multiprocessing.Process(target=burn, args=(os.getpid(),), daemon=True)
        for _ in range(bench.cpus)
    ]
    for process in others:
        process.start()
    bench.want_quiet = False
    try:
        return bench.measure(cells, "closed", times=1 if bench.quick else TIMES)
    finally:
        bench.want_quiet = True
        for process in others:
            process.terminate()
        for process in others:
            process.join()


def bars(cells):
    return [
        ratio_bar(f"every CPU busy, {spin}, wall / best peer", cells, name, "wall", NOISE)
        for name, spin in zip(TERNS, ("spin on", "spin off"))
    ]


def table(cells, bench):
    return compare_table(cells, bench.names, METRICS)


def plot(cells, bench):
    return [
        lines_grid(
            NAME,
            TITLE,
            cells,
            bench.names,
            x=("window", "items in flight"),
            columns=("", ""),
            rows=[("wall", "wall time an item [ns]")],
        )
    ]
