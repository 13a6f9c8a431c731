# SPDX-License-Identifier: MIT
"""What the server answers of itself, beneath /-/: the page, its parts, and the statistics."""
import os
import signal
import time

import base
from base import ServerCase

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(HERE, "..", "..", "examples", "fileserver", "page")
PARTS = {"/-/": ("page.html", "text/html; charset=utf-8"),
         "/-/page.css": ("page.css", "text/css; charset=utf-8"),
         "/-/page.js": ("page.js", "text/javascript; charset=utf-8")}


def source(name):
    with open(os.path.join(SOURCES, name), "rb") as file:
        return file.read()


class Own(ServerCase):
    """The served tree has a directory that would like to be in the page's place."""
    FILES = {"-/index.html": b"false", "-/page.js": b"false", "-/stats": b"false",
             "-/other": b"of the tree"}

    def test_the_page_and_its_parts_are_those_of_the_source(self):
        for target, (name, kind) in PARTS.items():
            status, fields, body = self.get(target)
            self.assertEqual((status, body), (200, source(name)), target)
            self.assertEqual(fields["Content-Type"], kind)
            self.assertEqual(fields["X-Content-Type-Options"], "nosniff")
            self.assertEqual(fields["Cache-Control"], "no-cache")
            self.assertIn("default-src 'none'; ", fields["Content-Security-Policy"])

    def test_other_spellings_and_the_tree(self):
        page = source("page.html")
        for target in ("/%2d/", "//-/", "/-/?x=1", "/-/?sha256", "http://example.org/-/"):
            self.assertEqual(self.get(target)[2], page, target)
        self.assertEqual(self.get("/-")[1]["Location"], "/-/")
        self.assertEqual(self.get("/-/other")[2], b"of the tree")
        self.assertEqual(self.server.stats()["requests"] > 0, True)
        for target in ("/-/nowhere", "/-/page", "/-/page.js/"):
            self.assertEqual(self.status(target), 404, target)

    def test_head_conditions_ranges_and_methods_as_for_a_file(self):
        for target, (name, _) in PARTS.items():
            size = len(source(name))
            got = self.get(target)[1]
            status, head, body = self.get(target, method="HEAD")
            self.assertEqual((status, body), (200, b""))
            for field in ("Content-Length", "Content-Type", "ETag", "Last-Modified"):
                self.assertEqual(got[field], head[field])
            tag, modified = got["ETag"], got["Last-Modified"]
            for field, value, status in (
                    ("If_None_Match", tag, 304), ("If_None_Match", '"x"', 200),
                    ("If_Modified_Since", modified, 304), ("If_Match", '"x"', 412)):
                answer = self.get(target, **{field: value})
                self.assertEqual(answer[0], status, (target, field))
                if status == 304:
                    self.assertEqual((answer[1]["ETag"], answer[2]), (tag, b""))
            status, fields, body = self.get(target, Range="bytes=5-9")
            self.assertEqual((status, body), (206, source(name)[5:10]))
            self.assertEqual(fields["Content-Range"], f"bytes 5-9/{size}")
            self.assertEqual(self.status(target, Range=f"bytes={size}-"), 416)
            for method in ("POST", "PUT", "DELETE", "OPTIONS"):
                status, fields, _ = self.get(target, method=method)
                self.assertEqual((status, fields["Allow"]), (405, "GET, HEAD"))

    def test_parts_have_tags_of_their_own(self):
        tags = {self.get(target)[1]["ETag"] for target in PARTS}
        self.assertEqual(len(tags), len(PARTS))

    def test_the_page_is_counted_and_takes_no_work(self):
        first = self.server.stats()
        sizes = [len(self.get(target)[2]) for target in PARTS]
        last = self.server.stats()
        self.assertEqual(last["requests"], first["requests"] + len(sizes) + 1)
        self.assertGreater(last["bytes"], first["bytes"] + sum(sizes))
        self.assertEqual(last["work"], first["work"])


class Lag(ServerCase):
    def test_a_loop_that_is_away_is_late_in_each_second_of_it(self):
        """The server is stopped as a whole; how long, this clock tells. Time itself is tested."""
        process = self.server.process
        longest = self.server.stats()["lag"]["longest_us"]
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        begin = time.monotonic()
        signal.sigtimedwait([], 2.2)
        away_us = (time.monotonic() - begin) * 1e6
        process.send_signal(signal.SIGCONT)
        late_us = away_us - 10000

        def late():
            return [us for us in self.server.stats()["lag"]["per_second_us"] if us >= late_us]
        self.until("the lag is not told", lambda: len(late()) >= 3)
        lag = self.server.stats()["lag"]
        self.assertGreaterEqual(lag["longest_us"], max(longest, late_us))
        self.assertEqual(max(lag["per_second_us"]), lag["longest_us"])

    def test_each_second_that_is_over_has_its_lag(self):
        def told():
            stats = self.server.stats()
            passed = stats["uptime_us"] // 1000000
            return len(stats["lag"]["per_second_us"]) - min(60, passed) in (-1, 0)
        self.until("seconds are missing", told)  # the timer itself may have been late
        stats = self.server.stats()
        self.assertLessEqual(max(stats["lag"]["per_second_us"], default=0),
                             stats["lag"]["longest_us"])
        self.assertAlmostEqual(stats["started_unix_us"] / 1e6 + stats["uptime_us"] / 1e6,
                               time.time(), delta=60)


if __name__ == "__main__":
    base.main()
