# SPDX-License-Identifier: MIT
"""What does an item cost with many workers, and with many loops?

A cell is measured where the machine has a CPU for every loop and every worker; on smaller ones it
would show how the kernel shares CPUs. What is not measured says so.
"""

from harness import Cell, ns, per_item
from harness import table as make_table
from plots import lines_grid

NAME = "scaling"
TITLE = "Many workers and many loops, no-op items"
WINDOWS = (64, 1024)
SHAPES = [(1, threads) for threads in (1, 2, 4, 8, 16)] + [
    (loops, threads) for loops in (2, 4, 8) for threads in (1, 4, 8)
]
SYSTEMS = (("tern", "bench-scaling-tern", 1), ("tern, spin off", "bench-scaling-tern", 0),
           ("libuv", "bench-scaling-libuv", 0))


def label(loops, threads):
    return f"{loops} {'loop' if loops == 1 else 'loops'}, {threads} " \
           f"{'worker' if threads == 1 else 'workers'}"


def measure(bench):
    cells = []
    for loops, threads in SHAPES:
        for window in WINDOWS:
            cell = Cell(label(loops, threads) + f", W={window}",
                        {"loops": loops, "threads": threads, "window": window},
                        {"loops": loops, "threads": threads, "window": window})
            cell.fits = loops + threads <= bench.cpus
            cells.append(cell)
    for number in range(bench.rounds):
        for cell in cells:
            turn = number % len(SYSTEMS)
            for name, program, spin in SYSTEMS[turn:] + SYSTEMS[:turn]:
                if not cell.fits:
                    continue
                params = {**cell.params, "spin": spin, "ms": 50 if bench.quick else 200}
                answers = bench.lines(program, *(f"{k}={v}" for k, v in params.items()))
                if answers:
                    cell.runs.setdefault(name, []).append(per_item(answers[0]))
    return cells


def bars(cells):
    return []


def table(cells, bench):
    def figure(cell, name, metric):
        value = cell.typical(name, metric)
        return "unmeasured" if value is None else ns(value)

    rows = [
        [cell.label] + [figure(cell, name, metric)
                        for metric in ("wall", "cpu") for name, _, _ in SYSTEMS]
        for cell in cells if cell.fits
    ]
    left = [cell for cell in cells if not cell.fits]
    text = make_table(["an item"] + [f"{name}, {metric}" for metric in ("wall", "CPU")
                                     for name, _, _ in SYSTEMS], rows)
    if left:
        text += ["", f"Unmeasured, for want of CPUs ({bench.cpus} here): up to "
                     f"{max(c.keys['loops'] for c in left)} loops and "
                     f"{max(c.keys['threads'] for c in left)} workers."]
    return text


def plot(cells, bench):
    cells = [cell for cell in cells if cell.fits and cell.keys["loops"] == 1]
    if len({cell.keys["threads"] for cell in cells}) < 2:
        return []
    return [
        lines_grid(
            NAME,
            TITLE,
            cells,
            [name for name, _, _ in SYSTEMS],
            x=("threads", "workers, one loop"),
            columns=("window", "{} in flight"),
            rows=[("wall", "wall time an item [ns]"), ("cpu", "CPU an item [ns]")],
        )
    ]
