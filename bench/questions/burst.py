# SPDX-License-Identifier: MIT
"""Eight items that block for 100 ms, eight threads at most: does it take 100 ms?"""

from harness import TERNS, Bar, Cell, ns
from harness import table as make_table
from plots import bars_plot

NAME = "burst"
TITLE = "8 items that block for 100 ms, at most 8 threads"
LIMIT = 1.1
ROUNDS = 3
ITEM_MS = 100


def measure(bench):
    cell = Cell(
        "8 x 100 ms",
        {"window": 8, "threads": 8, "threads_min": 1, "sleep_us": ITEM_MS * 1000},
    )
    for number in range(1 if bench.quick else ROUNDS):
        bench.round([cell], "burst", number)
    return [cell]


def bars(cells):
    result = []
    for kind in ("cold", "warm"):
        bar = Bar(f"{kind} burst of 8 x 100 ms / one item", LIMIT, True)
        for name in TERNS:
            took = cells[0].typical(name, f"{kind}_ns")
            if took:
                bar.add(took / (ITEM_MS * 1e6), f"{name}: {ns(took)}")
        result.append(bar)
    return result


def table(cells, bench):
    return make_table(
        ["burst of 8 x 100 ms"] + bench.names,
        [
            [kind] + [ns(cells[0].typical(s, f"{kind}_ns")) for s in bench.names]
            for kind in ("cold", "warm")
        ],
    )


def plot(cells, bench):
    return [
        bars_plot(
            NAME,
            TITLE,
            bench.names,
            [
                (kind, [cells[0].typical(s, f"{kind}_ns") / 1e6 for s in bench.names])
                for kind in ("cold", "warm")
            ],
            "time until all are done [ms]",
        )
    ]
