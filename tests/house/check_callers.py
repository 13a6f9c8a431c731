#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_callers.py ROOT: each function says who may call it, in its header and in tern_threads(7).

In the header the comment before the declaration starts with [any], [loop], [worker] or a sentence
in brackets; functions that follow one another share a comment. The page has a row for each, except
for those that only prepare an item.
"""

import pathlib
import re
import sys

import common
import headers


def described(text):
    """Yields (function, the comment before it) for each function of a header."""
    comment = ""
    for piece in re.split(r"(/\*.*?\*/)", text, flags=re.S):
        if piece.startswith("/*"):
            comment = re.sub(r"^[/* \n]+", "", piece)
        else:
            declarations = re.sub(r"^\s*#.*(\\\n.*)*$|typedef[^;]*;", "", piece, flags=re.M)
            for function in re.findall(r"\b(tern_\w+)\(", declarations):
                yield function, comment


def main(root):
    wrong = common.Complaints()
    page = pathlib.Path(root, "man/tern_threads.7").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\.It Fn (tern_\w+) Ta ", page, re.M))
    functions = headers.functions(root)

    for path in headers.paths(root):
        for function, comment in described(path.read_text(encoding="utf-8")):
            if function in functions and not re.match(r"\[(any|loop|worker|blocks)\b", comment):
                wrong.add(f"{path.name}: {function} does not say who may call it")
    for function in sorted(functions - rows):
        if not function.endswith("_init"):
            wrong.add(f"{function}: tern_threads(7) has no row for it")
    for function in sorted(rows - functions):
        wrong.add(f"{function}: tern_threads(7) has a row, but no header declares it")
    wrong.end(f"{len(functions)} functions say who may call them")


main(*sys.argv[1:])
