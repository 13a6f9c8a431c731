#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_names.py ROOT: every public symbol is in the manual.

Functions and function types have an entry in the SYNOPSIS of exactly one page, and man/meson.build
links each function's name to it unless the page bears it. Structures and macros are named; a
structure with public members that are not all private is shown by exactly one page. What a drop-in
header replaces is named under its old name. tern(7), where to begin, leads to every other page.
"""

import collections
import pathlib
import re
import sys

import common
import headers
import pages


def links(root):
    """Function -> page, from the table in man/meson.build."""
    text = pathlib.Path(root, "man/meson.build").read_text(encoding="utf-8")
    found = {}
    for page, names in re.findall(r"'man\d/([\w.]+)':\s*\[(.*?)\]", text, re.S):
        for name in re.findall(r"'(\w+)'", names):
            found[name] = page
    return found


def led_to(root):
    """The pages that tern(7) names under SEE ALSO."""
    lines = pages.section(pathlib.Path(root, "man/tern.7"), "SEE ALSO")
    return {".".join(line.split()[1:3]) for line in lines if line.startswith(".Xr ")}


def main(root):
    wrong = common.Complaints()
    functions, types = headers.functions(root), headers.types(root)
    entries, shown, named = collections.defaultdict(list), collections.defaultdict(list), set()

    for page in pages.paths(root):
        text = page.read_text(encoding="utf-8")
        named |= set(re.findall(r"\b\w+", text))
        for name in pages.listed(page):
            entries[name].append(page.name)
        for name in pages.structures(page):
            shown[name].append(page.name)

    for name in sorted(functions | types):
        if len(entries[name]) != 1:
            wrong.add(f"{name}: in the SYNOPSIS of {len(entries[name])} pages, not of one")
    for name in sorted(functions):
        if links(root).get(name, f"{name}.3") not in entries[name]:
            wrong.add(f"{name}: man/meson.build links it to {links(root).get(name)}")
    for name in sorted(set(links(root)) - functions):
        wrong.add(f"{name}: man/meson.build links it, but no header declares it")
    for name in sorted({*headers.macros(root), *headers.structures(root),
                        *headers.stand_ins(root)} - named):
        wrong.add(f"{name}: no page names it")
    for name, public in sorted(headers.structures(root).items()):
        if public and len(shown[name]) != 1:
            wrong.add(f"struct {name}: shown by {len(shown[name])} pages, not by one")
    for page in sorted({path.name for path in pages.paths(root)} - {"tern.7"} - led_to(root)):
        wrong.add(f"{page}: tern(7) does not lead to it")
    wrong.end(f"{len(functions)} functions and all types and macros are in the manual")


main(*sys.argv[1:])
