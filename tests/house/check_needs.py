#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_needs.py ROOT MESON: the README's build configures with what the README says it needs.

Neither pkg-config nor cmake shows it any library of this machine. libev is found without them; a
second build, with -Dev=disabled, must do without libtern-ev.
"""

import os
import pathlib
import re
import sys
import tempfile

import common


def options(root):
    """What the README's meson setup says."""
    text = pathlib.Path(root, "README.md").read_text(encoding="utf-8")
    return re.search(r"^    meson setup \S+ (.*)$", text, re.M)[1].split()


def main(root, meson):
    wrong = common.Complaints()

    for more, has_ev in (([], True), (["-Dev=disabled"], False)):
        with tempfile.TemporaryDirectory() as folder:
            alone = dict(os.environ, PKG_CONFIG_LIBDIR=folder, PKG_CONFIG_PATH="",
                         CMAKE="no-cmake-here")
            status, said = common.call([meson, "setup", *options(root), *more,
                                        pathlib.Path(folder, "build"), root], env=alone)
            ninja = pathlib.Path(folder, "build/build.ninja")
            if status:
                wrong.add(f"{' '.join(more)}: status {status}\n{said}")
            elif ("libtern-ev.so" in ninja.read_text(encoding="utf-8")) != has_ev:
                wrong.add(f"{' '.join(more)}: libtern-ev is {'not ' if has_ev else ''}built")
    wrong.end("the README's build needs what the README lists")


main(*sys.argv[1:])
