#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py MODEL.pml: the model holds in every state it can reach, and no rule in it is idle.

Spin searches the model as it is, which must be complete and without error; then once for each macro
that an #ifdef of the model asks for. Each of these breaks one rule, and the search must find an
error in each. Status 77, a skip, where spin is not installed.
"""

import concurrent.futures
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

SEARCH = ["-m1000000", "-w22"]  # depth; hash table


def call(command, folder):
    environment = {name: value for name, value in os.environ.items() if name != "MALLOC_PERTURB_"}
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, env=environment)
    return done.returncode, done.stdout


def search(model, macro, folder):
    """Returns what pan said, or spin or the compiler if they failed."""
    folder.mkdir()
    compiler = shlex.split(os.environ.get("CC", "cc"))
    for command in (["spin", "-a", *([f"-D{macro}"] if macro else []), str(model)],
                    # to optimise takes longer than it saves
                    [*compiler, "-O0", "-w", "-DSAFETY", "-DMEMLIM=4096", "-o", "pan", "pan.c"],
                    ["./pan", *SEARCH]):
        status, said = call(command, folder)
        if status:
            return f"{shlex.join(command)}: status {status}\n{said}"
    return said


def complaint(macro, said):
    """What is wrong with one search, or an empty string."""
    found = re.search(r"^State-vector .* errors: (\d+)$", said, re.M)
    if not found:
        return f"no verdict:\n{said}"
    if macro:
        return "" if found.group(1) != "0" else "no error: nothing depends on this rule"
    if found.group(1) != "0" or "Search not completed" in said or "max search depth" in said:
        return said
    return ""


def summary(macro, said):
    error = re.search(r"^pan:\d+: (.*?)(?: \(at depth (\d+)\))?$", said, re.M)
    states = re.search(r"^ *([\d.e+]+) states, stored", said, re.M)
    return f"{macro or 'as it is'}: {error.group(1) if error else 'no error'}, " \
           f"{states.group(1) if states else '?'} states"


def main(path):
    if not shutil.which("spin"):
        print("spin is not installed")
        return 77
    model = pathlib.Path(path).resolve()
    asked = re.findall(r"^#\s*(?:el)?if.*$", model.read_text(encoding="utf-8"), re.M)
    macros = sorted(set(re.findall(r"\b[A-Z][A-Z_]+\b", " ".join(asked))))
    wrong = [] if len(macros) > 2 else ["fewer than three rules to break"]

    with tempfile.TemporaryDirectory() as temporary, \
            concurrent.futures.ThreadPoolExecutor(2) as pool:
        said = pool.map(lambda macro: search(model, macro, pathlib.Path(temporary, macro or "true")),
                        ["", *macros])
        for macro, text in zip(["", *macros], said):
            print(summary(macro, text), flush=True)
            if complaint(macro, text):
                wrong.append(f"{macro or 'as it is'}: {complaint(macro, text)}")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
