# SPDX-License-Identifier: MIT
"""What the checks of the house share: complaints, and compiling a piece of C."""

import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wstrict-prototypes", "-Werror"]


class Complaints:
    """Collects what is wrong; ends the check."""

    def __init__(self):
        self.lines = []

    def add(self, line):
        self.lines.append(line)

    def end(self, fine):
        for line in self.lines:
            print(line)
        if not self.lines:
            print(fine)
        sys.exit(1 if self.lines else 0)


def compiler():
    return shlex.split(os.environ.get("CC", "cc"))


def call(command, **options):
    """Runs a command; returns its status and all that it said."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **options)
    return done.returncode, done.stdout


def build(root, source, output, *more):
    """Compiles a piece of C against the headers; returns status and output."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "piece.c")
        path.write_text(source, encoding="utf-8")
        return call([*compiler(), "-std=gnu11", *STRICT, f"-I{root}/include", path,
                     "-o", output, *more])


def libraries(paths):
    """Arguments that link a program with these shared libraries and flags, and find them again."""
    files = [path for path in paths if not str(path).startswith("-")]
    return [*paths, *(f"-Wl,-rpath,{pathlib.Path(path).resolve().parent}" for path in files),
            "-lev", "-pthread"]
