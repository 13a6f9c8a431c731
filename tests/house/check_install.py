#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_install.py ROOT BUILD DOCS MESON: a program finds the installed library through pkg-config.

Installs into an empty folder, compiles the README's example with nothing but what pkg-config says,
shared and static, and runs both; the same for the drop-ins, <iv_work.h> with the example of its
page, if it was built. Unless DOCS is "no-docs", every page and every function's link must be there
too.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import check_readme
import common
import headers
import pages

ASIO_EXAMPLE = """
#include <stdio.h>
#include <ucw/lib.h>
#include <ucw/asio.h>
#ifndef TERN_COMPAT_UCW_ASIO_H
#error not the drop-in
#endif

int main(void)
{
	struct asio_queue q = {.buffer_size = 100};
	struct asio_request *r;
	uns fd = 0;

	asio_init_queue(&q);
	r = asio_get(&q);
	r->op = ASIO_READ;
	r->fd = (int)fd;
	r->len = 100;
	asio_submit(r);
	r = asio_wait(&q);
	printf("%d\\n", r->status);
	asio_put(r);
	asio_cleanup_queue(&q);
	return 0;
}
"""


def compile_and_run(folder, environment, library, static):
    """Returns what went wrong with the example in folder/example.c, or an empty string."""
    status, flags = common.call(["pkg-config", *static, "--cflags", "--libs", library],
                                env=environment)
    if status:
        return flags
    program = folder / "example"
    status, said = common.call([*common.compiler(), *static_flags(static), folder / "example.c",
                                "-o", program, *flags.split()])
    if status:
        return said
    _, said = common.call([program], env=environment, timeout=20, stdin=subprocess.DEVNULL)
    expected = (folder / "expected").read_text(encoding="utf-8")
    return "" if said == expected else f"it printed {said!r}"


def static_flags(static):
    return ["-static"] if static else []


def drop_in_example(root):
    """The example of tern_compat(7), which must find the drop-in's header, and what it prints."""
    source = pages.programs(pathlib.Path(root, "man/tern_compat.7"))[0]
    return source + "#ifndef TERN_COMPAT_IV_WORK_H\n#error not the drop-in\n#endif\n", "5050\n"


def check_manual(root, folder, wrong):
    manual = {path.name for path in folder.glob("to/**/man/man*/*")}

    for page in pages.paths(root):
        if page.name not in manual:
            wrong.add(f"{page.name} was not installed")
    for function in sorted(headers.functions(root)):
        if f"{function}.3" not in manual:
            wrong.add(f"{function}.3 was not installed")


def main(root, build, docs, meson):
    wrong = common.Complaints()

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        status, said = common.call([meson, "install", "-C", build, "--no-rebuild",
                                    "--destdir", folder / "to"])
        if status:
            wrong.add(said)
        config = next(folder.glob("to/**/tern-ev.pc"), None)
        if not config:
            wrong.add("no tern-ev.pc was installed")
            wrong.end("")
        environment = dict(os.environ, PKG_CONFIG_PATH=str(config.parent),
                           PKG_CONFIG_SYSROOT_DIR=str(folder / "to"),
                           LD_LIBRARY_PATH=str(config.parent.parent))
        examples = [("tern-ev", *check_readme.example(root)), ("tern-compat", ASIO_EXAMPLE, "0\n")]
        if any(folder.glob("to/**/iv_work.h")):
            examples.append(("tern-compat", *drop_in_example(root)))
        for library, source, expected in examples:
            (folder / "example.c").write_text(source, encoding="utf-8")
            (folder / "expected").write_text(expected, encoding="utf-8")
            for static in ([], ["--static"]):
                fault = compile_and_run(folder, environment, library, static)
                if fault:
                    wrong.add(f"{library}, {' '.join(static) or 'shared'}: {fault}")

        if docs != "no-docs":
            check_manual(root, folder, wrong)
    wrong.end("the examples run with the installed library, shared and static")


main(*sys.argv[1:])
