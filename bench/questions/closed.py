# SPDX-License-Identifier: MIT
"""What does an item cost that does nothing, with so many in flight?"""

from harness import LIMIT, NOISE, Bar, Cell, compare_table, ns, ratio_bar
from plots import lines_grid

NAME = "closed"
TITLE = "No-op items, closed loop"
METRICS = (("wall", "wall"), ("cpu", "CPU"))


def measure(bench):
    threads = (2,) if bench.quick else (1, 2, 4)
    cells = [
        Cell(
            f"W={w} T={t}",
            {"window": w, "threads": t, "threads_min": t, "ms": 80},
            {"window": w, "threads": t},
        )
        for w in (1, 16, 64, 1024)
        for t in threads
    ]
    return bench.measure(cells, "closed", beside=[LIMIT])


def bars(cells):
    def of(window):
        return [c for c in cells if c.keys["window"] == window]

    limit = Bar("no-op, spin on, wall / the least that moving such items between cores takes", NOISE)
    for cell in cells:
        limit.add(
            cell.ratio("tern", "wall", LIMIT.name),
            f"{cell.label}: {ns(cell.typical('tern', 'wall'))}, {ns(cell.typical(LIMIT.name, 'wall'))}",
        )
    return [
        limit,
        ratio_bar("no-op W=1, spin on, wall / best peer", of(1), "tern", "wall", 1 / 25),
        ratio_bar("no-op W=1, spin on, CPU / best peer", of(1), "tern", "cpu", 1 / 10),
        ratio_bar("no-op W=1, spin off, wall / best peer", of(1), "tern, spin off", "wall", NOISE),
        ratio_bar("no-op W=16, spin on, wall / best peer", of(16), "tern", "wall", 1 / 12),
        ratio_bar("no-op W=16, spin on, CPU / best peer", of(16), "tern", "cpu", 1 / 12),
        ratio_bar("no-op W=64, spin on, wall / best peer", of(64), "tern", "wall", 1 / 9),
        ratio_bar("no-op W=64, spin on, CPU / best peer", of(64), "tern", "cpu", 1 / 9),
        ratio_bar("no-op W=1024, spin on, wall / best peer", of(1024), "tern", "wall", 1 / 1.5),
        ratio_bar(
            "no-op W=1024, spin off, wall / best peer", of(1024), "tern, spin off", "wall", NOISE
        ),
    ]


def table(cells, bench):
    return compare_table(cells, [*bench.names, LIMIT.name], METRICS)


def plot(cells, bench):
    return [
        lines_grid(
            NAME,
            TITLE,
            cells,
            [*bench.names, LIMIT.name],
            x=("window", "items in flight"),
            columns=("threads", "{} threads"),
            rows=[("wall", "wall time an item [ns]"), ("cpu", "CPU time an item [ns]")],
        )
    ]
