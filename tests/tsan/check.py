#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py ROOT COMPILER: ThreadSanitizer in a program sees the hand-over of a library built without.

Builds the library with COMPILER, with what it tells the sanitizer and without (TERN_NO_TSAN), each
as a shared and a static one, and handover.c with -fsanitize=thread. With it no crossing may be
reported; without it those that cross by atomics alone must be, else this test could not fail.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
REPORTED = 66  # the sanitizer's exit status
TRIES = 3  # whether a race without its order is seen is a matter of luck, a little


def call(*command):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    return done.returncode, done.stdout


def must(*command):
    status, said = call(*command)
    if status:
        sys.exit(f"{' '.join(map(str, command))}:\n{said}")
    return said


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(SKIPPED)


def wrapper(compiler, folder):
    """What a program with the sanitizer is started by: on some kernels it needs its addresses."""
    source, probe = folder / "probe.c", folder / "probe"
    source.write_text("int main(void) { return 0; }\n", encoding="utf-8")
    if call(compiler, "-fsanitize=thread", source, "-o", probe)[0]:
        skip(f"{compiler} has no ThreadSanitizer here")
    for words in ([], ["setarch", "-R"]):
        if (not words or shutil.which(words[0])) and call(*words, probe)[0] == 0:
            return words
    return skip("ThreadSanitizer does not start on this kernel")


def build_library(root, compiler, folder, *flags):
    """The library from its sources: objects, of them a shared one and an archive."""
    folder.mkdir()
    sources = [path for part in ("lib/base", "lib/loop", "lib/io", "lib/future", "lib/vdm",
                                 "workpool")
               for path in sorted((root / part).glob("*.c")) if path.name != "loop_ev.c"]
    for source in sources:
        must(compiler, "-std=gnu11", "-O2", "-fPIC", "-D_GNU_SOURCE", *flags, f"-I{root}/include",
             "-c", source, "-o", folder / f"{source.parent.name}-{source.stem}.o")
    objects = sorted(folder.glob("*.o"))
    must(compiler, "-shared", *objects, "-pthread", "-o", folder / "libtern.so",
         "-Wl,-soname,libtern.so")
    must("ar", "rcs", folder / "libtern.a", *objects)


def check(program, words, told):
    """Takes every crossing; returns what is wrong."""
    wrong = []
    for line in must(*words, program).splitlines():
        name, kind = line.split("\t")
        if not told and not kind:
            continue
        for _ in range(TRIES):
            status, said = call(*words, program, name)
            if status not in (0, REPORTED):
                wrong.append(f"{name}: exit status {status}\n{said}")
            if status:
                break
        if told and status == REPORTED:
            wrong.append(f"{name}: reported\n{said}")
        if not told and status == 0:
            wrong.append(f"{name}: not reported, though nobody told of the hand-over")
    return wrong


def main(root, compiler):
    root, failed = pathlib.Path(root), False
    if not shutil.which(compiler):
        skip(f"{compiler} is not installed")
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        words = wrapper(compiler, folder)
        for told, flags in ((True, ()), (False, ("-DTERN_NO_TSAN",))):
            library = folder / ("told" if told else "untold")
            build_library(root, compiler, library, *flags)
            for kind in ("libtern.so", "libtern.a"):
                program = library / f"program-{kind}"
                must(compiler, "-std=gnu11", "-O1", "-g", "-D_GNU_SOURCE", "-fsanitize=thread",
                     f"-I{root}/include", root / "tests/tsan/handover.c", library / kind,
                     f"-Wl,-rpath,{library}", "-pthread", "-o", program)
                for line in check(program, words, told):
                    failed = True
                    print(f"{kind}, {library.name}: {line}")
    if failed:
        sys.exit(1)
    print("no report where it is told, reports where it is not")


main(*sys.argv[1:])
