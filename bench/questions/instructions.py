# SPDX-License-Identifier: MIT
"""How many instructions does an item take? Counted, not timed: it hardly scatters."""

import re
import shutil
import subprocess

from harness import Cell
from harness import table as make_table
from plots import bars_plot

NAME = "instructions"
TITLE = "Instructions an item, 1 thread, nobody looks before he sleeps"
FEW, MANY = 4000, 12000


def count(bench, system, window, items):
    params = {"window": window, "threads": 1, "threads_min": 1, "items": items}
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        + bench.command(system, "closed", params),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=True,
    )
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def measure(bench):
    if not bench.full or not shutil.which("valgrind"):
        return []
    cells = []
    for window in (1, 64, 1024):
        cell = Cell(f"W={window}", {"window": window})
        for system in bench.systems:
            if not system.spin:
                # The difference leaves out what starting costs.
                more = count(bench, system, window, MANY) - count(bench, system, window, FEW)
                cell.runs[system.name] = [{"instructions": more / (MANY - FEW)}]
        cells.append(cell)
    return cells


def bars(cells):
    return []


def table(cells, bench):
    names = [n for n in bench.names if cells and n in cells[0].runs]
    return make_table(
        ["instructions an item"] + names,
        [[c.label] + [f"{c.typical(s, 'instructions'):.0f}" for s in names] for c in cells],
    )


def plot(cells, bench):
    names = [n for n in bench.names if n in cells[0].runs]
    return [
        bars_plot(
            NAME,
            TITLE,
            names,
            [(c.label, [c.typical(n, "instructions") for n in names]) for c in cells],
            "instructions",
            log_y=True,
        )
    ]
