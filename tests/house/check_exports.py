#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_exports.py ROOT LIBRARY MAP NEEDED...: what a shared library exports and what it needs.

The exported symbols equal the map; every map's symbol is declared in a public header; the soname
carries the version of the map; the library needs nothing but NEEDED (names without version) and
the loader.
"""

import pathlib
import re
import sys

import common
import headers


def main(root, library, map_file, *needed):
    wrong = common.Complaints()
    text = headers.strip(pathlib.Path(map_file).read_text(encoding="utf-8"))
    version, exported, local = re.fullmatch(
        r"\s*TERN_(\d+)\s*\{\s*global:(.*?)local:(.*?)\};\s*", text, re.S).groups()
    promised = set(re.findall(r"\w+", exported))

    _, said = common.call(["nm", "-D", "--defined-only", library])
    found = {line.split()[2].split("@")[0] for line in said.splitlines()
             if line.split()[1] != "A"}
    for name in sorted(found ^ promised):
        wrong.add(f"{name}: {'exported, not in the map' if name in found else 'in the map only'}")
    declared = headers.functions(root) | headers.drop_in_functions(root)
    for name in sorted(promised - declared):
        wrong.add(f"{name}: in the map, but no public header declares it")
    if local.split() != ["*;"]:
        wrong.add(f"{map_file}: what is not global must be local")

    _, said = common.call(["readelf", "-d", library])
    for name in re.findall(r"\(NEEDED\).*\[(.*?)\]", said):
        if name.split(".so")[0] not in needed and not name.startswith("ld-linux"):
            wrong.add(f"{library} needs {name}")
    soname = re.search(r"\(SONAME\).*\[(.*?)\]", said)
    if not soname or not soname.group(1).endswith(f".so.{version}"):
        wrong.add(f"{library}: soname {soname and soname.group(1)}, map TERN_{version}")
    wrong.end(f"{len(promised)} symbols, as promised")


main(*sys.argv[1:])
