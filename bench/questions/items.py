# SPDX-License-Identifier: MIT
"""What do items cost that compute for 1, 10 and 100 us, and how long do they take to come home?"""

from harness import NOISE, TERNS, Cell, compare_table, ratio_bar
from plots import lines_grid

NAME = "items"
TITLE = "Items that compute, closed loop"
METRICS = (("wall", "wall"), ("cpu", "CPU"), ("p99_ns", "p99 submit to done"))
WALL = 1.04
CPU = {"tern": 1.3, "tern, spin off": 1.04}


def over(cell):
    """Whether more rounds should tell if a bar is missed."""
    checks = [(name, "wall", WALL) for name in TERNS]
    checks += [(name, "cpu", CPU[name]) for name in TERNS]
    return any((cell.ratio(name, metric) or 0) > limit for name, metric, limit in checks)


def measure(bench):
    sizes = (10,) if bench.quick else (1, 10, 100)
    windows = (4, 64) if bench.quick else (4, 16, 64, 256)
    threads = (2,) if bench.quick else (1, 2, 4)
    cells = [
        Cell(
            f"{us} us W={w} T={t}",
            {
                "window": w,
                "threads": t,
                "threads_min": t,
                "loops": bench.loops(us),
                "latency": 1,
                "ms": 100 if us == 100 else 70,
            },
            {"us": us, "window": w, "threads": t},
        )
        for us in sizes
        for t in threads
        for w in windows
    ]
    return bench.measure(cells, "closed", over=over)


def bars(cells):
    result = []
    for name, spin in zip(TERNS, ("spin on", "spin off")):
        result += [
            ratio_bar(f"items of 1 to 100 us, {spin}, wall / best peer", cells, name, "wall", WALL,
                      never_waivable=True),
            ratio_bar(f"items of 1 to 100 us, {spin}, CPU / best peer", cells, name, "cpu",
                      CPU[name]),
            ratio_bar(f"items of 1 to 100 us, {spin}, p99 / best peer", cells, name, "p99_ns",
                      NOISE),
        ]
    return result


def table(cells, bench):
    return compare_table(cells, bench.names, METRICS)


def plot(cells, bench):
    for cell in cells:
        useful = cell.keys["us"] * 1e3 / min(cell.keys["threads"], bench.cpus)
        cell.derive("wall_by_ideal", "wall", 1 / useful)
        cell.derive("cpu_by_ideal", "cpu", 1 / (cell.keys["us"] * 1e3))
        cell.derive("p99_us", "p99_ns", 1e-3)
    plots = []
    for metric, text in (
        ("wall_by_ideal", "wall time by the least possible"),
        ("cpu_by_ideal", "CPU time by the least possible"),
        ("p99_us", "p99 from submit to done [us]"),
    ):
        sizes = sorted({c.keys["us"] for c in cells})
        plots.append(
            lines_grid(
                f"{NAME}-{metric.split('_')[0]}",
                f"{TITLE}: {text}",
                cells,
                bench.names,
                x=("window", "items in flight"),
                columns=("threads", "{} threads"),
                rows=[(metric, f"items of {us} us", {"us": us}) for us in sizes],
            )
        )
    return plots
