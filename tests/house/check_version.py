#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_version.py ROOT VERSION: headers, CHANGELOG and build name the same version."""

import pathlib
import re
import sys

import common
import headers


def main(root, version):
    wrong = common.Complaints()
    numbers = dict(re.findall(r"#define TERN_VERSION_(\w+) (\d+)", headers.source(root)))
    of_headers = ".".join(numbers.get(part, "?") for part in ("MAJOR", "MINOR", "PATCH"))
    changes = pathlib.Path(root, "CHANGELOG.md").read_text(encoding="utf-8")
    latest = re.search(r"^## (\S+?),? ", changes, re.M).group(1)

    for where, found in (("base.h", of_headers), ("CHANGELOG.md", latest)):
        if found != version:
            wrong.add(f"{where} says {found}, meson.build says {version}")
    wrong.end(version)


main(*sys.argv[1:])
