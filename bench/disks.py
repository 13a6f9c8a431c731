# SPDX-License-Identifier: MIT
"""What the disk questions are asked on, and whom: a file, a device in memory; ours and the peers.

Whatever is made here is taken away again, also when the run is ended early."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

from harness import RUN_SECONDS_MAX, per_item

FILE_BYTES = 1 << 30
DEVICE_BYTES = 256 << 20
QUICK_BYTES = 64 << 20
THREADS_MAX = 64  # of pools, else one for each request in flight
GONE_TRIES = 50


@dataclass(frozen=True)
class System:
    name: str
    program: str
    params: dict = field(default_factory=dict)
    threads: bool = False  # it has some of its own, beside the loop's


OURS = (
    System("tern", "bench-disk-tern", {"drive": "ev"}),
    System("tern, run", "bench-disk-tern", {"drive": "run"}),
    System("tern, wait", "bench-disk-tern", {"drive": "wait"}),
)
POOL = System("tern, pool", "bench-disk-tern", {"drive": "ev", "engine": "pool"}, True)
RAW = System("liburing", "bench-disk-uring")
RAW_EV = System("liburing on libev", "bench-disk-uring-ev")
LIBUV = System("libuv", "bench-disk-libuv", threads=True)
HAND = System("by hand", "bench-disk-hand", {"spin": 0}, True)
FIO = System("fio", "fio")
SYSTEMS = (*OURS, POOL, RAW, RAW_EV, System("libaio", "bench-disk-aio"), FIO, LIBUV, HAND)
ON_LOOPS = (OURS[0], POOL, RAW_EV, LIBUV, HAND)


def note(text):
    print(text, file=sys.stderr, flush=True)


def path(bench, system):
    return shutil.which("fio") if system is FIO else os.path.join(bench.dir, "disk", system.program)


def present(bench, systems):
    """Those of the systems that are there; says which are not."""
    missing = [s.name for s in systems if not os.path.exists(path(bench, s) or "")]
    if missing:
        note("not built or not installed, so not measured: " + ", ".join(missing))
    return [s for s in systems if s.name not in missing]


def ask(bench, system, cpu=None, **params):
    """The object that one run of one system prints. Who has but one thread is held on that CPU."""
    params["threads"] = min(params["depth"], THREADS_MAX)
    held = [] if cpu is None or system.threads else ["taskset", "--cpu-list", str(cpu)]
    if system is FIO:
        return fio(held, **params)
    params = {**params, **system.params}
    command = [path(bench, system)] + [f"{name}={value}" for name, value in params.items()]
    return per_item(bench.ask_quietly(held + command))


def fio(held, file, op, order, block, depth, ms, warm_ms, seed, **_):
    """fio's io_uring engine, told to do what our programs do, and its answer in their terms."""
    command = held + [
        "fio", "--name=disk", "--output-format=json", "--ioengine=io_uring",
        f"--filename={file}", f"--rw={'rand' if order == 'random' else ''}{op}", f"--bs={block}",
        f"--iodepth={depth}", f"--iodepth_batch_submit={depth}", "--iodepth_batch_complete_min=1",
        f"--iodepth_batch_complete_max={depth}", "--fixedbufs", "--registerfiles", "--nonvectored=1",
        "--direct=1", "--time_based", f"--runtime={ms}ms", f"--ramp_time={warm_ms}ms",
        f"--randseed={seed}", "--norandommap", "--random_generator=tausworthe64",
        "--allow_file_create=0", "--lat_percentiles=0", "--percentile_list=50:99",
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=RUN_SECONDS_MAX, check=True)
    job = json.loads(done.stdout)["jobs"][0]
    side = job[op]
    wall_ns = side["runtime"] * 1e6
    return per_item({
        "wall_ns": wall_ns,
        "cpu_ns": (job["usr_cpu"] + job["sys_cpu"]) / 100 * wall_ns,
        "items": side["total_ios"],
        "bytes": side["io_bytes"],
        "p50_ns": side["clat_ns"]["percentile"]["50.000000"],
        "p99_ns": side["clat_ns"]["percentile"]["99.000000"],
        "errors": job["error"],
    })


def round_of(bench, systems, cells, number):
    """Asks every system every cell once, in an order of that round's own. A disk's interrupts come
    on one CPU, and the kernel charges their time to whom they interrupt: a program that lives there
    takes a third less than one that lives elsewhere, or the reverse. So as not to compare where the
    scheduler has put them, all are held on one CPU, in each round on another."""
    cpus = sorted(os.sched_getaffinity(0))
    for cell in cells:
        file = cell.params["file"]
        cpu = None if is_in_memory(file) else cpus[number % len(cpus)]
        if file in unstamped and cell.params["op"] == "read":
            why = fill(bench, file, 0)
            if why:
                raise RuntimeError(f"{file}: {why}")
        for system in random.Random(number).sample(systems, len(systems)):
            if system is FIO and cell.params["op"] == "write":
                unstamped.add(file)
            answer = ask(bench, system, cpu, **cell.params, seed=number + 1)
            answer["iops"] = 1e9 / answer["wall"]
            answer["bytes_per_s"] = answer["bytes"] * 1e9 / answer["wall_ns"]
            cell.runs.setdefault(system.name, []).append(answer)


def is_in_memory(file):
    return file.startswith("/dev/")


unstamped = set()  # files that fio has written, which does not know our stamps


def fill(bench, file, size):
    """Writes all of it, so that nothing is allocated under measure; size 0: as long as it is.
    None, or why it cannot be."""
    unstamped.discard(file)
    program = next((p for p in (path(bench, s) for s in SYSTEMS if s is not FIO)
                    if os.path.exists(p)), None)
    done = subprocess.run([program, "op=fill", f"file={file}", f"size={size}"],
                          stderr=subprocess.PIPE, text=True, check=False)
    return done.stderr.strip() or f"status {done.returncode}" if done.returncode else None


@contextlib.contextmanager
def ended_orderly():
    """A request to end is an exception meanwhile, so that what was made is taken away."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def remove(file):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(file)


@contextlib.contextmanager
def a_file(bench):
    """(the name of its file system, its path, None), or (_, None, why not)."""
    size = QUICK_BYTES if bench.quick else FILE_BYTES
    file = os.path.join(bench.dir, "disk.tmp")
    kind = filesystem(bench.dir)
    if shutil.disk_usage(bench.dir).free < 4 * size:
        yield kind, None, "too little room in the build folder"
        return
    try:
        why = fill(bench, file, size)
        yield kind, None if why else file, why
    finally:
        remove(file)


def filesystem(folder):
    """The type of the file system that a folder is on."""
    done = subprocess.run(["stat", "-f", "-c", "%T", folder], stdout=subprocess.PIPE, text=True,
                          check=True)
    return done.stdout.strip().replace("ext2/ext3", "ext4")


@contextlib.contextmanager
def a_device(bench):
    """The same for a block device in memory: zram, or else a loop device on a file in memory."""
    size = QUICK_BYTES if bench.quick else DEVICE_BYTES
    if os.geteuid():
        yield "device", None, "making a device needs root"
        return
    for make in (zram, loop_device):
        with make(size) as (kind, device, why):
            why = why or fill(bench, device, 0)
            if not why:
                yield kind, device, None
                return
        note(f"disk: no {kind}: {why}")
    yield "device", None, "neither zram nor a loop device"


@contextlib.contextmanager
def zram(size):
    try:
        with open("/sys/class/zram-control/hot_add", encoding="utf-8") as file:
            number = file.read().strip()
    except OSError as error:
        yield "zram", None, str(error)
        return
    why = None
    try:
        try:
            put(f"/sys/block/zram{number}/disksize", size)
        except OSError as error:
            why = str(error)
        yield "zram", f"/dev/zram{number}", why
    finally:
        for tries in range(GONE_TRIES):  # who looks at new devices may still hold it
            try:
                put(f"/sys/block/zram{number}/reset", 1)
                put("/sys/class/zram-control/hot_remove", number)
                break
            except OSError as error:
                if tries == GONE_TRIES - 1:
                    note(f"disk: /dev/zram{number} stays: {error}")
                time.sleep(0.1)


def put(file, value):
    with open(file, "w", encoding="utf-8") as out:
        out.write(str(value))


@contextlib.contextmanager
def loop_device(size):
    file, device = f"/dev/shm/tern-bench-{os.getpid()}", None
    try:
        with open(file, "wb") as backing:
            backing.truncate(size)
        done = subprocess.run(["losetup", "--find", "--show", "--direct-io=on", file],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True)
        device = done.stdout.strip()
        yield "loop", device, None
    except (OSError, subprocess.CalledProcessError) as error:
        if device:
            raise
        yield "loop", None, str(error)
    finally:
        if device:
            subprocess.run(["losetup", "--detach", device], check=False)
        remove(file)


TARGETS = (a_file, a_device)


def on_targets(bench, measure):
    """Calls measure(name, path) for each target that there is, and joins the lists it returns."""
    cells = []
    with ended_orderly():
        for target in TARGETS:
            with target(bench) as (kind, file, why):
                if why:
                    note(f"disk: not measured on {kind}: {why}")
                else:
                    cells += measure(kind, file)
    return cells
