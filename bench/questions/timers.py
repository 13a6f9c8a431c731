# SPDX-License-Identifier: MIT
"""What does a timer cost among 100,000?"""

from harness import Cell, ns
from harness import table as make_table
from plots import bars_plot

NAME = "timers"
TITLE = "100,000 timers"
METRICS = (("arm_ns", "arm"), ("move_ns", "move, random order"), ("stop_ns", "stop, random order"))
SYSTEMS = ("tern", "libev")


def measure(bench):
    answers = bench.lines("bench-timers", bench.rounds)
    if not answers:
        return []
    cell = Cell("100,000", {})
    for answer in answers[len(SYSTEMS) :]:  # the first round of each warmed up
        cell.runs.setdefault(answer["system"], []).append(answer)
    return [cell]


def bars(cells):
    return []


def table(cells, bench):
    return make_table(
        ["a timer among 100,000"] + list(SYSTEMS),
        [[title] + [ns(c.typical(s, m)) for s in SYSTEMS] for c in cells for m, title in METRICS],
    )


def plot(cells, bench):
    return [
        bars_plot(
            NAME,
            f"{TITLE} armed, moved and stopped",
            [title for _, title in METRICS],
            [(s, [c.typical(s, m) for m, _ in METRICS]) for s in SYSTEMS],
            "time a timer [ns]",
        )
        for c in cells
    ]
