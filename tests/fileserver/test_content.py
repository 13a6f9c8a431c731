# SPDX-License-Identifier: MIT
"""What a file server answers: files, ranges, conditions, digests, listings, refusals."""
import email.utils
import hashlib
import json
import os
import urllib.parse

import base
from base import CHUNK, ServerCase, content
from demo_server import Links

SIZES = [0, 1, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1, 5 * CHUNK + 77]
ODD = ["with space", "per%cent%41", "a&b<c>\"d'", "ques?tion", "ha#sh", "new\nline", "-dash", "..x",
       "c:colon", "\u65e5\u672c", "n" * 255, "%2e%2e"]
WHOLE = content(3 * CHUNK + 5)
SIZE = len(WHOLE)


class Content(ServerCase):
    FILES = {**{f"size-{size}": content(size) for size in SIZES},
             **{f"odd/{name}": name.encode() for name in ODD},
             "whole": WHOLE, "page.html": b"<p>", "data.json": b"{}", "sub/deep/file": b"deep"}

    def test_files_of_all_sizes_come_whole(self):
        for size in SIZES:
            status, fields, body = self.get(f"/size-{size}")
            self.assertEqual((status, body), (200, content(size)), size)
            self.assertEqual(fields["Content-Length"], str(size))

    def test_head_tells_what_get_would_without_a_body(self):
        for target in ("/whole", "/size-0", "/sub/", "/whole?sha256", "/nowhere"):
            got, head = self.get(target), self.get(target, method="HEAD")
            self.assertEqual(got[0], head[0], target)
            self.assertEqual(head[2], b"")
            for name in ("Content-Length", "ETag", "Last-Modified", "Content-Type"):
                self.assertEqual(got[1][name], head[1][name], (target, name))

    def test_odd_names(self):
        for name in ODD:
            self.assertEqual(self.get("/odd/" + urllib.parse.quote(name))[2], name.encode())

    def test_types(self):
        for target, kind in (("/page.html", "text/html; charset=utf-8"),
                             ("/data.json", "application/json"),
                             ("/whole", "application/octet-stream")):
            self.assertEqual(self.get(target)[1]["Content-Type"], kind)

    def test_the_absolute_form_of_a_target(self):
        self.assertEqual(self.get("http://example.org/sub/deep/file")[2], b"deep")
        self.assertEqual(self.status("http://example.org"), 200)

    def test_digests(self):
        for name in [f"size-{size}" for size in SIZES] + ["whole"]:
            with open(os.path.join(self.root, name), "rb") as file:
                want = hashlib.sha256(file.read()).hexdigest() + "\n"
            self.assertEqual(self.get(f"/{name}?sha256")[2].decode(), want)
            self.assertEqual(self.get(f"/{name}?sha256=1")[2].decode(), want)
        self.assertEqual(self.status("/nowhere?sha256"), 404)
        self.assertEqual(self.status("/sub/?sha256"), 403)

    def test_a_digest_of_several_slices(self):
        self.sparse("sparse", (20 << 20) + 3)
        want = hashlib.sha256(bytes((20 << 20) + 3)).hexdigest() + "\n"
        self.assertEqual(self.get("/sparse?sha256")[2].decode(), want)

    def test_other_methods_are_refused(self):
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"):
            status, fields, _ = self.get("/whole", method=method)
            self.assertEqual((status, fields["Allow"]), (405, "GET, HEAD"), method)

    def test_http_1_0_closes(self):
        answer = self.talk(b"GET /sub/deep/file HTTP/1.0\r\n\r\n")
        self.assertTrue(answer.endswith(b"\r\n\r\ndeep"), answer)

    def test_requests_sent_together_are_answered_in_order(self):
        get = b"GET /%s HTTP/1.1\r\nHost: a\r\n%s\r\n"
        names = [b"size-1000", b"whole", b"sub/deep/file", b"whole?sha256", b"-/ping", b"nowhere"]
        answer = self.talk(b"".join(get % (name, b"") for name in names) +
                           get % (b"page.html", b"Connection: close\r\n"))
        at = 0
        for part in (content(1000), WHOLE, b"deep", hashlib.sha256(WHOLE).hexdigest().encode(),
                     b"pong", b"404 Not Found", b"<p>"):
            at = answer.index(b"\r\n\r\n" + part, at)
        self.assertEqual(answer.count(b"HTTP/1.1 "), 7)

    def test_stats_add_up(self):
        before = self.server.stats()
        self.get("/whole")
        after = self.server.stats()
        self.assertEqual(after["requests"] - before["requests"], 2)
        self.assertGreater(after["bytes"] - before["bytes"], SIZE)
        self.assertGreater(after["work"]["done"], before["work"]["done"])
        self.assertEqual(after["reads"]["bytes"] - before["reads"]["bytes"], SIZE)
        self.assertEqual(after["reads"]["read"]["count"] - before["reads"]["read"]["count"], 4)
        self.assertEqual((after["reads"]["outstanding"], after["reads"]["failed"]), (0, 0))
        self.assertLessEqual(after["lag"]["last_us"], after["lag"]["longest_us"])
        if after["files"]:
            self.pool_adds_up(before["files"], after["files"])
        status, fields, body = self.get("/-/stats", method="HEAD")
        self.assertEqual((status, fields["Content-Type"], body), (200, "application/json", b""))

    def pool_adds_up(self, before, after):
        self.assertEqual(after["running"], 0)
        self.assertIn(after["sample"], (1, 16))
        for name in ("searches_paid", "searches_failed"):
            self.assertGreaterEqual(after[name], before[name])
        for name in ("wait", "run"):
            times = after[name]
            self.assertGreaterEqual(times["count"], before[name]["count"])
            self.assertGreater(times["measured"], 0)
            self.assertLessEqual(times["measured"], times["count"])
            self.assertLessEqual(times["p50_us"], times["p90_us"])
            self.assertLessEqual(times["p90_us"], times["p99_us"])
            self.assertLessEqual(times["p99_us"], times["longest_us"])
            self.assertGreaterEqual(times["sum_us"], times["longest_us"])


class ByPool(Content):
    """The bodies are read by threads."""
    OPTIONS = ("--pool",)

    def test_the_engine_is_the_one_asked_for(self):
        self.assertEqual(self.server.stats()["reads"]["engine"], "pool")


class Buffered(Content):
    OPTIONS = ("--buffered",)


class Inline(Content):
    """The same code with no threads at all."""
    OPTIONS = ("--inline",)

    def test_there_are_no_pools(self):
        stats = json.loads(self.get("/-/stats")[2])
        self.assertIsNone(stats["files"])
        self.assertIsNone(stats["digests"])


class Ranges(ServerCase):
    """The whole is large enough to be read directly, so in blocks."""
    FILES = {"whole": WHOLE, "empty": b""}

    def test_one_range(self):
        last = SIZE - 1
        for form, first, end in (
                ("0-0", 0, 0), ("0-", 0, last), ("1-9", 1, 9), (f"{last}-", last, last),
                (f"{last}-{last + 100}", last, last), ("-1", last, last), (f"-{SIZE}", 0, last),
                (f"-{SIZE + 1}", 0, last), (f"{CHUNK - 1}-{CHUNK}", CHUNK - 1, CHUNK),
                (f"5-{2 * CHUNK + 4}", 5, 2 * CHUNK + 4), (f"0-{10 ** 30}", 0, last)):
            status, fields, body = self.get("/whole", Range="bytes=" + form)
            self.assertEqual(status, 206, form)
            self.assertEqual(body, WHOLE[first:end + 1], form)
            self.assertEqual(fields["Content-Range"], f"bytes {first}-{end}/{SIZE}")

    def test_ranges_around_the_borders_of_blocks_and_chunks(self):
        borders = [at + near for at in (0, 512, 4096, CHUNK, 2 * CHUNK, 3 * CHUNK)
                   for near in (-1, 0, 1)]
        for first in borders:
            for end in borders:
                if 0 <= first <= end < SIZE:
                    _, _, body = self.get("/whole", Range=f"bytes={first}-{end}")
                    self.assertEqual(body, WHOLE[first:end + 1], (first, end))

    def test_outside(self):
        for target, size, form in (("/whole", SIZE, f"{SIZE}-"), ("/whole", SIZE, f"{10 ** 30}-"),
                                   ("/whole", SIZE, "-0"), ("/empty", 0, "0-"),
                                   ("/empty", 0, "-5")):
            status, fields, _ = self.get(target, Range="bytes=" + form)
            self.assertEqual((status, fields["Content-Range"]), (416, f"bytes */{size}"), form)

    def test_what_is_not_one_range_is_answered_with_the_whole(self):
        for form in ("bytes=0-1,5-6", "bytes=", "bytes=-", "bytes=5-1", "bytes=a-b", "bytes=1",
                     "bytes=1-2x", "bytes=--1", "lines=1-2", "bytes 1-2", "bytes=0x1-0x2"):
            status, _, body = self.get("/whole", Range=form)
            self.assertEqual((status, len(body)), (200, SIZE), form)

    def test_head_takes_no_ranges(self):
        status, fields, _ = self.get("/whole", method="HEAD", Range="bytes=0-1")
        self.assertEqual((status, fields["Content-Length"]), (200, str(SIZE)))


class RangesByPool(Ranges):
    OPTIONS = ("--pool",)


class RangesInline(Ranges):
    OPTIONS = ("--inline",)


class Conditions(ServerCase):
    FILES = {"file": b"content"}
    MODIFIED = 1000000000

    def setUp(self):
        os.utime(os.path.join(self.root, "file"), (self.MODIFIED, self.MODIFIED))
        self.until("the tag stays weak", lambda: self.tag().startswith('"'))

    def tag(self):
        return self.get("/file", method="HEAD")[1]["ETag"]

    def date(self, offset=0):
        return email.utils.formatdate(self.MODIFIED + offset, usegmt=True)

    def test_last_modified(self):
        self.assertEqual(self.get("/file")[1]["Last-Modified"], self.date())

    def test_tags(self):
        tag = self.tag()
        for field, value, status in (
                ("If_None_Match", tag, 304), ("If_None_Match", "W/" + tag, 304),
                ("If_None_Match", f'"x", W/"y" , {tag}', 304), ("If_None_Match", "*", 304),
                ("If_None_Match", '"x"', 200), ("If_None_Match", "garbage", 200),
                ("If_Match", tag, 200), ("If_Match", "*", 200), ("If_Match", f'"x",{tag}', 200),
                ("If_Match", '"x"', 412), ("If_Match", "W/" + tag, 412), ("If_Match", '"', 412)):
            self.assertEqual(self.status("/file", **{field: value}), status, (field, value))

    def test_dates(self):
        for field, offset, status in (
                ("If_Modified_Since", 0, 304), ("If_Modified_Since", 1, 304),
                ("If_Modified_Since", -1, 200), ("If_Unmodified_Since", 0, 200),
                ("If_Unmodified_Since", 1, 200), ("If_Unmodified_Since", -1, 412)):
            self.assertEqual(self.status("/file", **{field: self.date(offset)}), status,
                             (field, offset))
        for value in ("Sunday, 09-Sep-01 01:46:40 GMT", "Sun Sep  9 01:46:40 2001"):
            self.assertEqual(self.status("/file", If_Modified_Since=value), 304, value)
        for value in ("yesterday", "", "Sun, 09 Sep 2001 01:46:40 CET"):
            self.assertEqual(self.status("/file", If_Modified_Since=value), 200, value)

    def test_tags_go_before_dates(self):
        tag = self.tag()
        self.assertEqual(self.status("/file", If_None_Match='"x"',
                                     If_Modified_Since=self.date()), 200)
        self.assertEqual(self.status("/file", If_Match=tag,
                                     If_Unmodified_Since=self.date(-1)), 200)
        self.assertEqual(self.status("/file", If_Match='"x"', If_None_Match=tag), 412)

    def test_not_modified_has_no_body_and_the_same_tag(self):
        tag = self.tag()
        status, fields, body = self.get("/file", If_None_Match=tag)
        self.assertEqual((status, fields["ETag"], body), (304, tag, b""))
        self.assertIn(fields["Content-Length"], (None, "7"))

    def test_if_range(self):
        tag = self.tag()
        for value, status in ((tag, 206), ('"x"', 200), ("W/" + tag, 200), (self.date(), 206),
                              (self.date(1), 200), ("nonsense", 200)):
            self.assertEqual(self.status("/file", Range="bytes=1-2", If_Range=value), status, value)

    def test_a_changed_file_has_another_tag(self):
        tag = self.tag()
        self.write("file", b"CONTENT")
        os.utime(os.path.join(self.root, "file"), (self.MODIFIED, self.MODIFIED))
        self.assertEqual(self.status("/file", If_None_Match=tag), 200)
        self.assertEqual(self.status("/file", Range="bytes=1-2", If_Range=tag), 200)


class Listings(ServerCase):
    FILES = {**{f"odd/{name}": b"" for name in ODD}, "odd/sub/file": b"", "a&<b>/file": b"x"}

    def test_names_are_escaped_and_sorted(self):
        page = Links(self.get("/odd/")[2].decode())
        want = sorted(os.fsencode(name) for name in ODD) + [b"sub/"]
        got = [urllib.parse.unquote_to_bytes(link) for link in page.links]
        self.assertEqual(got, [b"../"] + sorted(want))
        for name in ODD:
            self.assertIn(name, page.text)
        page = Links(self.get("/a%26%3Cb%3E/")[2].decode())
        self.assertIn("/a&<b>/", page.text)
        self.assertEqual(page.links, ["../", "file"])

    def test_the_top_has_no_way_up(self):
        self.assertEqual(Links(self.get("/")[2].decode()).links, ["a%26%3Cb%3E/", "odd/"])

    def test_a_directory_is_redirected_to_its_slash(self):
        for target, location in (("/odd", "/odd/"), ("/odd/sub", "/odd/sub/"), ("//odd", "/odd/"),
                                 ("/%2fodd", "/odd/"), ("/a&<b>", "/a%26%3Cb%3E/")):
            status, fields, _ = self.get(target)
            self.assertEqual((status, fields["Location"]), (301, location))

    def test_an_empty_directory(self):
        os.makedirs(os.path.join(self.root, "none"), exist_ok=True)
        self.assertEqual(Links(self.get("/none/")[2].decode()).links, ["../"])
        os.rmdir(os.path.join(self.root, "none"))


class Refusals(ServerCase):
    FILES = {"file": b"x", "sub/file": b"y", "%41": b"z"}

    def test_nothing_outside_the_root_is_served(self):
        top = os.path.dirname(self.root)
        secret = os.path.join(top, "secret-" + os.path.basename(self.root))
        with open(secret, "w", encoding="ascii") as file:
            file.write("secret")
        self.addCleanup(os.unlink, secret)
        for name, to in (("link", secret), ("up", ".."), ("magic", "/proc/self/cwd")):
            os.symlink(to, os.path.join(self.root, name))
        name = os.path.basename(secret)
        for target in (f"/../{name}", f"/%2e%2e/{name}", f"/..%2f{name}", f"/sub/../../{name}",
                       f"/{secret}", f"/{secret.replace('/', '%2f')}", "/link", f"/up/{name}",
                       "/magic/", f"/%252e%252e/{name}", "/up", "/up/", f"/sub/..%2f..%2f{name}"):
            status, _, body = self.get(target)
            self.assertIn(status, (403, 404), target)
            self.assertNotIn(b"secret", body)

    def test_ways_that_stay_inside_are_open(self):
        os.symlink("sub/../file", os.path.join(self.root, "inside"))
        for target, body in (("/sub/../file", b"x"), ("/inside", b"x"), ("/./file", b"x"),
                             ("//file", b"x"), ("/%2541", b"z"), ("/sub//file", b"y")):
            self.assertEqual(self.get(target)[::2], (200, body), target)

    def test_what_is_not_a_file_is_forbidden(self):
        os.mkfifo(os.path.join(self.root, "fifo"))
        self.assertEqual(self.status("/fifo"), 403)
        self.assertEqual(self.status("/fifo?sha256"), 403)

    def test_what_is_not_there_is_not_found(self):
        for target in ("/nowhere", "/file/", "/file/deeper", "/" + "n" * 300, "/sub/nowhere"):
            self.assertEqual(self.status(target), 404, target)

    def test_broken_escapes_are_bad_requests(self):
        for target in ("/%", "/%4", "/%zz", "/file%00", "/%00"):
            self.assertEqual(self.status(target), 400, target)


if __name__ == "__main__":
    base.main()
