# SPDX-License-Identifier: MIT
"""Does a process with nothing to do do nothing, and do surplus threads leave?

A thread that sleeps cannot make a system call without being switched to, so the kernel's count of
context switches says what strace would, and needs no right to trace."""

import os
import subprocess
import time

from harness import TERNS, Bar, Cell
from harness import table as make_table
from plots import bars_plot

NAME = "idle"
TITLE = "Nothing to do"
IDLE_MS = 1000
LOOP_AND_KEPT = 2  # the loop's thread, and threads_min = 1


def look(pid):
    """Context switches and CPU time of each thread of a process."""
    threads = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        task = f"/proc/{pid}/task/{tid}"
        with open(f"{task}/status", encoding="utf-8") as file:
            switches = sum(int(x.split()[1]) for x in file if "ctxt_switches" in x)
        with open(f"{task}/schedstat", encoding="utf-8") as file:
            threads[tid] = (switches, int(file.read().split()[0]))
    return threads


def between(then, now):
    """What happened between two looks; a thread that left meanwhile had to wake up for it."""
    new = (0, 0)
    left = len(then.keys() - now.keys())
    return {
        "switches": left + sum(n[0] - then.get(tid, new)[0] for tid, n in now.items()),
        "cpu_ns": sum(n[1] - then.get(tid, new)[1] for tid, n in now.items()),
        "threads": len(now),
    }


def measure(bench):
    seconds = 3 if bench.quick else 10
    cell = Cell(
        f"{seconds} s",
        {"window": 8, "threads": 8, "threads_min": 1, "idle_ms": IDLE_MS, "sleep_us": 20000},
        {"seconds": seconds},
    )
    processes = {}
    try:
        for system in bench.systems:
            processes[system.name] = subprocess.Popen(
                bench.command(system, "idle", cell.params),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        for process in processes.values():
            process.stdout.readline()  # says that its burst is over
        time.sleep(IDLE_MS / 1000 * 2)
        before = {name: look(p.pid) for name, p in processes.items()}
        time.sleep(seconds)
        for name, process in processes.items():
            cell.runs[name] = [between(before[name], look(process.pid))]
    finally:
        for process in processes.values():
            process.stdin.close()
            process.wait(timeout=10)
            process.stdout.close()
    return [cell]


def bars(cells):
    cell = cells[0]
    result = []
    for metric, title, limit in (
        ("switches", f"idle for {cell.keys['seconds']} s: wake-ups", 0),
        ("cpu_ns", f"idle for {cell.keys['seconds']} s: CPU [ns]", 0),
        ("threads", "idle: threads left, loop's included, of threads_min 1", LOOP_AND_KEPT),
    ):
        bar = Bar(title, limit, True, timed=False)
        for name in TERNS:
            bar.add(cell.typical(name, metric), name)
        result.append(bar)
    return result


def table(cells, bench):
    return make_table(
        [f"idle for {cells[0].keys['seconds']} s"] + bench.names,
        [
            [title] + [f"{cells[0].typical(s, metric):.0f}" for s in bench.names]
            for metric, title in (
                ("switches", "context switches"),
                ("cpu_ns", "CPU [ns]"),
                ("threads", "threads left"),
            )
        ],
    )


def plot(cells, bench):
    return [
        bars_plot(
            NAME,
            f"{TITLE} for {cells[0].keys['seconds']} s, after a burst on 8 threads",
            bench.names,
            [
                ("wake-ups", [cells[0].typical(s, "switches") for s in bench.names]),
                ("threads left", [cells[0].typical(s, "threads") for s in bench.names]),
            ],
            "number",
        )
    ]
