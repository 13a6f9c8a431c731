#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_readme.py ROOT LIBRARY...: the README's example compiles, runs, and prints what it says.

The example is the first block of C in README.md; what it prints is the first block of text after.
"""

import pathlib
import re
import sys
import tempfile

import common


def example(root):
    """Returns the program and what it prints."""
    text = pathlib.Path(root, "README.md").read_text(encoding="utf-8")
    return re.search(r"^```c\n(.*?)^```$.*?^```text\n(.*?)^```$", text, re.M | re.S).groups()


def main(root, *libraries):
    wrong = common.Complaints()
    source, expected = example(root)

    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder, "example")
        status, said = common.build(root, source, program, *common.libraries(libraries))
        if not status:
            status, said = common.call([program], timeout=20)
            if said != expected:
                wrong.add(f"it printed\n{said}and not\n{expected}")
    if status:
        wrong.add(f"status {status}\n{said}")
    wrong.end("the example printed what the README says")


if __name__ == "__main__":
    main(*sys.argv[1:])
