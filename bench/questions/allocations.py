# SPDX-License-Identifier: MIT
"""How many heap allocations does an operation cost?"""

from harness import PEERS, TERNS, Bar, Cell
from harness import table as make_table
from plots import bars_plot

NAME = "allocations"
TITLE = "Heap allocations"
ITEMS = 100000
ONCE = 1e-4  # libev grows a table when it is first needed, which may be late


def measure(bench):
    """The round trip, of each system; and each operation of tern's, of which the last cell tells."""
    cells = []
    for window, items in ((1, ITEMS // 5), (64, ITEMS), (1024, ITEMS)):
        cell = Cell(
            f"round trip, W={window}",
            {
                "window": window,
                "threads": 2,
                "threads_min": 2,
                "items": items // 10 if bench.quick else items,
                "warm_items": 10000,
            },
        )
        bench.round([cell], "closed", 0)
        cells.append(cell)
    for answer in bench.lines("bench-ops") or []:
        cell = Cell(answer["operation"], {})
        answer["items"] = answer["operations"]
        cell.runs["tern"] = [answer]
        cells.append(cell)
    return cells


def an_item(cell, name):
    runs = cell.runs.get(name)
    if not runs:
        return None
    return sum(r["allocations"] for r in runs) / sum(r["items"] for r in runs)


def bars(cells):
    bar = Bar("heap allocations an operation", ONCE, True, timed=False)
    for cell in cells:
        for name in TERNS:
            bar.add(an_item(cell, name), f"{cell.label}, {name}")
    return [bar]


def table(cells, bench):
    return make_table(
        ["allocations an operation"] + bench.names,
        [
            [c.label]
            + ["-" if an_item(c, s) is None else f"{an_item(c, s):.4g}" for s in bench.names]
            for c in cells
        ],
    )


def plot(cells, bench):
    names = [n for n in bench.names if n in PEERS or n == "tern"]
    trips = [c for c in cells if c.params]
    return [
        bars_plot(
            NAME,
            "Heap allocations of a round trip",
            names,
            [(c.label, [an_item(c, n) or 0 for n in names]) for c in trips],
            "allocations an item",
        )
    ]
