#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_probes.py LIBRARY PAGE: the library's notes name the probes that the page lists.

The page lists a probe as ".It Fn name arguments".
"""

import pathlib
import re
import subprocess
import sys

PROBES = {
    "submit": ["pool", "work", "run"],
    "start": ["pool", "work", "run"],
    "done": ["pool", "work", "status"],
    "thread__start": ["pool", "number"],
    "thread__stop": ["pool", "number"],
}


def main(library, page):
    complaints = []
    notes = subprocess.run(["readelf", "-n", library], check=True, text=True,
                           stdout=subprocess.PIPE).stdout
    found = {}
    for provider, name, arguments in re.findall(
            r"Provider: (\S+)\s+Name: (\S+)\s+Location:.*\s+Arguments:(.*)", notes):
        if provider != "tern":
            complaints.append(f"{name}: the provider is {provider}")
        found.setdefault(name, set()).add(len(arguments.split()))
    text = pathlib.Path(page).read_text(encoding="utf-8")
    text = re.search(r"^\.Sh PROBES$(.*?)^\.Sh ", text, re.M | re.S).group(1)
    listed = {name: arguments.split() for name, arguments in
              re.findall(r"^\.It Fn (\w+) (.*)$", text, re.M)}

    if listed != PROBES:
        complaints.append(f"{page} lists {listed}")
    for name in sorted(PROBES.keys() | found.keys()):
        if found.get(name) != {len(PROBES.get(name, []))}:
            complaints.append(f"{name}: the library has {found.get(name)} arguments")
    for complaint in complaints:
        print(complaint)
    print(f"{len(found)} probes")
    return bool(complaints)


sys.exit(main(*sys.argv[1:]))
