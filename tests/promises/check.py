#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py ROOT: every promise of promises.md leads to what shows it, and that exists.

A promise is a list item; under it stand the places that show it, `kind: what`, or `none: why` for
one that nothing shows. The kinds:

    test_pool: a sentence    that sentence is in the table of the program test_pool.c
    model gate: NAME         that mutilation is in the model, which must then fail
    mutant: a name           tests/mutants has that mutant, which the tests must catch
    bench: closed            that question of the benchmark
    run: a name              that test of the build, a program or a check without sentences
    page tern_loop.3: words  the manual says so
"""

import importlib
import pathlib
import re
import sys

TABLE = "tests/promises/promises.md"
ENTRY = re.compile(r'\{\s*((?:"(?:[^"\\]|\\.)*"\s*)+),\s*(?:WITH_STATS\()?\w+\)?\s*\}')
NONE_WORDS = 4  # a reason is a sentence


def read(root):
    """The promises: (line number, rule, [places])."""
    promises, section = [], None
    for number, line in enumerate(pathlib.Path(root, TABLE).read_text(encoding="utf-8").splitlines(),
                                  1):
        if line.startswith("## "):
            section = line
        elif section and line.startswith("- "):
            promises.append((number, line[2:], []))
        elif section and line.startswith("  - "):
            promises[-1][2].append(line[4:])
        elif section and line.startswith("    "):
            promises[-1][2][-1] += " " + line.strip()
        elif section and line.startswith("  "):
            promises[-1] = (promises[-1][0], f"{promises[-1][1]} {line.strip()}", promises[-1][2])
    return promises


def sentences(root, program):
    """What the table of a test program says, or None if there is no such program."""
    paths = list(pathlib.Path(root, "tests").rglob(f"{program}.c"))
    if not paths:
        return None
    text = paths[0].read_text(encoding="utf-8")
    return {"".join(re.findall(r'"((?:[^"\\]|\\.)*)"', strings)) for strings in ENTRY.findall(text)}


def mutilations(root, model):
    path = pathlib.Path(root, "tests/models", f"{model}.pml")
    if not path.is_file():
        return None
    asked = re.findall(r"^#\s*(?:el)?if.*$", path.read_text(encoding="utf-8"), re.M)
    return set(re.findall(r"\b[A-Z][A-Z_]+\b", " ".join(asked)))


def mutants(root):
    sys.path.insert(0, str(pathlib.Path(root, "tests/mutants")))
    return {m.name for m in importlib.import_module("mutants").MUTANTS}


def page(root, name):
    path = pathlib.Path(root, "man", name)
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    return " ".join(word for line in lines for word in re.sub(r"^\.[A-Z]\w\b", "", line).split())


class Shown:
    """What there is to lead to."""

    def __init__(self, root):
        self.root = root
        self.mutants = mutants(root)
        self.builds = "\n".join(path.read_text(encoding="utf-8")
                                for path in pathlib.Path(root, "tests").rglob("meson.build"))

    def complaint(self, place):
        """What is wrong with a place, or an empty string."""
        kind, colon, what = place.partition(": ")
        words = kind.split()
        if not colon or not what.strip():
            return "not a place: kind: what"
        if kind == "none":
            return "" if len(what.split()) >= NONE_WORDS else "does not say why"
        if kind == "mutant":
            return "" if what in self.mutants else "no such mutant"
        if kind == "bench":
            path = pathlib.Path(self.root, "bench/questions", f"{what}.py")
            return "" if path.is_file() else "no such question"
        if kind == "run":
            # a name may go on with a variable
            found = re.search(rf"test\('{re.escape(what)} ?'", self.builds)
            return "" if found else "no such test"
        if len(words) == 2 and words[0] == "model":
            return self.among(what, mutilations(self.root, words[1]), "mutilation of the model")
        if len(words) == 2 and words[0] == "page":
            text = page(self.root, words[1])
            return "" if text and what in text else "the page does not say so"
        return self.among(what, sentences(self.root, kind), "sentence in the program")

    @staticmethod
    def among(what, there, kind):
        if there is None:
            return f"no {kind.split()[-1]} of that name"
        return "" if what in there else f"no such {kind}"


def main(root):
    shown, promises, wrong = Shown(root), read(root), []
    gaps = [p for p in promises if any(place.startswith("none: ") for place in p[2])]

    for number, rule, places in promises:
        if not places:
            wrong.append(f"{TABLE}:{number}: leads to nothing, without saying why: {rule}")
        for place in places:
            complaint = shown.complaint(place)
            if complaint:
                wrong.append(f"{TABLE}:{number}: {place}: {complaint}")
    if not promises:
        wrong.append(f"{TABLE}: no promise")
    for line in wrong:
        print(line)
    print(f"{len(promises)} promises, {len(gaps)} with a gap")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
