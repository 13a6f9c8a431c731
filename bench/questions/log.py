# SPDX-License-Identifier: MIT
"""How many appends a second does a log make durable, and how long does each writer wait for his?

Of the example examples/log.c: each writer has one append out, and those that come while a write is
under way share the next one. What a cache without a battery would lose is up to the device."""

import os

import disks
from harness import Cell, ns
from harness import table as make_table
from plots import bars_plot

NAME = "log"
TITLE = "Group-commit log: durable appends"
PROGRAM = "disk/bench-log"
WRITERS = (1, 16, 256)
SECONDS = 1
METRICS = (("p50_ns", "p50"), ("p99_ns", "p99"))


def measure(bench):
    if not os.path.exists(bench.path(PROGRAM)):
        disks.note("log: not built, so not measured")
        return []
    cells = [Cell(f"{n} writer{'s' if n > 1 else ''}", {"writers": n}) for n in WRITERS]
    file = os.path.join(bench.dir, "log.tmp")
    with disks.ended_orderly():
        for _ in range(bench.rounds):
            for cell in cells:
                cell.runs.setdefault("tern", []).append(ask(bench, file, cell.params["writers"]))
    return cells


def ask(bench, file, writers):
    """The answer of one run, on a log that is new."""
    try:
        answer = bench.lines(PROGRAM, file, "--writers", writers, "--seconds", SECONDS)[-1]
    finally:
        disks.remove(file)
    answer.update({"p50_ns": answer["p50_us"] * 1e3, "p99_ns": answer["p99_us"] * 1e3})
    return answer


def bars(cells):
    return []


def table(cells, bench):
    return make_table(
        [f"on {disks.filesystem(bench.dir)}", "appends/s"] + [title for _, title in METRICS],
        [
            [c.label, f"{c.typical('tern', 'appends_per_s'):.0f}"]
            + [ns(c.typical("tern", metric)) for metric, _ in METRICS]
            for c in cells
        ],
    )


def plot(cells, bench):
    return [
        bars_plot(
            NAME,
            TITLE,
            [c.label for c in cells],
            [("appends a second", [c.typical("tern", "appends_per_s") for c in cells])],
            "appends/s",
            log_y=True,
        ),
    ]
