#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""same.py OBSERVED|BURST STOCK OURS: one source, built with ivykis' <iv_work.h> and with ours.

observed: both must print the same. burst: eight items of 100 ms on a warm pool of at most eight
threads come to their end, and how long that takes with each is told; that with ours they run at
once, test_iv_work shows without a clock.
"""

import re
import subprocess
import sys


def said(program, *arguments):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, text=True, timeout=100,
                          check=True)
    return done.stdout


def observed(stock, ours):
    expected, found = said(stock), said(ours)
    print(expected)
    if found != expected:
        print(f"ours differs:\n{found}")
    return found == expected and not re.search(r"wrong [1-9]", found)


def burst(stock, ours):
    theirs, own = int(said(stock, "burst")), int(said(ours, "burst"))
    print(f"a warm burst of 8 x 100 ms, max 8: ivykis {theirs} ms, tern {own} ms")
    return True


if __name__ == "__main__":
    sys.exit(0 if {"observed": observed, "burst": burst}[sys.argv[1]](*sys.argv[2:]) else 1)
