#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Asks every question, and writes OUT/results.json, OUT/table.md and a plot of each question.

--check prints a line for each bar: PASS; MISS, a bar that is missed; LIMIT, one that is missed only
where a prototype that does the least misses it in the same rounds, and we are within 5 % of that;
FAIL, one that is never waived and is missed by more than its noise: in three rounds of four.
Its exit status is 1 if any is FAIL. --quick looks only whether everything works: it measures for
too short a time to fail anything that depends on time.
"""

import argparse
import json
import os
import sys
import time

sys.dont_write_bytecode = True  # the source folder stays as it is

import plots
from harness import OTHERS_MAX, Bench, machine
from questions import (
    allocations,
    away,
    burst,
    busy,
    closed,
    disk,
    disk_away,
    idle,
    instructions,
    items,
    log,
    movers,
    open as arrivals,
    scaling,
    stats,
    threads_max,
    timers,
)

QUESTIONS = (
    closed,
    items,
    arrivals,
    busy,
    threads_max,
    scaling,
    stats,
    burst,
    idle,
    allocations,
    away,
    timers,
    disk,
    disk_away,
    movers,
    log,
    instructions,
)


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--build", required=True, help="meson's build folder")
    parser.add_argument("--out", required=True, help="where results go")
    parser.add_argument("--check", action="store_true", help="a line a bar, and fail")
    parser.add_argument("--quick", action="store_true", help="a minute, to see that it works")
    parser.add_argument("--only", nargs="+", metavar="QUESTION", default=[],
                        choices=[q.NAME for q in QUESTIONS])
    return parser.parse_args()


def describe(info):
    kind = "virtual, " if info["virtual"] else ""
    return (
        f"{info['cpu']} ({kind}{info['cpus_usable']} of {info['cpus']} CPUs), "
        f"Linux {info['kernel']}, {info['libc']}, governor {info['governor']}"
    )


def noise(bench):
    return (
        f"In {bench.disturbed} of {bench.asked} runs others took more than "
        f"{OTHERS_MAX:.0%} of the CPUs' time."
    )


def say(text):
    print(text, flush=True)


def answer(question, bench, args, results):
    """Measures one question; adds its table, bars and plots to the results."""
    start = time.monotonic()
    cells = question.measure(bench)
    if not cells:
        return
    results["questions"][question.NAME] = {
        "title": question.TITLE,
        "cells": [c.as_json() for c in cells],
    }
    results["table"] += [f"## {question.TITLE}", ""] + question.table(cells, bench) + [""]
    results["plots"] += plots.draw(args.out, question.plot(cells, bench))
    bars = question.bars(cells)
    results["bars"] += bars
    if args.check:
        for bar in bars:
            say("\n".join(bar.lines()))
    else:
        say("\n".join(question.table(cells, bench)) + "\n")
    print(f"{question.NAME}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)


def write(out, info, bench, results):
    with open(os.path.join(out, "results.json"), "w", encoding="utf-8") as file:
        json.dump(
            {
                "machine": info,
                "rounds": bench.rounds,
                "missing": bench.missing,
                "runs": bench.asked,
                "runs_disturbed": bench.disturbed,
                "bars": [b.as_json() for b in results["bars"]],
                "plots": results["plots"],
                "questions": results["questions"],
            },
            file,
            indent=1,
        )
    lines = ["# tern beside its peers", "", describe(info), "",
             f"Medians of {bench.rounds} rounds (some of more), the systems in turn within each.",
             ""]
    lines += [noise(bench), ""]
    lines += results["table"] + ["## Bars", "", "```"]
    for bar in results["bars"]:
        lines += bar.lines(details=100)
    with open(os.path.join(out, "table.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines + ["```"]) + "\n")


def main():
    args = parse_arguments()
    os.makedirs(args.out, exist_ok=True)
    info = machine()
    bench = Bench(args.build, args.check, args.quick)
    say(describe(info))
    if bench.missing:
        say("not built, so not measured: " + ", ".join(bench.missing))
    results = {"questions": {}, "table": [], "bars": [], "plots": []}
    for question in QUESTIONS:
        if not args.only or question.NAME in args.only:
            answer(question, bench, args, results)
    write(args.out, info, bench, results)
    say(noise(bench))
    say(f"table.md, results.json and {len(results['plots'])} plots are in {args.out}")
    if not args.check:
        return 0
    failed = [
        b for b in results["bars"] if b.verdict() == "FAIL" and not (args.quick and b.timed)
    ]
    missed = [b for b in results["bars"] if b.verdict() == "MISS"]
    say(f"{len(results['bars'])} bars, {len(missed)} missed, {len(failed)} failed")
    return 1 if failed or bench.missing else 0


if __name__ == "__main__":
    sys.exit(main())
