# SPDX-License-Identifier: MIT
"""Reads what the manual pages (mdoc) say in C: synopsis, structures, examples."""

import pathlib
import re


def paths(root):
    return sorted(pathlib.Path(root, "man").glob("*.[37]"))


def label(path):
    """tern_loop.3 -> tern_loop(3)"""
    return f"{path.stem}({path.suffix[1:]})"


def section(path, name):
    """The lines of one section of a page."""
    lines, inside = [], False
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith(".Sh "):
            inside = line[4:].strip() == name
        elif inside:
            lines.append(line)
    return lines


def words(line):
    """The arguments of a macro line; quotes keep words together."""
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', line)]


def synopsis(path):
    """The section SYNOPSIS of a page as C."""
    code, kind, call = [], "", None
    for line in section(path, "SYNOPSIS"):
        macro, _, rest = line.partition(" ")
        if macro == ".In":
            code.append(f"#include <{rest}>")
        elif macro == ".Ft":
            kind = rest
        elif macro == ".Fn":
            name, *arguments = words(rest)
            code.append(f"{kind} {name}({', '.join(arguments)});")
        elif macro == ".Fo":
            call = [rest]
        elif macro == ".Fa":
            call += words(rest)
        elif macro == ".Fc":
            code.append(f"{kind} {call[0]}({', '.join(call[1:])});")
        else:
            raise ValueError(f"{path}: what is this line of the SYNOPSIS: {line}")
    return "\n".join(code) + "\n"


def literals(lines):
    """The literal blocks among these lines, as text."""
    blocks, block = [], None
    for line in lines:
        if line.startswith(".Bd -literal"):
            block = []
        elif line == ".Ed" and block is not None:
            blocks.append("\n".join(block) + "\n")
            block = None
        elif block is not None:
            block.append(line.replace("\\-", "-").replace("\\&", "").replace("\\e", "\\"))
    return blocks


def structures(path):
    """Name -> text of the structures that the page shows."""
    found = {}
    for block in literals(section(path, "DESCRIPTION")):
        for name, body in re.findall(r"^struct (\w+) (\{.*?^\});", block, re.M | re.S):
            found[name] = body
    return found


def programs(path):
    """The complete programs in the section EXAMPLES."""
    return [block for block in literals(section(path, "EXAMPLES")) if "#include" in block]


def listed(path):
    """The functions that have an entry of their own in the section SYNOPSIS."""
    return set(re.findall(r"\b(tern_\w+)\(", synopsis(path)))
