# SPDX-License-Identifier: MIT
"""The pool is saturated: how long is the loop away, seen by a probe outside at 1 kHz?

The probe has real-time priority and waits for nobody. Where it was late itself, the machine stood
still, and the round says nothing about the loop: it is asked again."""

from harness import TERNS, Bar, Cell, ns
from harness import table as make_table
from plots import bars_plot

NAME = "away"
TITLE = "Tick from outside, there and back, pool saturated"
KINDS = (  # us of computing, us of blocking, in flight, threads
    (0, 0, 1024, 4),
    (100, 0, 64, 2),
    (100, 0, 64, 4),
    (0, 1000, 64, 8),
)
LATE_NS = 500e3
P999_NS = 1e6
MAX_NS = 5e6
ROUNDS = 3
TRIES = 3
METRICS = (("p50_ns", "p50"), ("p99_ns", "p99"), ("p999_ns", "p99.9"), ("max_ns", "max"))


def describe(us, block_us, window, threads):
    kind = f"block for {block_us} us" if block_us else f"compute for {us} us"
    return f"items {kind}, W={window}, {threads} threads"


def measure(bench):
    cells = [
        Cell(
            describe(us, block_us, window, threads),
            {
                "window": window,
                "threads": threads,
                "threads_min": threads,
                "loops": bench.loops(us),
                "sleep_us": block_us,
                "ms": 2000 if bench.full else 700,
            },
        )
        for us, block_us, window, threads in (KINDS[:1] if bench.quick else KINDS)
    ]
    for _ in range(1 if bench.quick else ROUNDS):
        for cell in cells:
            for system in bench.systems:
                cell.runs.setdefault(system.name, []).append(ask(bench, system, cell.params))
    return cells


def ask(bench, system, params):
    """The run in which the probe was least late, of as few as possible."""
    best = None
    for _ in range(TRIES):
        answer = bench.ask(system, "away", **params)
        if best is None or answer["late_p999_ns"] < best["late_p999_ns"]:
            best = answer
        if best["late_p999_ns"] < LATE_NS or bench.patience_s <= 0:
            break
        bench.patience_s -= params["ms"] / 1000
    return best


def bars(cells):
    result = []
    for metric, title, limit in (("p999_ns", "p99.9", P999_NS), ("max_ns", "longest", MAX_NS)):
        bar = Bar(f"loop away, pool saturated: {title} [ms]", limit / 1e6)
        for cell in cells:
            for name in TERNS:
                took = cell.typical(name, metric)
                if took:
                    bar.add(took / 1e6, f"{cell.label}, {name}")
        result.append(bar)
    return result


def table(cells, bench):
    return make_table(
        ["", "tick"] + bench.names,
        [
            [c.label, title] + [ns(c.typical(s, metric)) for s in bench.names]
            for c in cells
            for metric, title in METRICS + (("late_p999_ns", "probe's own p99.9"),)
        ],
    )


def plot(cells, bench):
    return [
        bars_plot(
            f"{NAME}-{number}",
            f"{TITLE}: {cell.label}",
            bench.names,
            [
                (title, [(cell.typical(s, metric) or 0) / 1e3 for s in bench.names])
                for metric, title in METRICS
            ],
            "tick to answer [us]",
            log_y=True,
        )
        for number, cell in enumerate(cells, 1)
    ]
