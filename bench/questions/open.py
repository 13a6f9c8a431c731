# SPDX-License-Identifier: MIT
"""Items arrive at a rate, whatever the system does: how late are they done, at what cost?"""

from harness import NOISE, TERNS, Cell, compare_table, ratio_bar
from plots import lines_grid

NAME = "open"
TITLE = "Arrivals from outside, 4 threads"
METRICS = (("p50_ns", "p50 arrival to done"), ("p99_ns", "p99 arrival to done"), ("cpu", "CPU"))
CPU = 1.1
LOAD_MAX = 0.6  # of the CPUs: beyond, the queue is what is measured
ON_LIBEV = "by hand"  # a mutex, a condition and an eventfd: the least that goes with a libev loop
RUN_MS = {100: 1500, 1000: 800, 10000: 300}  # p99 of 150 arrivals, or more


def over(cell):
    return any(
        (cell.ratio(name, metric) or 0) > limit
        for name in TERNS
        for metric, limit in (("p99_ns", NOISE), ("cpu", CPU))
    )


def measure(bench):
    rates = (1000,) if bench.quick else (100, 1000, 10000)
    sizes = (0, 50) if bench.quick else (0, 50, 1000)
    cells = [
        Cell(
            f"{rate}/s of {us} us",
            {
                "rate": rate,
                "threads": 4,
                "threads_min": 4,
                "loops": bench.loops(us),
                "ms": RUN_MS[rate],
            },
            {"rate": rate, "us": us},
        )
        for rate in rates
        for us in sizes
        if rate * us * 1e-6 <= LOAD_MAX * bench.cpus
    ]
    return bench.measure(cells, "open", over=None if bench.quick else over)


def bars(cells):
    result = []
    for name, spin in zip(TERNS, ("spin on", "spin off")):
        result += [
            ratio_bar(f"open loop, {spin}, p99 / best peer", cells, name, "p99_ns", NOISE,
                      prototype=ON_LIBEV),
            ratio_bar(f"open loop, {spin}, CPU / best peer", cells, name, "cpu", CPU,
                      prototype=ON_LIBEV),
        ]
    return result


def table(cells, bench):
    return compare_table(cells, bench.names, METRICS)


def plot(cells, bench):
    for cell in cells:
        cell.derive("p99_us", "p99_ns", 1e-3)
        cell.derive("cpu_us", "cpu", 1e-3)
    return [
        lines_grid(
            NAME,
            TITLE,
            cells,
            bench.names,
            x=("rate", "arrivals a second"),
            columns=("us", "items of {} us"),
            rows=[("p99_us", "p99 arrival to done [us]"), ("cpu_us", "CPU an item [us]")],
        )
    ]
