#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_layering.py ROOT: includes go one way, and what belongs in one place is only there.

    include <- lib/base <- lib/loop <- lib/io, lib/future <- lib/vdm <- workpool
        <- compat, bench, examples <- tests
"""

import pathlib
import re
import sys

import common
import headers

RANKS = {
    "include": 0,
    "lib/base": 1,
    "lib/loop": 2,
    "lib/io": 3, "lib/future": 3,
    "lib/vdm": 4,
    "workpool": 5,
    "compat": 6, "bench": 6, "examples": 6,
    "tests": 7,
}
OF_THE_POOL = {"include/tern/pool.h", "include/tern/resolve.h", "include/tern/future_pool.h"}
TOP = sorted({folder.split("/")[0] for folder in RANKS})
LIBRARY = ("include", "lib", "workpool")
KNOWS_LIBEV = {"include/tern/ev.h", "lib/loop/loop_ev.c"}
SPELLS_ORDERS = {"lib/base/atomic.h"}
ORDERS = re.compile(r"\b(?:__ATOMIC_|__atomic_|__sync_|memory_order_|_Atomic\b|stdatomic\b)\w*")


def layer(name):
    """The layer that a file is in: the longest folder of RANKS that holds it."""
    return max((folder for folder in RANKS if name.startswith(folder + "/")), key=len, default=None)


def resolve(root, name, included, quoted):
    """The file of this repository that an include means, or None."""
    root = pathlib.Path(root).resolve()
    places = [pathlib.Path("include"), *(pathlib.Path(name).parents if quoted else [])]
    paths = [(root / place / included).resolve() for place in places]
    if quoted:  # a folder that the build adds
        paths += [path for folder in TOP for path in root.glob(f"{folder}/**/{included}")]
    return next((str(path.relative_to(root)) for path in paths
                 if path.is_file() and root in path.parents), None)


def allowed(name, target):
    mine, theirs = layer(name), layer(target)
    if mine is None or theirs is None:
        return False
    if mine == theirs:
        return True
    if mine.startswith("lib/") and target in OF_THE_POOL:
        return False
    return RANKS[theirs] < RANKS[mine]


def check_file(root, name, wrong):
    text = pathlib.Path(root, name).read_text(encoding="utf-8")

    if layer(name) is None:
        wrong.add(f"{name}: in no layer")
    for bracket, included in re.findall(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)', text, re.M):
        target = resolve(root, name, included, bracket == '"')
        if bracket == '"' and not target:
            wrong.add(f"{name}: what is \"{included}\"?")
        if target and not allowed(name, target):
            wrong.add(f"{name} includes {target}: against the arrows")
        if included == "ev.h" and name.startswith(LIBRARY) and name not in KNOWS_LIBEV:
            wrong.add(f"{name} includes <ev.h>: only {' and '.join(sorted(KNOWS_LIBEV))} may")
    code = headers.strip(text)
    if name.startswith(LIBRARY) and name not in SPELLS_ORDERS:
        for order in sorted(set(ORDERS.findall(code))):
            wrong.add(f"{name} spells {order}: only {' and '.join(SPELLS_ORDERS)} may")
    if name.startswith("lib/") and re.search(r"\b(tern_pool|tern_work)\w*\b|workpool", code):
        wrong.add(f"{name} names the work pool")


def main(root):
    wrong = common.Complaints()
    names = sorted(str(path.relative_to(root)) for folder in TOP
                   for path in pathlib.Path(root, folder).glob("**/*.[ch]"))

    for name in names:
        check_file(root, name, wrong)
    wrong.end(f"{len(names)} files keep the layering")


main(*sys.argv[1:])
