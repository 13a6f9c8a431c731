#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_fatal.py ROOT: tern_debugging(7) lists each fatal error of the library, and no other.

There an address is P, a number N, and a text of the system's ERROR. An entry may hold several, with
" , " between them.
"""

import pathlib
import re
import sys

import common

FOLDERS = ("lib", "workpool")
CALL = r"tern__fatal\s*\((?!const char)"
FORMAT = CALL + r'[^;,]*,\s*((?:"[^"\n]*"\s*)+)[,)]'
LETTERS = {"p": "P", "u": "N", "llu": "N", "d": "N", "s": "ERROR"}


def raised(root, wrong):
    """What the library says, in the page's words -> who says it."""
    found = {}
    for folder in FOLDERS:
        for path in sorted(pathlib.Path(root, folder).rglob("*.c")):
            text = path.read_text(encoding="utf-8")
            formats = re.findall(FORMAT, text)
            if len(formats) != len(re.findall(CALL, text)):
                wrong.add(f"{path.relative_to(root)}: a fatal error without a format of its own")
            for pieces in formats:
                said = "".join(re.findall(r'"([^"]*)"', pieces))
                said = re.sub(r"%(llu|[a-z])", lambda match: LETTERS[match[1]], said)
                found[said] = path.relative_to(root)
    return found


def listed(root):
    text = pathlib.Path(root, "man/tern_debugging.7").read_text(encoding="utf-8")
    part = re.search(r"^\.Ss Fatal errors$(.*?)^\.S[sh] ", text, re.M | re.S)[1]
    return {entry for line in re.findall(r"^\.It Li (.*)$", part, re.M)
            for entry in line.split(" , ")}


def main(root):
    wrong = common.Complaints()
    errors, entries = raised(root, wrong), listed(root)

    for said in sorted(errors.keys() - entries):
        wrong.add(f"{errors[said]}: tern_debugging(7) does not list: {said}")
    for said in sorted(entries - errors.keys()):
        wrong.add(f"tern_debugging(7) lists what nobody says: {said}")
    wrong.end(f"{len(errors)} fatal errors are in the manual")


main(*sys.argv[1:])
