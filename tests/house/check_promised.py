#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_promised.py ROOT MAP...: every function of the public headers is in one of the maps."""

import pathlib
import re
import sys

import common
import headers


def main(root, *maps):
    wrong = common.Complaints()
    text = "".join(pathlib.Path(path).read_text(encoding="utf-8") for path in maps)

    for name in sorted(headers.functions(root)):
        count = len(re.findall(rf"\b{name}\s*;", text))
        if count != 1:
            wrong.add(f"{name}: declared, and in {count} maps, not in one")
    wrong.end("every declared function is exported by one library")


main(*sys.argv[1:])
