#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""portability.py ROOT OUT [TARGET...]: the core and its unit suite, for each target there is a compiler for.

A line for each target: passed, failed, or not to be had and why. Only failures fail. Builds and
logs stay in OUT/TARGET. Targets other than this machine's own have neither libev nor check here:
what needs libev is left out, and check.h beside this file stands in for check.
"""

import os
import pathlib
import platform
import shutil
import subprocess
import sys
import typing

SLOW = "8"  # how much longer a test may take where every instruction is emulated


class Target(typing.NamedTuple):
    name: str
    compiler: str
    cpu: str = ""  # for other targets than this machine's own
    runs: tuple = ((),)  # by what its programs are started: the first of these that works
    kernel: bool = False  # its C library comes without the kernel's headers
    options: tuple = ()  # of the project


TARGETS = [
    Target("gcc", "gcc"),
    Target("no-stats", "gcc", options=("-Dstats=false",)),
    Target("clang", "clang"),
    Target("musl", "musl-gcc", platform.machine(), kernel=True),
    Target("i386", "i686-linux-gnu-gcc", "x86",
           (("/usr/i686-linux-gnu/lib/ld-linux.so.2", "--library-path", "/usr/i686-linux-gnu/lib"),
            ("qemu-i386", "-L", "/usr/i686-linux-gnu"))),
    Target("aarch64", "aarch64-linux-gnu-gcc", "aarch64",
           ((), ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"))),
]
PROBE = "#include <stdio.h>\nint main(void) { return puts(\"here\") < 0; }\n"


class NotToBeHad(Exception):
    """Why a target cannot be tried on this machine."""


def call(command, log, **environment):
    """Runs a command, what it says goes to the log; whether it succeeded."""
    log.write(f"$ {' '.join(map(str, command))}\n")
    log.flush()
    try:
        return subprocess.run([str(word) for word in command], stdout=log, check=False,
                              stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
                              env=os.environ | environment).returncode == 0
    except OSError as error:
        log.write(f"{error}\n")
        return False


def kernel_headers(folder):
    """A folder with the kernel's headers and nothing else of the system's own C library."""
    system = pathlib.Path("/usr/include")
    places = {"linux": system / "linux", "asm-generic": system / "asm-generic",
              "asm": system / f"{platform.machine()}-linux-gnu/asm"}

    folder.mkdir(exist_ok=True)
    for name, place in places.items():
        if not place.exists():
            raise NotToBeHad(f"{place} is not installed")
        if not (folder / name).exists():
            (folder / name).symlink_to(place)
    return [f"-isystem{folder}"]


def cross_file(target, folder, log):
    """Describes the target to meson; None for this machine's own."""
    flags = kernel_headers(folder / "kernel") if target.kernel else []
    source, probe = folder / "probe.c", folder / "probe"

    source.write_text(PROBE, encoding="utf-8")
    if not call([target.compiler, source, "-o", probe], log):
        raise NotToBeHad(f"{target.compiler} builds no program")
    runs = next((run for run in target.runs if call([*run, probe], log)), None)
    if runs is None:
        raise NotToBeHad("nothing runs its programs here")
    if not target.cpu:
        return None
    if runs and "qemu" in runs[0]:
        flags.append("-DNO_THREADS_IN_CHILD")  # it ends a forked child that starts a thread
    prefix = target.compiler.removesuffix("gcc")
    tools = {tool: prefix + tool if shutil.which(prefix + tool) else tool
             for tool in ("ar", "strip")}
    lines = ["[binaries]", f"c = '{target.compiler}'"]
    lines += [f"{name} = '{tool}'" for name, tool in tools.items()]
    lines += [f"exe_wrapper = {list(runs)}"] if runs else []
    lines += ["[properties]", "needs_exe_wrapper = " + ("true" if runs else "false"),
              "[built-in options]", f"c_args = {flags}",
              "[host_machine]", "system = 'linux'", f"cpu_family = '{target.cpu}'",
              f"cpu = '{target.cpu}'", "endian = 'little'"]
    path = folder / "cross.ini"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def attempt(root, target, folder, log):
    """Builds and tests one target; what its line says."""
    if not shutil.which(target.compiler):
        raise NotToBeHad(f"{target.compiler} is not installed")
    cross = cross_file(target, folder, log)
    build = folder / "build"
    options = ["-Dexamples=false", "-Dbench=false", "-Dwerror=true", *target.options]
    options += ["--cross-file", cross, "-Dev=auto"] if cross else []
    options += ["--wipe"] if (build / "build.ninja").exists() else []
    emulated = cross and "qemu" in cross.read_text(encoding="utf-8")

    if not call(["meson", "setup", build, root, *options], log, CC=target.compiler):
        return "failed: it does not configure"
    if not call(["ninja", "-C", build], log):
        return "failed: it does not build"
    slow = SLOW if emulated else "1"
    if not call(["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs", "--suite",
                 "unit", "--timeout-multiplier", slow], log, CK_TIMEOUT_MULTIPLIER=slow):
        return "failed: the unit suite"
    return "passed" + (", emulated" if emulated else "") + (", without libev" if cross else "")


def main(root, out, *only):
    failed = False

    for target in [t for t in TARGETS if not only or t.name in only]:
        folder = pathlib.Path(out, target.name).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "log", "w", encoding="utf-8") as log:
            try:
                line = attempt(pathlib.Path(root).resolve(), target, folder, log)
            except NotToBeHad as why:
                line = f"not to be had: {why}"
        if line.startswith("failed"):
            failed = True
            line += f", see {folder}/log"
        print(f"{target.name}: {line}", flush=True)
    return 1 if failed else 0


sys.exit(main(*sys.argv[1:]))
