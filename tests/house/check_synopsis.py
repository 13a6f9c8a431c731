#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_synopsis.py ROOT PAGE: a page's SYNOPSIS and structures agree with the headers.

The SYNOPSIS becomes a C file which declares everything a second time: a type that differs does not
compile. A structure that the page shows must have the header's public members, in the header's
order, each of the same type.
"""

import pathlib
import sys

import common
import headers
import pages


def same_members(name, body, shown, real):
    """C that compiles only if the members the page shows have the types of the real ones."""
    lines = [f"struct page_{name} {body};"]
    for member in shown:
        if member in real:
            lines.append(f"_Static_assert(__builtin_types_compatible_p("
                         f"__typeof__(((struct page_{name} *)0)->{member}), "
                         f"__typeof__(((struct {name} *)0)->{member})), "
                         f"\"{name}.{member} has another type\");")
    return "\n".join(lines) + "\n"


def main(root, page):
    page = pathlib.Path(page)
    wrong = common.Complaints()
    source = pages.synopsis(page)
    real = headers.structures(root)

    for name, body in pages.structures(page).items():
        shown = headers.members(body)
        if shown != real.get(name):
            wrong.add(f"{page}: struct {name} has {real.get(name)}, the page shows {shown}")
        source += same_members(name, body, shown, real.get(name, []))
    for function in pages.listed(page) - headers.functions(root) - headers.types(root):
        wrong.add(f"{page}: no header declares {function}")
    status, said = common.build(root, source, "/dev/null", "-c")
    if status:
        wrong.add(f"{source}\n{said}")
    wrong.end(f"{pages.label(page)} agrees with the headers")


main(*sys.argv[1:])
