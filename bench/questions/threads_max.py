# SPDX-License-Identifier: MIT
"""Does a pool that may have 64 threads get slower than one that may have 4?"""

from harness import NOISE, Bar, Cell, ns, per_item
from harness import table as make_table
from plots import bars_plot

NAME = "threads_max"
TITLE = "threads_max from 4 to 64"
MAXIMA = (4, 16, 64)
KINDS = ((0, 64), (0, 1024), (10, 64), (10, 1024))


def measure(bench):
    """Here the competitors are three settings of one system, so that they take turns too."""
    tern = [s for s in bench.systems if s.name == "tern"]
    if not tern:
        return []
    cells = [
        Cell(
            f"{us} us W={w}",
            {"window": w, "threads_min": 1, "loops": bench.loops(us), "ms": 100},
            {"us": us, "window": w},
        )
        for us, w in KINDS
    ]
    for number in range(bench.rounds):
        for cell in cells:
            for maximum in MAXIMA[number % 3 :] + MAXIMA[: number % 3]:
                answer = bench.ask(tern[0], "closed", threads=maximum, **cell.params)
                cell.runs.setdefault(str(maximum), []).append(per_item(answer))
    return cells


def bars(cells):
    bar = Bar("threads_max 64 / threads_max 4, wall", NOISE)
    for cell in cells:
        bar.add(
            cell.ratio("64", "wall", "4"),
            f"{cell.label}: {ns(cell.typical('64', 'wall'))}, {ns(cell.typical('4', 'wall'))}",
        )
    return [bar]


def table(cells, bench):
    return make_table(
        ["wall an item"] + [f"threads_max {m}" for m in MAXIMA] + ["64 / 4"],
        [
            [c.label]
            + [ns(c.typical(str(m), "wall")) for m in MAXIMA]
            + [f"{c.ratio('64', 'wall', '4'):.3g}"]
            for c in cells
        ],
    )


def plot(cells, bench):
    return [
        bars_plot(
            NAME,
            f"tern: {TITLE}",
            [c.label for c in cells],
            [(f"threads_max {m}", [c.typical(str(m), "wall") for c in cells]) for m in MAXIMA],
            "wall time an item [ns]",
            log_y=True,
        )
    ]
