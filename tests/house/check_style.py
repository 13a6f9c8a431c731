#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_style.py ROOT: what clang-format does not see: size, first lines, and sleeping in tests."""

import pathlib
import re
import sys

import common
import headers

FOLDERS = ("include", "lib", "workpool", "compat", "tests", "bench", "examples")
FILE_LINES, FUNCTION_LINES = 600, 70


def functions(lines):
    """Yields (name, lines of the body) for each function; a body starts and ends in column 1."""
    start, name = None, None
    for number, line in enumerate(lines):
        head = re.match(r"[A-Za-z].*?(\w+)\(", line)
        if head:
            name = head.group(1)
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            yield name, number - start - 1
            start = None


def check_file(path, name, wrong):
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()

    if lines[:1] != ["/* SPDX-License-Identifier: MIT */"]:
        wrong.add(f"{name}: the first line is not the licence")
    if not lines[1:2] or not lines[1].startswith("/*"):
        wrong.add(f"{name}: no comment that says what the file is about")
    if len(lines) > FILE_LINES:
        wrong.add(f"{name}: {len(lines)} lines, more than {FILE_LINES}")
    for function, length in functions(lines):
        if length > FUNCTION_LINES:
            wrong.add(f"{name}: {function}() has {length} lines, more than {FUNCTION_LINES}")
    if name.startswith("tests/"):
        for call in re.findall(r"\b(usleep|nanosleep|clock_nanosleep|sleep)\s*\(",
                               headers.strip(text)):
            wrong.add(f"{name}: {call}() synchronises nothing")


def main(root):
    wrong = common.Complaints()
    paths = sorted(path for folder in FOLDERS
                   for path in pathlib.Path(root, folder).glob("**/*.[ch]"))

    for path in paths:
        check_file(path, str(path.relative_to(root)), wrong)
    wrong.end(f"{len(paths)} files")


main(*sys.argv[1:])
