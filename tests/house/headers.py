# SPDX-License-Identifier: MIT
"""Reads the public headers: which functions, structures, types and macros they have."""

import pathlib
import re


def paths(root):
    include = pathlib.Path(root, "include")
    return sorted([*include.glob("*.h"), *include.glob("tern/*.h")])


def strip(text):
    """C without comments and string literals; lines stay where they are."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"',
                  lambda match: "\n" * match.group().count("\n") or " ", text, flags=re.S)


def source(root):
    return "\n".join(path.read_text(encoding="utf-8") for path in paths(root))


def drop_ins(root):
    """The headers of older systems, which the library for them installs in a folder of its own."""
    return sorted(path for path in pathlib.Path(root, "compat").glob("*/**/*.h")
                  if path.name != "private.h")


def stand_ins(root):
    """Old name -> tern_compat name, from the macros of the drop-in headers."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in drop_ins(root))
    return dict(re.findall(r"^#define (\w+)[ \t]+(tern_compat_\w+)$", text, re.M))


def drop_in_functions(root):
    text = "\n".join(path.read_text(encoding="utf-8") for path in drop_ins(root))
    return set(re.findall(r"\b(tern_compat_\w+)\(", strip(text)))


def macros(root):
    names = re.findall(r"^\s*#\s*define\s+(TERN_\w+|tern_\w+)", source(root), re.M)
    return {name for name in names if not name.endswith("_H")}


def code(root):
    """The headers without comments, directives and the bodies of structures."""
    text = re.sub(r"^\s*#.*$", "", strip(source(root)), flags=re.M)
    text = re.sub(r'extern\s*"?C?"?\s*\{', "", text)
    while True:
        shorter = re.sub(r"\{[^{}]*\}", "", text)
        if shorter == text:
            return text
        text = shorter


def types(root):
    """Names of typedefs."""
    return set(re.findall(r"\b(tern_\w+)\s*[;(]",
                          " ".join(re.findall(r"typedef[^;]*;", code(root)))))


def functions(root):
    without_types = re.sub(r"typedef[^;]*;", "", code(root))
    return set(re.findall(r"\b(tern_\w+)\s*\(", without_types))


def structures(root):
    """Name -> names of the public members, in order; what follows a "private" is not public.

    One whose comment begins with that word is left out.
    """
    found = {}
    for private, name, body in re.findall(
            r"(^/\* Private:[^*]*\*/\n)?^struct (tern_\w+) \{(.*?)^\};", source(root), re.M | re.S):
        if not private:
            found[name] = members(body)
    return found


def members(body):
    """The members of a structure's body, up to the first whose comment says "private".

    A comment on a line of its own that begins with the word ends them, too.
    """
    body = re.split(r"^\s*/\*\s*private\b", body, maxsplit=1, flags=re.M)[0]
    body = re.sub(r"^\s*/\*.*?\*/", "", body, flags=re.M | re.S)
    names = []
    for declaration, comment in re.findall(r"([^;]*);[ \t]*(/\*.*?\*/)?", body, re.S):
        if "private" in comment:
            break
        pointer = re.search(r"\(\*(\w+)\)\(", declaration)
        if pointer:
            names.append(pointer.group(1))
        else:
            names += [re.search(r"(\w+)\s*(?:\[\w*\])?\s*$", part).group(1)
                      for part in declaration.split(",")]
    return names
