#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py ROOT [NAME...]: shows that the tests catch faults: every mutant of mutants.py, or those
whose name contains a NAME. run.py ROOT --find: only that every mutant still finds its text.

Two workers, each with a copy of the tree and builds of its own, share the mutants. First the tests
that are to catch them must pass there. Then, for each mutant, one fault is put in, the program that
should notice is built and run, and the fault is taken out. A program that fails, crashes or hangs
has caught it; for one that hangs, the program must then pass in the same time without the fault.
"""

import collections
import concurrent.futures
import os
import pathlib
import re
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
WORKERS = 2    # more would disturb each other: many tests use all CPUs
HANG_S = 6     # with a mutant a test may take that long at least, ...
HANG_TIMES = 6  # ... and so many times what its program takes without one
LIMIT_S = 600  # and a program of tests never so long
ENV = {**os.environ,
       "ASAN_OPTIONS": "detect_stack_use_after_return=1",
       "UBSAN_OPTIONS": "halt_on_error=1"}
GUARD_S = {"plain": 60, "asan": 180}  # what the tests' own guard against hangs is set to
FAILED = re.compile(r"^[^:\n]*:\d+:[FE]:.*$", re.M)  # check's line about a test


class Wrong(Exception):
    """What is wrong with the mutants or the tree, not with the tests."""


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
        raise Wrong(f"{done.stdout.decode(errors='replace')}\nthis failed: {' '.join(command)}")


def find(chosen, tree):
    """Every mutant's text stands in its file, once; all are looked at before any is tried."""
    stale = []
    for m in chosen:
        count = (tree / m.file).read_text(encoding="utf-8").count(m.old)
        if count != 1:
            stale.append(f"{m.name}: {m.file} has its text {count} times, not once:\n{m.old}")
        elif m.old == m.new:
            stale.append(f"{m.name}: changes nothing")
    if len({m.name for m in chosen}) != len(chosen):
        stale.append("two mutants have one name")
    if stale:
        raise Wrong("\n".join(stale))


class Worker:
    """A copy of the tree, with its builds."""

    def __init__(self, root, folder):
        self.folder = folder
        self.tree = folder / "tree"
        self.usual_s = {}  # how long a test takes without a mutant
        copy(root, self.tree)

    def make(self, build, program):
        if not (self.folder / build).exists():
            quietly(["meson", "setup", *BUILDS[build], str(self.folder / build), str(self.tree)])
        quietly(["ninja", "--quiet", "-C", str(self.folder / build), f"tests/{program}"])

    def outcome(self, test, hang_s):
        """Of one program, with the tests whose names contain what `only` says: "passes", "fails",
        or "hangs" where time is all that it was short of."""
        build, program, only = test
        env = {**ENV, "CK_TIMEOUT_MULTIPLIER": str(hang_s / GUARD_S[build])}
        command = [str(self.folder / build / "tests" / program), *([only] if only else [])]
        with tempfile.TemporaryFile() as log:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                     stderr=subprocess.STDOUT, env=env, start_new_session=True)
            try:
                status = child.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                child.terminate()  # check passes it on to the test that runs
                child.wait()
                return "hangs"
            log.seek(0)
            said = log.read().decode(errors="replace")
        if ": Checks: 0," in said:
            raise Wrong(f"{program} has no test that says: {only}")
        if status == 0:
            return "passes"
        failed = FAILED.findall(said)
        late = [line for line in failed if line.endswith("Test timeout expired")]
        return "hangs" if failed and failed == late else "fails"

    def settle(self, test):
        """The test passes here without a mutant, and takes so long."""
        if test in self.usual_s:
            return
        self.make(*test[:2])
        start = time.monotonic()
        if self.outcome(test, GUARD_S[test[0]]) != "passes":
            raise Wrong(f"without any mutant this fails: {' '.join(test)}")
        self.usual_s[test] = time.monotonic() - start

    def catches(self, m):
        """Tries one mutant."""
        file = self.tree / m.file
        true = file.read_text(encoding="utf-8")
        hang_s = max(HANG_S, HANG_TIMES * self.usual_s[m.test])
        start = time.monotonic()

        file.write_text(true.replace(m.old, m.new), encoding="utf-8")
        try:
            self.make(*m.test[:2])
            outcome = self.outcome(m.test, hang_s)
        finally:
            file.write_text(true, encoding="utf-8")
        caught = outcome == "fails"
        if outcome == "hangs":  # or is slow, as all is on a machine that is busy
            self.make(*m.test[:2])
            caught = self.outcome(m.test, hang_s) == "passes"
        say(f"{'caught' if caught else 'SURVIVED':8} {m.name} "
            f"({m.test[1]}, {m.test[0]}, {time.monotonic() - start:.0f} s)")
        return caught

    def hunt(self, groups):
        """Takes groups until none is left; returns the mutants that nobody noticed."""
        survived = []

        while groups:
            group = groups.popleft()
            for m in group:
                self.settle(m.test)
            survived += [m for m in group if not self.catches(m)]
        return survived


def in_groups(chosen):
    """Those of one file and build together: then each fault taken out costs no build of its own."""
    groups = collections.defaultdict(list)
    for m in chosen:
        groups[m.test[0], m.file].append(m)
    return collections.deque(sorted(groups.values(), key=len, reverse=True))


def hunt(root, folder, chosen):
    find(chosen, root)
    groups = in_groups(chosen)
    workers = [Worker(root, pathlib.Path(folder, str(i)))
               for i in range(min(WORKERS, len(groups)))]
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        futures = [pool.submit(worker.hunt, groups) for worker in workers]
        try:
            return [m for future in futures for m in future.result()]
        except BaseException:
            groups.clear()
            raise


def main(root, *names):
    if names == ("--find",):
        find(mutants.MUTANTS, pathlib.Path(root))
        return 0
    chosen = [m for m in mutants.MUTANTS if not names or any(n in m.name for n in names)]
    if not chosen:
        sys.exit("no mutant has such a name")
    with tempfile.TemporaryDirectory(prefix="tern-mutants-") as folder:
        survived = hunt(pathlib.Path(root).resolve(), folder, chosen)
    for m in survived:
        say(f"survived: {m.name}")
    say(f"{len(chosen) - len(survived)} caught, {len(survived)} survived")
    return 1 if survived else 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except Wrong as wrong:
        sys.exit(str(wrong))
