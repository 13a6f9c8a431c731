# SPDX-License-Identifier: MIT
"""What do the counters and histograms of tern_pool_stats cost? Items of 5 us are all timed, as
others of that length and longer are, shorter ones now and then."""

from harness import Bar, Cell, System, ns, per_item
from harness import table as make_table
from plots import bars_plot

NAME = "stats"
TITLE = "The library with and without its counters and histograms"
LIMIT = 1.05
ROUNDS = 4  # times as many as elsewhere: what is asked for is small beside the noise of one
WITH = System("with", "bench-tern-stats", 1)
WITHOUT = System("without", "bench-tern-bare", 1)
KINDS = ((0, 1), (0, 64), (0, 1024), (1, 64), (5, 64))


def measure(bench):
    cells = [
        Cell(
            f"{us} us W={window}",
            {"window": window, "threads": 2, "threads_min": 2, "loops": bench.loops(us), "ms": 80},
        )
        for us, window in KINDS
    ]
    for number in range(bench.rounds if bench.quick else ROUNDS * bench.rounds):
        for cell in cells:
            pair = (WITH, WITHOUT) if number % 2 else (WITHOUT, WITH)
            for system in pair:
                answer = per_item(bench.ask(system, "closed", **cell.params))
                cell.runs.setdefault(system.name, []).append(answer)
    return cells


def bars(cells):
    bar = Bar("statistics: with / without, wall", LIMIT)
    for cell in cells:
        bar.add(
            cell.ratio("with", "wall", "without"),
            f"{cell.label}: {ns(cell.typical('with', 'wall'))}, "
            f"{ns(cell.typical('without', 'wall'))}",
            not cell.is_over("with", "wall", LIMIT, "without"),
        )
    return [bar]


def table(cells, bench):
    return make_table(
        ["wall an item", "with", "without", "with / without"],
        [
            [c.label]
            + [ns(c.typical(s, "wall")) for s in ("with", "without")]
            + [f"{c.ratio('with', 'wall', 'without'):.3g}"]
            for c in cells
        ],
    )


def plot(cells, bench):
    return [
        bars_plot(
            NAME,
            TITLE,
            [c.label for c in cells],
            [(s, [c.typical(s, "wall") for c in cells]) for s in ("with", "without")],
            "wall time an item [ns]",
            log_y=True,
        )
    ]
