#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_checks.py ROOT LIBRARY...: each check of the house turns red when its rule is broken.

Each row breaks one rule in a copy of the tree, runs the check, and looks for its complaint.
"""

import pathlib
import shutil
import sys
import tempfile

import common

COPIED = ("include", "lib", "workpool", "compat", "man", "tests", "bench/questions", "README.md",
          "CHANGELOG.md", "meson.build", "meson_options.txt")
PROMISES = "tests/promises/promises.md"
LIB = "lib/loop/post.c"
INCLUDE = "#include "

# (check, its arguments, file to break, text to replace: once, replacement, part of the complaint)
ROWS = [
    ("synopsis", ["man/tern_loop.3"], "man/tern_loop.3",
     ".Ft bool\n.Fn tern_loop_alive", ".Ft int\n.Fn tern_loop_alive", "conflicting types"),
    ("synopsis", ["man/tern_loop.3"], "man/tern_loop.3",
     ".Fn tern_loop_alive \"struct", ".Fn tern_loop_awake \"struct", "no header declares"),
    ("synopsis", ["man/tern_pool.3"], "man/tern_pool.3",
     "\tuint32_t threads_max;\n", "", "the page shows"),
    ("synopsis", ["man/tern_stats.3"], "man/tern_stats.3",
     "\tuint32_t idle;\n", "\tuint64_t idle;\n", "has another type"),
    ("synopsis", ["man/tern_io_engine.3"], "man/tern_io_engine.3",
     "\tint (*open)(void **state, const struct tern_io_engine *engine,\n"
     "\t\t    const struct tern_io_engine_params *params);\n", "", "the page shows"),
    ("synopsis", ["man/tern_io.3"], "include/tern/io.h", "\t/* private */\n", "", "the page shows"),
    ("examples", ["man/tern.7", "LIBRARIES"], "man/tern.7",
     "\treturn 0;\n}\n", "\treturn 3;\n}\n", "status 3"),
    ("examples", ["man/tern.7", "LIBRARIES"], "man/tern.7",
     "#include <stdio.h>\n", "", "printf"),
    ("readme", ["LIBRARIES"], "README.md", "/ is %s", "/ was %s", "it printed"),
    ("needs", ["meson"], "README.md", " -Dtests=false", "", "\"check\" not found"),
    ("needs", ["meson"], "meson.build", "required: get_option('ev'))", "required: true)",
     "libtern-ev is built"),
    ("names", [], "include/tern/base.h",
     "struct tern_loop;\n", "#define TERN_NEW 1\nstruct tern_loop;\n", "TERN_NEW: no page"),
    ("names", [], "include/tern/base.h",
     "struct tern_loop;\n", "struct tern_loop;\nvoid tern_new(void);\n", "of 0 pages"),
    ("names", [], "man/meson.build",
     "'tern_version'", "", "tern_version: man/meson.build links it to None"),
    ("names", [], "include/tern/loop.h",
     "struct tern_post {\n", "struct tern_letter {\n\tint a;\n};\nstruct tern_post {\n",
     "struct tern_letter: shown by 0 pages"),
    ("names", [], "compat/ivykis/iv_work.h",
     "#define IV_WORK", "#define iv_new tern_compat_iv_new\n#define IV_WORK", "iv_new: no page"),
    ("names", [], "man/tern.7",
     ".Xr tern_fork 7 ,\n", "", "tern_fork.7: tern(7) does not lead to it"),
    ("callers", [], "include/tern/base.h",
     "[any] Sets", "Sets", "tern_set_fatal does not say"),
    ("callers", [], "man/tern_threads.7",
     ".It Fn tern_version", ".It Fn tern_vision", "tern_version: tern_threads(7) has no row"),
    ("fatal", [], LIB, '"post %p has no function"', '"post %p has " "no use"',
     "post.c: tern_debugging(7) does not list: post P has no use"),
    ("fatal", [], LIB, '"post %p has no function"', "nothing",
     "a fatal error without a format of its own"),
    ("fatal", [], "man/tern_debugging.7", ".It Li loop P is held", ".It Li loop P is held up",
     "nobody says: loop P is held up"),
    ("version", ["0.1.0"], "CHANGELOG.md", "\n## ", "\n## 9", "CHANGELOG.md says 9"),
    ("version", ["0.1.0"], "include/tern/base.h",
     "TERN_VERSION_MINOR ", "TERN_VERSION_MINOR 9", "base.h says 0.9"),
    ("promised", ["lib/libtern.map", "lib/libtern-ev.map"], "lib/libtern.map",
     "tern_version;", "", "tern_version: declared, and in 0 maps"),
    ("exports", ["LIBTERN", "lib/libtern.map", "libc", "libpthread"],
     "lib/libtern.map", "tern_version;", "", "exported, not in the map"),
    ("exports", ["LIBTERN", "lib/libtern.map", "libc", "libpthread"],
     "lib/libtern.map", "tern_version;", "tern_version; tern_new;", "in the map only"),
    ("exports", ["LIBTERN", "lib/libtern.map"], "README.md", "# tern\n", "", "needs libc"),
    ("headers", ["gcc", "g++"], "include/tern/base.h",
     "struct tern_loop;\n", "struct tern_loop;\nstatic inline int f(void) { return 0; }\n",
     "'inline' has no place"),
    ("headers", ["gcc", "g++"], "include/tern/pool.h",
     "#include <tern/base.h>\n#include <tern/loop.h>\n", "", "tern/pool.h alone in C++11"),
    ("headers", ["gcc", "g++"], "include/tern/base.h",
     "struct tern_pool;\n", "struct tern_pool;\nextern int class;\n", "alone in C++20"),
    ("layering", [], LIB, INCLUDE, '#include "../../workpool/pool.h"\n' + INCLUDE, "the arrows"),
    ("layering", [], "workpool/pool.c", INCLUDE,
     '#include "../compat/ivykis/private.h"\n' + INCLUDE, "the arrows"),
    ("layering", [], LIB, INCLUDE, "#include <tern/pool.h>\n" + INCLUDE, "the arrows"),
    ("layering", [], LIB, INCLUDE, "#include <ev.h>\n" + INCLUDE, "includes <ev.h>"),
    ("layering", [], LIB, INCLUDE, "static int order = __ATOMIC_RELAXED;\n" + INCLUDE, "spells"),
    ("layering", [], LIB, INCLUDE, "struct tern_work;\n" + INCLUDE, "names the work pool"),
    ("style", [], LIB, INCLUDE, "int f(void)\n{\n" + "\n" * 71 + "}\n" + INCLUDE, "has 71 lines"),
    ("style", [], LIB, "/* SPDX", "/* ", "first line is not the licence"),
    ("style", [], LIB, INCLUDE, "\n" * 600 + INCLUDE, "more than 600"),
    ("promises/check", [], PROMISES, "\n## Spin\n", "\n- Nothing shows this.\n\n## Spin\n",
     "leads to nothing"),
    ("promises/check", [], PROMISES, "test_race: who", "test_racing: who", "no program"),
    ("promises/check", [], "tests/test_race.c", '{"who is claimed when', '{"who is claimed if',
     "no such sentence"),
    ("promises/check", [], "tests/models/gate.pml", "ONLY_WHEN_EMPTY", "ONLY_IF_EMPTY",
     "no such mutilation"),
    ("promises/check", [], PROMISES, "model gate: ", "model door: ", "no model"),
    ("promises/check", [], "tests/mutants/mutants.py", '"who is claimed stays"',
     '"who is claimed goes"', "no such mutant"),
    ("promises/check", [], PROMISES, "bench: closed", "bench: open or closed", "no such question"),
    ("promises/check", [], PROMISES, "run: load and unload", "run: load", "no such test"),
    ("promises/check", [], "man/tern_loop.3", "return earlier than", "return before", "the page"),
    ("promises/check", [], PROMISES, "  - none: ", "  - none: so\n  - none: ", "does not say why"),
    ("promises/check", [], PROMISES, "  - none: ", "  - nothing\n  - none: ", "not a place"),
    ("mutants/run", ["--find"], "workpool/policy.c", "tern__store_release(&p->searching, 0)",
     "tern__store(&p->searching, 0)", "0 times, not once"),
]


def copy(root, folder):
    for name in COPIED:
        source = pathlib.Path(root, name)
        if source.is_dir():
            shutil.copytree(source, folder / name,
                            ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)


def turns_red(root, libraries, row):
    """Returns what is wrong with a check, or an empty string."""
    check, arguments, name, old, new, complaint = row
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        copy(root, folder)
        text = (folder / name).read_text(encoding="utf-8")
        if old not in text:
            return f"{name} has no {old!r} to break"
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

        words = []
        for word in arguments:
            words += {"LIBRARIES": libraries, "LIBTERN": libraries[-1:]}.get(
                word, [folder / word if (folder / word).exists() else word])
        here = pathlib.Path(__file__).resolve().parent
        script = here.parent / f"{check}.py" if "/" in check else here / f"check_{check}.py"
        status, said = common.call([sys.executable, script, folder, *words])
    if status != 1 or complaint not in said:
        return f"status {status} without {complaint!r}:\n{said}"
    return ""


def check_tally(wrong):
    """The summary of ./run test must not take a run without a log for a success."""
    tally = pathlib.Path(__file__).parent / "tally.py"
    status, said = common.call([sys.executable, tally, "plain=unit=no/such/log"])
    if status != 1 or said.splitlines()[-1] != "0 passed, 1 failed, 0 skipped":
        wrong.add(f"tally: status {status}\n{said}")


def main(root, *libraries):
    wrong = common.Complaints()

    for row in ROWS:
        fault = turns_red(root, list(libraries), row)
        if fault:
            wrong.add(f"{row[0]}, {row[2]}: {fault}")
    check_tally(wrong)
    wrong.end(f"{len(ROWS)} rules were broken and each was noticed")


main(*sys.argv[1:])
