#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_examples.py ROOT PAGE LIBRARY...: the programs in a page's EXAMPLES compile and run.

Parts of a program, without a main, only compile and link. Among the libraries may stand flags for the compiler.
"""

import pathlib
import subprocess
import sys
import tempfile

import common
import pages


def main(root, page, *libraries):
    wrong = common.Complaints()
    programs = pages.programs(pathlib.Path(page))

    if not programs:
        wrong.add(f"{page}: no example")
    for number, source in enumerate(programs, 1):
        if " main(" not in source and "\nmain(" not in source:
            source += "\nint main(void) { return 0; }\n"
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "example")
            status, said = common.build(root, source, program, *common.libraries(libraries))
            if not status:
                status, said = common.call([program], timeout=20, stdin=subprocess.DEVNULL)
                print(said, end="")
            if status:
                wrong.add(f"{page}: example {number}: status {status}\n{said}")
    wrong.end(f"{len(programs)} examples compiled and ran")


main(*sys.argv[1:])
