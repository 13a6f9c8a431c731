# SPDX-License-Identifier: MIT
"""What the examples of futures and movers print, and what they leave behind."""
import errno
import os
import subprocess
import sys
import tempfile
import unittest

BLOCK = 65536
PROGRAM = ""


def crc32c(data, crc=0):
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82f63b78 if byte & 1 else 0)
        table.append(byte)
    crc ^= 0xffffffff
    for byte in data:
        crc = table[(crc ^ byte) & 0xff] ^ crc >> 8
    return crc ^ 0xffffffff


def said(*arguments):
    done = subprocess.run([PROGRAM, *arguments], stdout=subprocess.PIPE, timeout=100, check=True)
    return done.stdout.decode().splitlines()


class Deadline(unittest.TestCase):
    def moved(self, before, *patience):
        """What the program says, and what the file holds afterwards."""
        with tempfile.TemporaryDirectory(prefix="deadline-") as folder:
            path = os.path.join(folder, "file")
            with open(path, "wb") as file:
                file.write(before)
            lines = said(path, *patience)
            with open(path, "rb") as file:
                return lines, file.read()

    def test_block_is_summed_and_written_behind_itself(self):
        data = os.urandom(3 * BLOCK)
        lines, after = self.moved(data)
        self.assertEqual(lines, [f"{BLOCK} bytes written back, "
                                 f"crc32c {crc32c(data[:BLOCK]):08x}"])
        self.assertEqual(after, data[:BLOCK] * 2 + data[2 * BLOCK:])

    def test_shorter_file_is_left_alone(self):
        lines, after = self.moved(b"short")
        self.assertEqual((lines, after), ([os.strerror(errno.ENODATA)], b"short"))

    def test_what_is_given_up_is_not_written(self):
        data = os.urandom(2 * BLOCK)
        lines, after = self.moved(data, "0")
        self.assertEqual((lines, after), ([os.strerror(errno.ETIMEDOUT)], data))


class Lookup(unittest.TestCase):
    def test_all_values_come_back_and_a_missing_key_is_told(self):
        missing = os.strerror(errno.ENOENT)
        self.assertEqual(said(), ["put: all well", f"get: {missing}",
                                  f"1000 of 1000 values are back; of key 2: {missing}"])


class Mover(unittest.TestCase):
    def test_device_copies_all_and_never_has_more_than_its_ring_takes(self):
        (line,) = said()
        self.assertRegex(line, r"^64 blocks copied by the device, at most [1-4] at once$")


class Relay(unittest.TestCase):
    def test_buffers_of_256_mib_arrive_while_the_loop_answers(self):
        *sums, passed, answers = said("256", "2")
        self.assertEqual((len(sums), passed), (2, "2 of 2 buffers of 256 MiB passed on"))
        self.assertRegex(answers, r"^[1-9]\d* answers, the slowest after [\d.]+ ms; ")
        print(answers)

    def test_sums_are_those_of_what_was_filled_in(self):
        self.assertEqual(said("1", "2")[:2], [f"crc32c {crc32c(bytes([fill]) * 2 ** 20):08x}"
                                              for fill in (2, 1)])


if __name__ == "__main__":
    PROGRAM = sys.argv.pop()
    unittest.main(verbosity=2)
