# SPDX-License-Identifier: MIT
"""A queue is saturated: how long is the loop away, seen by a probe outside at 1 kHz?

Where the probe was late itself, the machine stood still, and the round is asked again."""

import disks
from harness import NOISE, Bar, Cell, ns
from harness import table as make_table
from plots import bars_plot
from questions.away import LATE_NS, MAX_NS, METRICS, P999_NS, ROUNDS, TRIES

NAME = "disk-away"
TITLE = "Tick from outside, there and back, 4 KiB random I/O at QD 128"
# each with what does the same as simply as can be: nobody on such a loop is away for less
PROTOTYPES = {disks.OURS[0].name: disks.RAW_EV.name, disks.POOL.name: disks.HAND.name}


def measure(bench):
    systems = disks.present(bench, disks.ON_LOOPS)
    return disks.on_targets(bench, lambda kind, file: on(bench, systems, kind, file))


def on(bench, systems, kind, file):
    cells = [
        Cell(f"{kind}, {op}",
             {"file": file, "op": op, "order": "random", "block": 4096, "depth": 128, "probe": 1,
              "seed": 1, "warm_ms": 50, "ms": 500 if bench.quick else 2000})
        for op in (("read",) if bench.quick else ("read", "write"))
    ]
    for _ in range(1 if bench.quick else ROUNDS):
        for cell in cells:
            for system in systems:
                cell.runs.setdefault(system.name, []).append(ask(bench, system, cell.params))
    return cells


def ask(bench, system, params):
    """The run in which the probe was least late, of as few as possible."""
    best = None
    for _ in range(TRIES):
        answer = disks.ask(bench, system, **params)
        if best is None or answer["late_p999_ns"] < best["late_p999_ns"]:
            best = answer
        if best["late_p999_ns"] < LATE_NS or bench.patience_s <= 0:
            break
        bench.patience_s -= params["ms"] / 1000
    return best


def bars(cells):
    result = []
    for metric, title, limit in (("p999_ns", "p99.9", P999_NS), ("max_ns", "longest", MAX_NS)):
        bar = Bar(f"disk: loop away, queue saturated: {title} [ms]", limit / 1e6)
        for cell in cells:
            for name, prototype in PROTOTYPES.items():
                took, least = cell.typical(name, metric), cell.typical(prototype, metric)
                if took:
                    text = f"{cell.label}, {name}; {prototype} {ns(least)}"
                    bar.add(took / 1e6, text, limited=took <= NOISE * (least or 0))
        result.append(bar)
    return result


def names_of(cells):
    return [s.name for s in disks.ON_LOOPS if any(s.name in c.runs for c in cells)]


def table(cells, bench):
    names = names_of(cells)
    return make_table(
        ["", "tick"] + names,
        [
            [c.label, title] + [ns(c.typical(s, metric)) for s in names]
            for c in cells
            for metric, title in METRICS + (("late_p999_ns", "probe's own p99.9"),)
        ],
    )


def plot(cells, bench):
    names = names_of(cells)
    return [
        bars_plot(
            f"{NAME}-{number}",
            f"{TITLE}: {cell.label}",
            names,
            [
                (title, [(cell.typical(s, metric) or 0) / 1e3 for s in names])
                for metric, title in METRICS
            ],
            "tick to answer [us]",
            log_y=True,
        )
        for number, cell in enumerate(cells, 1)
    ]
