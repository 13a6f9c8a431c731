# SPDX-License-Identifier: MIT
"""What does a read or a write cost, past the page cache?

On a file, and on a device in memory, where the system is most of the cost. CPU time is that of the
process. What the kernel does in interrupts it charges to whom it interrupts, or to nobody, and what
it does in its own work queues to nobody that is measured. What an event loop costs a ring at least is
shown by a prototype: liburing as the only guest of a libev loop."""

import time

import disks
from harness import NOISE, Bar, Cell, ns
from harness import table as make_table
from plots import bars_plot, lines_grid
from questions.allocations import ONCE

NAME = "disk"
TITLE = "Disk: O_DIRECT reads and writes"
DEPTHS = (1, 8, 32, 128)
SEQUENTIAL_BYTES, SEQUENTIAL_DEPTH = 128 << 10, 8
IOPS_MIN, CPU_MAX, POOL_IOPS_MIN = 0.95, 1.1, 0.7
BARRED_DEPTH_MIN, POOL_DEPTH = 8, 32
TERNS = [s.name for s in disks.OURS]
RAW, POOL, PROTOTYPE = disks.RAW.name, disks.POOL.name, disks.RAW_EV.name


def cells_of(bench, kind, file):
    kinds = [(op, "random", 4096, depth) for op in ("read", "write") for depth in DEPTHS]
    kinds += [(op, "sequential", SEQUENTIAL_BYTES, SEQUENTIAL_DEPTH) for op in ("read", "write")]
    cells = []
    for op, order, block, depth in kinds[1:2] if bench.quick else kinds:
        params = {"file": file, "op": op, "order": order, "block": block, "depth": depth,
                  "warm_ms": 50, "ms": 500 if bench.full else 200}
        keys = {"target": kind, "op": op, "depth": depth, "random": order == "random"}
        cells.append(Cell(f"{kind}, {block >> 10} KiB {order} {op}, QD {depth}", params, keys))
    return cells


def measure(bench):
    systems = disks.present(bench, disks.SYSTEMS)
    if RAW not in [s.name for s in systems]:
        disks.note("disk: no liburing to measure against")
    return disks.on_targets(bench, lambda kind, file: on(bench, systems, kind, file))


def on(bench, systems, kind, file):
    cells = cells_of(bench, kind, file)
    barred = [s for s in systems if s in (*disks.OURS, disks.POOL, disks.RAW, disks.RAW_EV)]
    for number in range(bench.rounds):
        disks.round_of(bench, systems, cells, number)
    again = []
    for number in range(bench.rounds, bench.rounds_max):
        if (number - bench.rounds) % bench.rounds == 0:
            again = [c for c in cells if over(c)]
        for cell in again:
            start = time.monotonic()
            if bench.again_s > 0:
                cell.measured_again = True
                disks.round_of(bench, barred, [cell], number)
            bench.again_s -= time.monotonic() - start
    return cells


def limits(cell):
    """(name, metric, limit, beside whom) of the bars that this cell has."""
    rules = []
    if cell.keys["random"] and cell.keys["depth"] >= BARRED_DEPTH_MIN:
        for name in TERNS:
            rules += [(name, "wall", 1 / IOPS_MIN, RAW), (name, "cpu", CPU_MAX, RAW)]
    if cell.keys["random"] and cell.keys["depth"] == POOL_DEPTH:
        rules.append((POOL, "wall", 1 / POOL_IOPS_MIN, TERNS[0]))
    return rules


def over(cell):
    return any((cell.ratio(name, metric, other) or 0) > limit
               for name, metric, limit, other in limits(cell))


def bars(cells):
    iops = Bar("disk: time of a 4 KiB I/O, QD 8 and up, by raw liburing's", 1 / IOPS_MIN)
    cpu = Bar("disk: CPU of a 4 KiB I/O, QD 8 and up, by raw liburing's", CPU_MAX)
    pool = Bar("disk: time of a 4 KiB I/O on the pool engine, QD 32, by uring's", 1 / POOL_IOPS_MIN)
    for cell in cells:
        for name, metric, limit, other in limits(cell):
            figure = cell.ratio(name, metric, other)
            if figure is None:
                continue
            text = f"{cell.label}: {name} {ns(cell.typical(name, metric))}, " \
                   f"{other} {ns(cell.typical(other, metric))}"
            doubted = not cell.is_over(name, metric, limit, other)
            if doubted and figure > limit:
                text += ", within the noise of its rounds"
            limited = name in TERNS and figure <= NOISE * (cell.ratio(PROTOTYPE, metric, RAW) or 0)
            if limited and figure > limit:
                text += f", {PROTOTYPE} {ns(cell.typical(PROTOTYPE, metric))}"
            bar = pool if name == POOL else cpu if metric == "cpu" else iops
            bar.add(figure, text, doubted, limited)
    allocations = Bar("disk: heap allocations an I/O", ONCE, True, timed=False)
    wrong = Bar("disk: I/Os with an error or wrong data", 0, True, timed=False)
    for name in (*TERNS, POOL):
        runs = [run for cell in cells for run in cell.runs.get(name, [])]
        if runs:
            items = sum(run["items"] for run in runs)
            allocations.add(sum(run["allocations"] for run in runs) / items, name)
    for name in {name for cell in cells for name in cell.runs}:
        wrong.add(sum(run["errors"] for cell in cells for run in cell.runs.get(name, [])), name)
    return [iops, cpu, pool, allocations, wrong]


def names_of(cells):
    return [s.name for s in disks.SYSTEMS if any(s.name in c.runs for c in cells)]


def table(cells, bench):
    names = names_of(cells)
    rows = []
    for cell in cells:
        for metric, title, show in METRICS:
            values = [cell.typical(name, metric) for name in names]
            ratios = [cell.ratio(name, metric, RAW) for name in TERNS if name in names]
            rows.append([cell.label, title] + ["-" if v is None else show(v) for v in values] +
                        ["-" if r is None else f"{r:.3g}" for r in ratios])
    return make_table(["", ""] + names + [f"{n} / {RAW}" for n in TERNS if n in names], rows) + [
        "",
        "CPU time is that of the process, with the threads that io_uring has there, but without "
        "the kernel's own work queues; fio's is that of its one thread.",
        f"Pools have as many threads as I/Os are in flight, at most {disks.THREADS_MAX}.",
    ]


def kilo(value):
    return f"{value / 1e3:.3g}k"


def mebi(value):
    return f"{value / (1 << 20):.3g}"


METRICS = (("iops", "IOPS", kilo), ("bytes_per_s", "MiB/s", mebi), ("cpu", "CPU an I/O", ns),
           ("p50_ns", "p50", ns), ("p99_ns", "p99", ns))


def plot(cells, bench):
    names = names_of(cells)
    for cell in cells:
        cell.derive("p99_us", "p99_ns", 1e-3)
        cell.derive("mib_per_s", "bytes_per_s", 1 / (1 << 20))
    result = []
    for op in ("read", "write"):
        mine = [c for c in cells if c.keys["random"] and c.keys["op"] == op]
        if mine:
            result.append(lines_grid(
                f"{NAME}-{op}",
                f"4 KiB random {op}s, O_DIRECT",
                mine,
                names,
                x=("depth", "in flight"),
                columns=("target", "{}"),
                rows=[("iops", "IOPS"), ("cpu", "CPU an I/O [ns]"), ("p99_us", "p99 [us]")],
            ))
    rest = [c for c in cells if not c.keys["random"]]
    if rest:
        result.append(bars_plot(
            f"{NAME}-sequential",
            f"128 KiB sequential, O_DIRECT, {SEQUENTIAL_DEPTH} in flight",
            names,
            [(f"{c.keys['target']}, {c.keys['op']}", [c.typical(n, "mib_per_s") for n in names])
             for c in rest],
            "MiB/s",
        ))
    return result
