#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_headers.py ROOT [drop-ins] COMPILER...: every public header compiles alone, in C and C++.

With "drop-ins" it is those of older systems, which need these systems' own headers too.

Also: no header holds logic or atomics, since both would freeze the library's insides into programs.
"""

import re
import sys

import common
import headers

LANGUAGES = {
    "C11": ["-x", "c", "-std=c11", "-Wstrict-prototypes", "-Wshadow"],
    "GNU C17": ["-x", "c", "-std=gnu17"],
    "C++11": ["-x", "c++", "-std=c++11"],
    "C++20": ["-x", "c++", "-std=c++20"],
}
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wundef", "-Werror"]


def main(root, *compilers):
    wrong = common.Complaints()
    paths, system = headers.paths(root), []

    if compilers[0] == "drop-ins":
        paths, compilers = headers.drop_ins(root), compilers[1:]
        system = ["-D_GNU_SOURCE", f"-I{root}/compat"]  # theirs need it
    if not paths:
        wrong.add("no header")
    for path in paths:
        name = path.relative_to(root)
        code = headers.strip(path.read_text(encoding="utf-8"))
        for found in re.findall(r"\b_Atomic\b|\binline\b|\bstdatomic\b|\)\s*\{", code):
            wrong.add(f"{name}: {found!r} has no place in a public header")
        for compiler in compilers:
            for language, flags in LANGUAGES.items():
                if "++" not in compiler and "++" in language:
                    continue
                status, said = common.call(
                    [compiler, *flags, *WARNINGS, *system, f"-I{root}/include", "-include", path,
                     "-fsyntax-only", "/dev/null"])
                if status:
                    wrong.add(f"{name} alone in {language} with {compiler}:\n{said}")
    wrong.end("every header compiles alone")


main(*sys.argv[1:])
