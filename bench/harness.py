# SPDX-License-Identifier: MIT
"""Runs the systems side by side: in turn within each round, so that what disturbs the machine
disturbs all of them; medians over rounds, mostly, and ratios of runs of the same round."""

import json
import os
import platform
import random
import statistics
import subprocess
import threading
import time
import typing
from dataclasses import dataclass, field

NOISE = 1.05  # "not slower" is asked of medians that scatter by so much
RUN_SECONDS_MAX = 120
OTHERS_MAX = 0.1  # of all CPUs' time; the kernel counts it in ticks of 10 ms
AGAIN_MAX = 3


@dataclass(frozen=True)
class System:
    name: str
    program: str
    spin: int


SYSTEMS = [
    System("tern", "bench-tern", 1),
    System("tern, spin off", "bench-tern", 0),
    System("libuv", "bench-libuv", 0),
    System("ivykis", "bench-ivykis", 0),
    System("GLib", "bench-glib", 0),
    System("by hand", "bench-hand", 0),
    System("by hand, spin", "bench-hand", 1),
]
# Not a peer: the least that moving the items from core to core and back can cost.
LIMIT = System("limit", "bench-limit", 1)
# The bars are against these; the hand-written pool with spin is shown beside them.
PEERS = ("libuv", "ivykis", "GLib", "by hand")
TERNS = ("tern", "tern, spin off")


class Bench:
    """Where the programs are, how long to measure, and what this machine needs for an item of 1 us."""

    def __init__(self, build, check, quick):
        self.dir = os.path.join(build, "bench")
        self.quick = quick
        self.full = not check and not quick
        self.rounds = 2 if quick else 5 if check else 9
        self.rounds_max = 2 if quick else 15
        self.cpus = len(os.sched_getaffinity(0))
        self.systems = [s for s in SYSTEMS if os.path.exists(self.path(s.program))]
        self.names = [s.name for s in self.systems]
        self.missing = [s.name for s in SYSTEMS if s not in self.systems]
        if not self.systems:
            raise SystemExit(f"bench: no programs in {self.dir}; is the option bench on?")
        self.want_quiet = True
        self.patience_s = 10 if quick else 60 if check else 600  # to run what was disturbed again
        self.again_s = 10 if quick else 90 if check else 600  # to look twice at a missed bar
        self.asked = self.disturbed = 0
        took = [self.ask(self.systems[0], "calibrate") for _ in range(3)]
        self.loops_per_us = 1e9 / min(t["ns_per_million_loops"] for t in took)

    def path(self, program):
        return os.path.join(self.dir, program)

    def loops(self, us):
        return round(us * self.loops_per_us)

    def command(self, system, question, params):
        return [self.path(system.program), question, f"spin={system.spin}"] + [
            f"{name}={value}" for name, value in params.items()
        ]

    def ask(self, system, question, **params):
        """The object that one run of one system prints."""
        return self.ask_quietly(self.command(system, question, params))

    def ask_quietly(self, command):
        """The object that a command prints: of the run that others disturbed least, if the first
        was disturbed and there is time to run it again."""
        best = self.run(command)
        for _ in range(AGAIN_MAX):
            if not self.want_quiet or best["others"] <= OTHERS_MAX or self.patience_s <= 0:
                break
            start = time.monotonic()
            again = self.run(command)
            best = min(best, again, key=lambda answer: answer["others"])
            self.patience_s -= time.monotonic() - start
        self.asked += 1
        self.disturbed += self.want_quiet and best["others"] > OTHERS_MAX
        return best

    def run(self, command):
        """Runs it, and adds to what it prints which part of all CPUs others took meanwhile."""
        start, busy = time.monotonic(), busy_seconds()
        killer = threading.Timer(RUN_SECONDS_MAX, lambda: process.kill())
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        killer.start()
        with process.stdout:
            output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        killer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"bench: {' '.join(command)}: exit status {process.returncode}")
        answer = json.loads(output.splitlines()[-1])
        others = busy_seconds() - busy - usage.ru_utime - usage.ru_stime
        answer["others"] = max(0, others / (os.cpu_count() * (time.monotonic() - start)))
        return answer

    def lines(self, program, *args):
        """A program that is no system: the objects it prints, one a line; None if not built."""
        if not os.path.exists(self.path(program)):
            return None
        done = subprocess.run(
            [self.path(program), *map(str, args)],
            stdout=subprocess.PIPE,
            timeout=RUN_SECONDS_MAX,
            check=True,
            text=True,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def round(self, cells, question, number, systems=None):
        """Asks every system every cell once, in an order of that round's own: so no one is always
        first, or after the same one, which leaves the kernel's placement of threads behind."""
        systems = systems or self.systems
        for cell in cells:
            for system in random.Random(number).sample(systems, len(systems)):
                answer = self.ask(system, question, **cell.params)
                cell.runs.setdefault(system.name, []).append(per_item(answer))

    def measure(self, cells, question, over=None, beside=(), times=1):
        """Rounds over all cells, `times` as many as usual, and over the systems `beside` those of
        every question; the cells that `over` says miss a bar get more of them while there is time,
        and then all their rounds count."""
        for number in range(self.rounds * times):
            self.round(cells, question, number, [*self.systems, *beside])
        again = [c for c in cells if over and over(c)]
        barred = [s for s in self.systems if s.name in PEERS + TERNS]
        for number in range(self.rounds, self.rounds_max):
            # Looking often and stopping at the first good moment would be cheating.
            if (number - self.rounds) % 5 == 0:
                again = [c for c in again if over(c)]
            for cell in again:
                start = time.monotonic()
                if self.again_s > 0:
                    cell.measured_again = True
                    self.round([cell], question, number, barred)
                self.again_s -= time.monotonic() - start
        return cells


def busy_seconds():
    """What all CPUs did so far, for whomever: idle time left out, and time stolen from a virtual
    machine counted."""
    ticks = [int(x) for x in read_first("/proc/stat", "cpu 0").split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - sum(ticks[3:5])) / os.sysconf("SC_CLK_TCK")


def per_item(answer):
    """Adds what one item costs, where the answer counts items."""
    items = answer.get("items")
    if items:
        answer["wall"] = answer["wall_ns"] / items
        answer["cpu"] = answer["cpu_ns"] / items
    return answer


@dataclass
class Cell:
    """One combination of parameters, and what each system answered in each round."""

    label: str
    params: dict
    keys: dict = field(default_factory=dict)  # what the plots and tables sort by
    runs: dict = field(default_factory=dict)
    measured_again: bool = False
    average: typing.Callable = statistics.median  # what is typical of many runs

    def typical(self, name, metric):
        values = [r[metric] for r in self.runs.get(name, []) if metric in r]
        return self.average(values) if values else None

    def derive(self, name, metric, factor):
        """A metric in another unit, for plots."""
        for runs in self.runs.values():
            for run in runs:
                if metric in run:
                    run[name] = run[metric] * factor

    def best_peer(self, metric):
        peers = [(self.typical(p, metric), p) for p in PEERS if p in self.runs]
        peers = [(value, p) for value, p in peers if value is not None]
        return min(peers)[1] if peers else None

    def ratios(self, name, metric, other=None):
        """Round by round: our figure by that of `other`, or the peer best in this metric."""
        other = other or self.best_peer(metric)
        ours, theirs = self.runs.get(name), self.runs.get(other)
        if not ours or not theirs:
            return []
        return [a[metric] / b[metric] for a, b in zip(ours, theirs) if b.get(metric) and metric in a]

    def ratio(self, name, metric, other=None):
        """The typical one of these."""
        ratios = self.ratios(name, metric, other)
        return self.average(ratios) if ratios else None

    def is_over(self, name, metric, limit, other=None):
        """Whether three rounds of four lie over the limit: more than their noise."""
        ratios = sorted(self.ratios(name, metric, other))
        return bool(ratios) and ratios[len(ratios) // 4] > limit

    def as_json(self):
        metrics = sorted({m for runs in self.runs.values() for r in runs for m in r})
        return {
            "label": self.label,
            "params": self.params,
            **self.keys,
            "measured_again": self.measured_again,
            "rounds": {name: len(runs) for name, runs in self.runs.items()},
            "average": self.average.__name__,
            "typical": {
                name: {
                    m: self.typical(name, m)
                    for m in metrics
                    if not isinstance(runs[0].get(m, ""), str)
                }
                for name, runs in self.runs.items()
            },
            "runs": self.runs,
        }


@dataclass
class Bar:
    """A bar that a question sets: one figure a cell, each to be at most `limit`."""

    name: str
    limit: float
    never_waivable: bool = False
    timed: bool = True  # noise can spoil it
    cells: list = field(default_factory=list)  # (figure, what it is the figure of)
    doubted: set = field(default_factory=set)  # cells over the limit by no more than their noise
    limited: set = field(default_factory=set)  # or as the prototype beside them, which does the least

    def add(self, figure, text, doubted=False, limited=False):
        if figure is None:
            return
        self.cells.append((figure, text))
        if doubted:
            self.doubted.add(text)
        if limited:
            self.limited.add(text)

    def missed(self):
        return sorted((c for c in self.cells if c[0] > self.limit), reverse=True)

    def verdict(self):
        if not self.cells:
            return "NONE"
        if not self.missed():
            return "PASS"
        if all(text in self.limited for _, text in self.missed()):
            return "LIMIT"
        sure = any(text not in self.doubted for _, text in self.missed())
        return "FAIL" if self.never_waivable and sure else "MISS"

    def lines(self, details=6):
        verdict = self.verdict()
        if verdict == "NONE":
            return [f"NONE  {self.name}: not measured"]
        figure, text = max(self.cells)
        good = len(self.cells) - len(self.missed())
        head = f"{verdict}  {self.name}: {figure:.3g} (bar {self.limit:.3g}"
        head += f"; {good} of {len(self.cells)} cells)" if len(self.cells) > 1 else ")"
        rest = [f"        {f:.3g}  {t}" for f, t in self.missed()]
        if len(rest) > details:
            rest[details:] = [f"        and {len(rest) - details} more"]
        return [head if rest else f"{head}  {text}"] + rest

    def as_json(self):
        return {
            "name": self.name,
            "limit": self.limit,
            "never_waivable": self.never_waivable,
            "verdict": self.verdict(),
            "cells": [{"figure": f, "of": t} for f, t in self.cells],
        }


def ratio_bar(title, cells, name, metric, limit, never_waivable=False, prototype=None):
    """The bar that `name` needs at most `limit` of what the best peer needs, in each cell; what the
    prototype does not reach either is its limit."""
    bar = Bar(title, limit, never_waivable)
    for cell in cells:
        peer = cell.best_peer(metric)
        ours = cell.typical(name, metric)
        if peer and ours is not None:
            figure = cell.ratio(name, metric)
            doubted = figure is not None and not cell.is_over(name, metric, limit)
            text = f"{cell.label}: {ns(ours)}, {peer} {ns(cell.typical(peer, metric))}"
            if cell.measured_again:
                text += ", measured again"
            if doubted and figure > limit:
                text += ", within the noise of its rounds"
            limited = prototype and (cell.ratio(name, metric, prototype) or NOISE + 1) <= NOISE
            if limited and figure > limit:
                text += f", {prototype} {ns(cell.typical(prototype, metric))}"
            bar.add(figure, text, doubted, limited)
    return bar


def ns(value):
    """A duration, as people read it."""
    if value is None:
        return "-"
    for limit, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if value >= limit:
            return f"{value / limit:.3g} {unit}"
    return f"{value:.3g} ns"


def table(heads, rows):
    """A table that reads as text and as Markdown."""
    rows = [[str(x) for x in row] for row in rows]
    widths = [max(len(row[i]) for row in [heads] + rows) for i in range(len(heads))]
    lines = [heads, ["-" * w for w in widths]] + rows
    return ["| " + " | ".join(x.ljust(w) for x, w in zip(row, widths)) + " |" for row in lines]


def compare_table(cells, systems, metrics):
    """A row a cell and metric: each system's median, and tern by the best peer."""
    rows = []
    for cell in cells:
        for metric, title in metrics:
            row = [cell.label, title] + [ns(cell.typical(s, metric)) for s in systems]
            for name in TERNS:
                ratio = cell.ratio(name, metric)
                row.append("-" if ratio is None else f"{ratio:.3g}")
            rows.append(row)
    heads = ["", "an item"] + list(systems) + ["tern / best", "spin off / best"]
    return table(heads, rows)


def read_first(path, default="unknown"):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip() or default
    except OSError:
        return default


def machine():
    """What the figures were measured on."""
    info = read_first("/proc/cpuinfo", "")
    model = [x.split(":", 1)[1].strip() for x in info.splitlines() if x.startswith("model name")]
    return {
        "cpu": model[0] if model else platform.processor() or platform.machine(),
        "virtual": " hypervisor" in info,
        "architecture": platform.machine(),
        "cpus": os.cpu_count(),
        "cpus_usable": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "governor": read_first("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "libc": " ".join(platform.libc_ver()),
        "load": os.getloadavg()[0],
    }
