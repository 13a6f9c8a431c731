#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py ROOT [NAME...]: shows that the tests catch faults: every mutant of mutants.py, or those
whose name contains a NAME.

Works on a copy of the tree. First the tests that are to catch them must pass there. Then, for each
mutant, one fault is put in, the program that should notice is built and run, and the fault is taken
out. A program that fails, crashes or hangs has caught it.
"""

import collections
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import mutants

# What each build is configured with; none has more than the mutants need.
LEAN = ["-Dbench=false", "-Dexamples=false", "-Ddocs=false"]
BUILDS = {
    "plain": LEAN,
    "asan": [*LEAN, "--buildtype=debugoptimized", "-Db_lundef=false",
             "-Db_sanitize=address,undefined"],
}
HANG_S = 8     # with a mutant a test may take that long: without one it takes a second or two
LIMIT_S = 600  # and a program of tests never so long
ENV = {**os.environ,
       "ASAN_OPTIONS": "detect_stack_use_after_return=1",
       "UBSAN_OPTIONS": "halt_on_error=1"}
GUARD_S = {"plain": 60, "asan": 180}  # what the tests' own guard against hangs is set to


def say(text):
    print(text, flush=True)


def copy(root, tree):
    """All but what git ignores, and git's own."""
    shutil.copytree(root, tree, ignore=lambda folder, names: {
        name for name in names if name in (".git", "__pycache__") or
        (pathlib.Path(folder) == root and name.startswith("build"))})


def quietly(command):
    """Runs a build step; what it wrote is for the one who must mend it."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout.decode(errors='replace')}\nthis failed: {' '.join(command)}")


def make(work, programs):
    """Builds (build, program) pairs."""
    targets = collections.defaultdict(set)
    for build, program in programs:
        targets[build].add(f"tests/{program}")
    for build, names in targets.items():
        quietly(["ninja", "--quiet", "-C", str(work / build), *sorted(names)])


def passes(work, test, hang_s):
    """Whether one program passes, with the tests whose names contain what `only` says."""
    build, program, only = test
    env = {**ENV, "CK_TIMEOUT_MULTIPLIER": str(hang_s / GUARD_S[build])}
    command = [str(work / build / "tests" / program),
               *([only] if only else [])]
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=subprocess.STDOUT, env=env, start_new_session=True)
        try:
            status = child.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            child.terminate()  # check passes it on to the test that runs
            child.wait()
            return False
        log.seek(0)
        said = log.read().decode(errors="replace")
    if ": Checks: 0," in said:
        sys.exit(f"{program} has no test that says: {only}")
    return status == 0


def texts(tree, chosen):
    """The file of each mutant, and with the fault; all are looked at before any is tried."""
    found, stale = {}, []
    for m in chosen:
        true = (tree / m.file).read_text(encoding="utf-8")
        count = true.count(m.old)
        if count != 1:
            stale.append(f"{m.name}: {m.file} has its text {count} times, not once:\n{m.old}")
        elif m.old == m.new:
            stale.append(f"{m.name}: changes nothing")
        found[m.name] = true, true.replace(m.old, m.new)
    if len(found) != len(chosen):
        stale.append("two mutants have one name")
    if stale:
        sys.exit("\n".join(stale))
    return found


def hunt(work, tree, chosen):
    """Tries each; returns the names of those that nobody noticed."""
    found = texts(tree, chosen)
    tests = sorted({m.test for m in chosen})
    survived = []

    make(work, [t[:2] for t in tests])
    for test in tests:
        if not passes(work, test, GUARD_S[test[0]]):
            sys.exit(f"without any mutant this fails: {' '.join(test)}")
    say(f"{len(tests)} tests pass without a mutant")
    for m in chosen:
        true, mutated = found[m.name]
        start = time.monotonic()
        (tree / m.file).write_text(mutated, encoding="utf-8")
        make(work, [m.test[:2]])
        caught = not passes(work, m.test, HANG_S)
        (tree / m.file).write_text(true, encoding="utf-8")
        say(f"{'caught' if caught else 'SURVIVED':8} {m.name} "
            f"({m.test[1]}, {m.test[0]}, {time.monotonic() - start:.0f} s)")
        if not caught:
            survived.append(m.name)
    return survived


def main(root, *names):
    chosen = [m for m in mutants.MUTANTS if not names or any(n in m.name for n in names)]
    if not chosen:
        sys.exit("no mutant has such a name")
    with tempfile.TemporaryDirectory(prefix="tern-mutants-") as folder:
        work = pathlib.Path(folder)
        tree = work / "tree"
        copy(pathlib.Path(root).resolve(), tree)
        for build in sorted({m.test[0] for m in chosen}):
            quietly(["meson", "setup", *BUILDS[build], str(work / build), str(tree)])
        survived = hunt(work, tree, chosen)
    say(f"{len(chosen) - len(survived)} caught, {len(survived)} survived")
    return 1 if survived else 0


sys.exit(main(*sys.argv[1:]))
