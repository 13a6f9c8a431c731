#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Adds up what several runs of meson's tests found, and says why a test was skipped.

Each argument is RUN=SUITES=LOG: a name for the run, the suites it should have run (a,b,c), and the
JSON log meson left. A suite without a test counts as failed, so that none can vanish unseen.
RUN=SUITES=skip=REASON stands for a run that this machine does not allow. A program that counts its
own tests (check, unittest) is counted by them. The last line is always
"N passed, N failed, N skipped".
"""

import collections
import json
import re
import sys

CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.M)
CHECK_FAILED = re.compile(r"^[^:\n]*:\d+:[FE]:(.+?):\w+:\d+: (.*)$", re.M)
UNITTEST = re.compile(r"^Ran (\d+) tests? in [^\n]*\n+(?:OK|FAILED)(?: \((.*?)\))?$", re.M)
UNITTEST_SKIPPED = re.compile(r"\bskipped ['\"](.*)['\"]$", re.M)


class Test:
    """One meson test: how many tests it stands for, and what to say of those that did not pass."""

    def __init__(self, record):
        suite, _, self.name = record["name"].partition(" / ")
        self.suite = suite.split(":")[-1]
        self.said = record.get("stdout", "") + "\n" + record.get("stderr", "")
        self.passed = self.failed = self.skipped = 0
        self.failures, self.reasons = [], []
        if record["result"] == "SKIP":
            self.skipped = 1
            self.reasons.append((self.said.strip() or "no reason given").splitlines()[-1].strip())
            return
        self.count()
        if record["result"] in ("OK", "EXPECTEDFAIL"):
            self.passed = max(self.passed, 1 - self.skipped)
        elif not self.failed:
            self.failed = 1
            self.failures.append(record["result"].lower())

    def count(self):
        check, unittest = CHECK.search(self.said), UNITTEST.search(self.said)
        if check:
            total, failures, errors = map(int, check.groups())
            self.failed = failures + errors
            self.passed = total - self.failed
            self.failures += [": ".join(found) for found in CHECK_FAILED.findall(self.said)]
        elif unittest:
            counts = dict(re.findall(r"(\w+)=(\d+)", unittest.group(2) or ""))
            self.failed = int(counts.get("failures", 0)) + int(counts.get("errors", 0))
            self.skipped = int(counts.get("skipped", 0))
            self.passed = int(unittest.group(1)) - self.failed - self.skipped
            self.failures += re.findall(r"^(?:FAIL|ERROR): (.*)$", self.said, re.M)
            if self.skipped:
                self.reasons += UNITTEST_SKIPPED.findall(self.said) or ["no reason given"]


def read_log(path):
    with open(path, encoding="utf-8") as log:
        return [Test(json.loads(line)) for line in log]


def tally(runs):
    """Returns (run, suite) -> Counter, and the lines about what did not pass."""
    counts, failures, skips = collections.defaultdict(collections.Counter), [], []

    for argument in runs:
        run, suites, log = argument.split("=", 2)
        if log.startswith("skip="):
            skips.append(f"{run}: {log[5:]}")
            for suite in suites.split(","):
                counts[run, suite]["skipped"] += 1
            continue
        try:
            tests = read_log(log)
        except (OSError, ValueError) as error:
            tests = []
            failures.append(f"{run}: no log: {error}")
        for test in tests:
            counter = counts[run, test.suite]
            counter.update(passed=test.passed, failed=test.failed, skipped=test.skipped)
            failures += [f"{run} / {test.suite} / {test.name}: {what}" for what in test.failures]
            skips += [f"{run} / {test.suite} / {test.name}: {why}" for why in test.reasons]
        for suite in suites.split(","):
            if not counts[run, suite].total():
                counts[run, suite]["failed"] += 1
                failures.append(f"{run} / {suite}: no test ran")
    return counts, failures, skips


def main(runs):
    counts, failures, skips = tally(runs)
    total = collections.Counter()

    print("== what ran")
    for (run, suite), counter in counts.items():
        total += counter
        said = ", ".join(f"{counter[what]} {what}" for what in ("passed", "failed", "skipped")
                         if counter[what])
        print(f"   {run:10} {suite:11} {said}")
    for heading, lines in (("skipped", skips), ("failed", failures)):
        if lines:
            print(f"== {heading}")
            for line in lines:
                print(f"   {line}")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
