# SPDX-License-Identifier: MIT
"""The log of examples/log.c: what it has acknowledged it has, in order, and nothing that is torn."""
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest

HEAD = struct.Struct("<8sIIQQ")
BLOCK = 4096
BINARY = ""


class Log(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="log-")
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "log")

    def run_log(self, *arguments, lines=b""):
        done = subprocess.run([BINARY, *arguments], input=lines, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=100)
        return done.returncode, done.stdout, done.stderr

    def keep(self, lines):
        status, said, errors = self.run_log(self.path, lines=lines)
        self.assertEqual((status, errors), (0, b""))
        return [int(line.split()[1]) for line in said.splitlines()]

    def dump(self):
        status, lines, errors = self.run_log("--dump", self.path)
        self.assertEqual((status, errors), (0, b""))
        return lines

    def groups(self):
        """Where each group starts, and its head."""
        found, offset = [], 0
        with open(self.path, "rb") as file:
            while True:
                file.seek(offset)
                head = HEAD.unpack(file.read(HEAD.size))
                if not head[2]:
                    return found
                found.append((offset, head))
                offset += -(-head[2] // BLOCK) * BLOCK

    def spoil(self, offset):
        with open(self.path, "r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 1]))

    def test_lines_come_back_in_order_and_numbers_go_on(self):
        lines = b"".join(b"line %d\n" % n for n in range(20000))
        self.assertEqual(self.keep(lines), list(range(1, 20001)))
        self.assertEqual(self.keep(b""), [])
        self.assertEqual(self.keep(b"\n\nlast, without an end"), [20001, 20002, 20003])
        self.assertEqual(self.dump(), lines + b"\n\nlast, without an end\n")

    def test_many_lines_share_a_write(self):
        self.keep(b"x\n" * 100000)
        self.assertLess(len(self.groups()), 20)

    def test_what_is_torn_is_gone_and_the_log_goes_on_there(self):
        for number in range(3):
            self.keep(b"%d\n" % number)
        offset, head = self.groups()[-1]
        for at in range(head[2]):
            if at % 7 == 0:
                self.spoil(offset + at)
                self.assertEqual(self.dump(), b"0\n1\n", at)
                self.spoil(offset + at)
        self.assertEqual(self.dump(), b"0\n1\n2\n")
        self.spoil(offset + HEAD.size)
        self.assertEqual(self.keep(b"new\n"), [3])
        self.assertEqual(self.dump(), b"0\n1\nnew\n")

    def test_what_was_left_behind_is_not_taken_for_a_successor(self):
        for number in range(5):
            self.keep(b"%d\n" % number)
        offset, _ = self.groups()[2]
        self.spoil(offset)
        self.assertEqual(self.keep(b"new\n"), [3])
        self.assertEqual(len(self.groups()), 5)
        self.assertEqual(self.dump(), b"0\n1\nnew\n")

    def test_what_was_acknowledged_survives_a_kill(self):
        kept = 0
        for number in range(5):
            with subprocess.Popen([BINARY, self.path], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE) as log:
                for line in range(10):
                    log.stdin.write(b"%d of %d\n" % (line, number))
                    log.stdin.flush()
                    self.assertEqual(log.stdout.readline(), b"durable %d\n" % (kept + line + 1))
                log.kill()
            kept += 10
        self.assertEqual(self.dump(), b"".join(
            b"%d of %d\n" % (line, number) for number in range(5) for line in range(10)))

    def test_what_is_no_log_stays_as_it_is(self):
        with open(self.path, "wb") as file:
            file.write(b"something else\n" * 1000)
        for arguments in ([self.path], ["--dump", self.path]):
            status, _, errors = self.run_log(*arguments, lines=b"x\n")
            self.assertEqual((status, errors), (1, b"log: the log: Invalid argument\n"))
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), b"something else\n" * 1000)

    def test_a_full_log_says_so_and_keeps_what_it_has(self):
        lines = (b"y" * 99 + b"\n") * 700000
        status, said, errors = self.run_log(self.path, lines=lines)
        self.assertEqual((status, errors), (1, b"log: the log: No space left on device\n"))
        kept = len(said.splitlines())
        self.assertGreater(kept, 600000)
        self.assertEqual(self.dump(), lines[:100 * kept])
        self.assertEqual(self.run_log(self.path, lines=b"z" * 70000)[0], 1)

    def test_writers_are_measured(self):
        for writers in ("1", "16", "256"):
            status, said, _ = self.run_log(self.path, "--writers", writers, "--seconds", "1")
            self.assertEqual(status, 0)
            figures = json.loads(said)
            self.assertEqual(figures["writers"], int(writers))
            self.assertGreater(figures["appends_per_s"], 0)
            self.assertLessEqual(figures["p50_us"], figures["p99_us"])
        numbers = [int(line) for line in self.dump().split()]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))

    def test_wrong_use_is_told(self):
        self.assertEqual(self.run_log()[0], 2)
        self.assertEqual(self.run_log(self.path, "--writers", "0", "--seconds", "1")[0], 1)
        self.assertEqual(self.run_log("/nowhere/log")[0], 1)


if __name__ == "__main__":
    BINARY = sys.argv.pop(1)
    unittest.main()
