# SPDX-License-Identifier: MIT
"""What does moving memory cost, beside the best the CPU can do, and beside a plain hand-over?

The raw ways run on as many threads, which spin until they are told to begin: no way to tell them is
faster. Reading alone, of one of the two areas, is shown beside them: no copy is faster than that."""

import os

from harness import Bar, Cell, ns
from harness import table as make_table
from plots import lines_grid
from questions.away import LATE_NS, MAX_NS, P999_NS, TRIES

NAME = "movers"
TITLE = "Memory moved by a data mover"
RAW = ("memcpy", "non-temporal", "rep movsb")
SYSTEMS = ("tern",) + RAW + ("read only",)
HAND = "by hand"
SMALL_MAX, SMALL_LIMIT = 16 << 10, 1.2
BEST_PART = 0.9
SIZE_MAX = 512 << 20  # eight times the cache, as virtual machines report it, can be all memory
HANDED_SIZES, WINDOWS = (96 << 10, 1 << 20), (1, 16, 64)
AWAY_SIZE, AWAY_MS = 256 << 20, 2000  # some GiB


def cache_bytes():
    folder = "/sys/devices/system/cpu/cpu0/cache"
    sizes = [0]
    for index in os.listdir(folder) if os.path.isdir(folder) else []:
        try:
            with open(f"{folder}/{index}/size", encoding="ascii") as file:
                sizes.append(int(file.read().strip().rstrip("K")) << 10)
        except (OSError, ValueError):
            pass
    return max(sizes) or 32 << 20


def of_all_sizes(bench):
    if bench.quick:
        return [64, 64 << 10, 4 << 20]
    most, each = min(8 * cache_bytes(), SIZE_MAX), 64
    result = []
    while each <= most:
        result.append(each)
        each *= 4
    return result


def size_text(n):
    for shift, unit in ((20, "MiB"), (10, "KiB")):
        if n >> shift:
            return f"{n >> shift} {unit}"
    return f"{n} B"


def add(cell, answers):
    for answer in answers or []:
        cell.runs.setdefault(answer["system"], []).append(answer)


def measure(bench):
    copies = [
        Cell(f"{size_text(size)}, {threads} threads, {'cold' if cold else 'hot'}",
             {"size": size, "threads": threads, "cold": int(cold)},
             {"kind": "copy", "size": size, "threads": threads, "heat": "cold" if cold else "hot"})
        for size in of_all_sizes(bench)
        for threads in ((2,) if bench.quick else range(1, bench.cpus + 1))
        for cold in ((False,) if bench.quick else (False, True))
    ]
    handed = [
        Cell(f"{size_text(size)}, {window} at once", {"size": size, "window": window},
             {"kind": "hand", "size": size, "window": window})
        for size in HANDED_SIZES[: 1 if bench.quick else None]
        for window in WINDOWS[: 1 if bench.quick else None]
    ]
    for _ in range(bench.rounds):  # a round of all before the next of any
        for cell in copies:
            add(cell, bench.lines("bench-movers", "copy", *cell.params.values(), 1))
        for cell in handed:
            add(cell, bench.lines("bench-movers", "hand", *cell.params.values(), 1))
    away = Cell("256 MiB copied all the time", {}, {"kind": "away"})
    away.runs["tern"] = [ask_away(bench) for _ in range(1 if bench.quick else 3)]
    return [c for c in (*copies, *handed, away) if c.runs and all(c.runs.values())]


def ask_away(bench):
    """The run in which the probe was least late, of as few as possible."""
    runs = []
    for _ in range(1 if bench.quick else TRIES):
        runs += bench.lines("bench-movers", "away", AWAY_SIZE, 200 if bench.quick else AWAY_MS)
        if min(r["late_p999_ns"] for r in runs) < LATE_NS:
            break
    return min(runs, key=lambda r: r["late_p999_ns"])


def best_of(cell):
    """The raw way that is fastest here."""
    return min((cell.typical(name, "wall"), name) for name in RAW if name in cell.runs)[1]


def of_kind(cells, kind):
    return [c for c in cells if c.keys["kind"] == kind]


def add_ratio(bar, cell, metric, other):
    figure = cell.ratio("tern", metric, other)
    doubted = not cell.is_over("tern", metric, bar.limit, other)
    text = f"{cell.label}: {ns(cell.typical('tern', metric))}, " \
           f"{other} {ns(cell.typical(other, metric))}"
    if doubted and figure is not None and figure > bar.limit:
        text += ", within the noise of its rounds"
    bar.add(figure, text, doubted)


def bars(cells):
    small = Bar("movers: time of a copy up to 16 KiB by memcpy's", SMALL_LIMIT)
    large = Bar("movers: time of a copy of more by that of the best raw way, on as many threads",
                1 / BEST_PART)
    for cell in of_kind(cells, "copy"):
        if cell.keys["size"] > SMALL_MAX:
            add_ratio(large, cell, "wall", best_of(cell))
        elif cell.keys["threads"] == 1:
            add_ratio(small, cell, "wall", "memcpy")
    hand = Bar("movers: time of a copy that is handed over by that by hand", 1.05)
    for cell in of_kind(cells, "hand"):
        add_ratio(hand, cell, "wall", HAND)
    result = [small, large, hand]
    for metric, title, limit in (("p999_ns", "p99.9", P999_NS), ("max_ns", "longest", MAX_NS)):
        bar = Bar(f"movers: loop away while 256 MiB are copied: {title} [ms]", limit / 1e6)
        for cell in of_kind(cells, "away"):
            bar.add(cell.typical("tern", metric) / 1e6, cell.label)
        result.append(bar)
    return result


def rate(cell, name):
    """Bytes a nanosecond, which are GB/s."""
    took = cell.typical(name, "wall")
    return f"{cell.keys['size'] / took:.3g}" if took else "-"


def table(cells, bench):
    lines = make_table(
        ["GB/s copied"] + list(SYSTEMS) + ["tern / best raw, time"],
        [[c.label] + [rate(c, s) for s in SYSTEMS] + [f"{c.ratio('tern', 'wall', best_of(c)):.3g}"]
         for c in of_kind(cells, "copy")])
    lines += [""] + make_table(
        ["handed over to one thread", "a copy", "tern", HAND],
        [[c.label, title] + [ns(c.typical(s, metric)) for s in ("tern", HAND)]
         for c in of_kind(cells, "hand") for metric, title in (("wall", "wall"), ("cpu", "CPU"))])
    lines += [""] + make_table(
        ["tick from outside, there and back", "p50", "p99.9", "longest", "copies"],
        [[c.label] + [ns(c.typical("tern", m)) for m in ("p50_ns", "p999_ns", "max_ns")]
         + [c.typical("tern", "copies")] for c in of_kind(cells, "away")])
    return lines


def plot(cells, bench):
    copies = of_kind(cells, "copy")
    for cell in copies:
        cell.keys["KiB"] = cell.keys["size"] / 1024
        for runs in cell.runs.values():
            for run in runs:
                run["rate"] = cell.keys["size"] / run["wall"]
    return [
        lines_grid(
            NAME,
            f"{TITLE}: GB/s copied",
            copies,
            SYSTEMS,
            x=("KiB", "KiB"),
            columns=("threads", "{} threads"),
            rows=[("rate", f"{heat} [GB/s]", {"heat": heat})
                  for heat in sorted({c.keys["heat"] for c in copies})],
        )
    ]
