# SPDX-License-Identifier: MIT
"""PUT: what is acknowledged is there, whole; what goes wrong leaves nothing and changes nothing."""
import concurrent.futures
import os
import resource
import signal
import socket
import subprocess
import tempfile
import unittest

import base
from base import CHUNK, ServerCase
from demo_server import Server

BUFFER = 64 << 10
SIZES = [0, 1, 511, 512, 4095, 4096, 4097, BUFFER - 1, BUFFER, BUFFER + 1, CHUNK + 1,
         (1 << 20) + 1, 5000001]
BLOB = base.content(6 << 20)
PUT = b"PUT /%s HTTP/1.1\r\nHost: a\r\n%s\r\n"


def content(size, seed=0):
    """Bytes that differ for each seed; a slice, for it is often asked for."""
    return BLOB[8 * seed:8 * seed + size]


class PutCase(ServerCase):
    OPTIONS = ("--writable",)

    def put(self, target, body=b"", **fields):
        """Status and header fields of the answer; body may be an iterator, for chunks."""
        chunked = not isinstance(body, bytes)
        fields = {name.replace("_", "-"): text for name, text in fields.items()}
        if chunked:
            fields["Transfer-Encoding"] = "chunked"
        connection = self.server.connect()
        try:
            connection.request("PUT", target, body, fields, encode_chunked=chunked)
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.headers
        finally:
            connection.close()

    def file(self, name):
        with open(os.path.join(self.root, name), "rb") as file:
            return file.read()

    def names(self):
        return sorted(os.listdir(self.root))


class Whole(PutCase):
    def test_files_of_all_sizes_are_created_and_replaced(self):
        for size in SIZES:
            for status, seed in ((201, 1), (204, 2)):
                name = f"size-{size}"
                self.assertEqual(self.put("/" + name, content(size, seed))[0], status, size)
                self.assertEqual(self.file(name), content(size, seed), size)
                self.assertEqual(self.get("/" + name)[2], content(size, seed), size)

    def test_a_body_in_chunks(self):
        for sizes in ((), (1,), (100000, 1, 70000), (BUFFER, BUFFER), (4096,)):
            chunks = [content(size, size) for size in sizes]
            self.assertIn(self.put("/chunks", iter(chunks))[0], (201, 204))
            self.assertEqual(self.file("chunks"), b"".join(chunks))

    def test_many_at_a_time(self):
        """More than the queue takes, so that connections have to sleep."""
        bodies = {f"many-{number}": content((1 << 20) + 17 * number, number)
                  for number in range(40)}
        with concurrent.futures.ThreadPoolExecutor(len(bodies)) as pool:
            statuses = list(pool.map(lambda item: self.put("/" + item[0], item[1])[0],
                                     bodies.items()))
        self.assertEqual(set(statuses), {201})
        for name, body in bodies.items():
            self.assertEqual(self.file(name), body, name)
            self.assertEqual(self.get("/" + name)[2], body, name)
        self.until_settled()

    def test_on_one_connection(self):
        connection = self.server.connect()
        self.addCleanup(connection.close)
        for number in range(20):
            connection.request("PUT", "/again", content(3000 * number, number))
            self.assertIn(connection.getresponse().read(), (b"201 Created\n", b""))
            connection.request("GET", "/again")
            self.assertEqual(connection.getresponse().read(), content(3000 * number, number))

    def test_the_client_may_close_his_side_after_the_body(self):
        peer = self.peer(PUT % (b"closed", b"Content-Length: 100000\r\n") + content(100000))
        peer.shutdown(socket.SHUT_WR)
        self.assertIn(b"201", peer.recv(1000))
        self.assertEqual(self.file("closed"), content(100000))

    def test_the_mode_of_a_file_stays(self):
        path = self.write("mode", b"old")
        os.chmod(path, 0o640)
        self.assertEqual(self.put("/mode", b"new")[0], 204)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o640)

    def test_the_queue_is_told_of(self):
        before = self.server.stats()["writes"]
        self.put("/told", content(BUFFER + 1))
        after = self.server.stats()["writes"]
        self.assertEqual(after["bytes"] - before["bytes"], BUFFER + 1)
        self.assertEqual(after["write"]["count"] - before["write"]["count"], 2)
        self.assertEqual(after["sync"]["count"] - before["sync"]["count"], 1)
        self.assertEqual((after["outstanding"], after["writebacks"], after["write_errors"]),
                         (0, 0, 0))


class WholeByPool(Whole):
    OPTIONS = ("--writable", "--pool")

    def test_the_engine_is_the_one_asked_for(self):
        self.assertEqual(self.server.stats()["writes"]["engine"], "pool")


class WholeInline(Whole):
    OPTIONS = ("--writable", "--inline")


class WholeBuffered(Whole):
    OPTIONS = ("--writable", "--buffered")


class InMemory(Whole):
    """A file system with rules of its own for direct I/O."""
    @classmethod
    def setUpClass(cls):
        if not os.access("/dev/shm", os.W_OK):
            raise unittest.SkipTest("there is no /dev/shm")
        saved, tempfile.tempdir = tempfile.tempdir, "/dev/shm"
        try:
            super().setUpClass()
        finally:
            tempfile.tempdir = saved


class Refused(PutCase):
    FILES = {"file": b"as it was", "sub/file": b"x"}

    def test_without_the_flag_no_file_is_taken(self):
        with Server(base.BINARY, self.root) as server:
            status, fields, _ = server.get("/file", method="PUT")
            self.assertEqual((status, fields["Allow"]), (405, "GET, HEAD"))
            self.assertIsNone(server.stats()["writes"])

    def test_the_methods_that_are_allowed(self):
        status, fields, _ = self.get("/file", method="POST")
        self.assertEqual((status, fields["Allow"]), (405, "GET, HEAD, PUT"))
        for target in ("/-/", "/-/stats", "/-/ping", "/-/page.js"):
            status, fields = self.put(target, b"mine")
            self.assertEqual((status, fields["Allow"]), (405, "GET, HEAD"), target)

    def test_what_cannot_be_put(self):
        os.symlink("file", os.path.join(self.root, "link"))
        os.mkfifo(os.path.join(self.root, "fifo"))
        before = self.names()
        for target, status in (
                ("/nowhere/file", 404), ("/file/inner", 404), ("/" + "n" * 300, 404),
                ("/", 409), ("/sub", 409), ("/sub/", 409), ("/sub/..", 409), ("/new/", 409),
                ("/link", 409), ("/fifo", 409), ("/%zz", 400), ("/a%00b", 400)):
            for body in (b"", b"body", content(3 * BUFFER)):
                self.assertEqual(self.put(target, body)[0], status, target)
        self.assertEqual(self.put("/file", b"part", Content_Range="bytes 0-3/9")[0], 400)
        self.assertEqual(self.names(), before)
        self.assertEqual(self.file("file"), b"as it was")
        self.until_settled()

    def test_nothing_outside_the_root_is_written(self):
        with tempfile.TemporaryDirectory(prefix="outside-") as outside:
            name = os.path.basename(outside)
            os.symlink(outside, os.path.join(self.root, "out"))
            for target in (f"/../{name}/x", f"/%2e%2e/{name}/x", f"/..%2f{name}%2fx", "/out/x",
                           f"/sub/../../{name}/x", "/../x", "/out/../x"):
                self.assertIn(self.put(target, b"x")[0], (403, 404), target)
            self.assertEqual(os.listdir(outside), [])
            self.assertFalse(os.path.exists(os.path.join(self.root, "..", "x")))
            self.assertEqual(self.put(f"/{outside}/x", b"x")[0], 404)

    def test_ways_that_stay_inside_are_open(self):
        for target in ("/sub/../inside", "//inside", "/./inside", "/%69nside"):
            self.assertIn(self.put(target, target.encode())[0], (201, 204), target)
            self.assertEqual(self.file("inside"), target.encode())

    def test_who_asks_first_is_answered_first(self):
        ask = b"Content-Length: 5\r\nExpect: 100-continue\r\n"
        peer = self.peer(PUT % (b"sub", ask))
        self.assertIn(b"409 Conflict", peer.recv(1000))
        peer = self.peer(PUT % (b"file", ask + b"Content-Range: bytes 0-4/9\r\n"))
        self.assertIn(b"400 Bad Request", peer.recv(1000))
        peer = self.peer(PUT % (b"asked", ask))
        self.assertIn(b"100 Continue", peer.recv(1000))
        peer.sendall(b"12345")
        self.assertIn(b"201 Created", peer.recv(1000))
        self.assertEqual(self.file("asked"), b"12345")

    def test_after_a_refusal_the_connection_goes_on(self):
        connection = self.server.connect()
        self.addCleanup(connection.close)
        for status in (409, 409):
            connection.request("PUT", "/sub", content(BUFFER))
            answer = connection.getresponse()
            self.assertEqual((answer.status, answer.read()), (status, b"409 Conflict\n"))


class Conditions(PutCase):
    def tag(self, name):
        self.until("the tag stays weak",
                   lambda: self.get(name, method="HEAD")[1]["ETag"].startswith('"'))
        return self.get(name, method="HEAD")[1]["ETag"]

    def test_only_what_is_not_there(self):
        self.assertEqual(self.put("/once", b"1", If_None_Match="*")[0], 201)
        self.assertEqual(self.put("/once", b"2", If_None_Match="*")[0], 412)
        self.assertEqual(self.file("once"), b"1")

    def test_only_what_is_known(self):
        self.assertEqual(self.put("/known", b"1", If_Match="*")[0], 412)
        self.put("/known", b"1")
        tag = self.tag("/known")
        self.assertEqual(self.put("/known", b"2", If_Match='"x"')[0], 412)
        self.assertEqual(self.put("/known", b"2", If_None_Match=tag)[0], 412)
        self.assertEqual(self.put("/known", b"2", If_Match=tag)[0], 204)
        self.assertEqual(self.put("/known", b"3", If_Match=tag)[0], 412)
        self.assertEqual(self.put("/known", b"4", If_Match="*")[0], 204)
        self.assertEqual(self.file("known"), b"4")

    def test_dates(self):
        os.utime(self.write("dated", b"1"), (1000000000, 1000000000))
        old, then = "Sun, 09 Sep 2001 01:46:39 GMT", "Sun, 09 Sep 2001 01:46:40 GMT"
        self.assertEqual(self.put("/dated", b"2", If_Unmodified_Since=old)[0], 412)
        self.assertEqual(self.put("/dated", b"2", If_Modified_Since=then,
                                  If_Unmodified_Since=then)[0], 204)

    def test_of_those_who_know_the_same_file_one_wins(self):
        self.put("/raced", b"start")
        tag = self.tag("/raced")
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(
                lambda n: self.put("/raced", content(5000, n), If_Match=tag)[0], range(16)))
        self.assertEqual(sorted(statuses), [204] + 15 * [412])
        winner = statuses.index(204)
        self.assertEqual(self.file("raced"), content(5000, winner))
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(
                lambda n: self.put("/first", content(5000, n), If_None_Match="*")[0], range(16)))
        self.assertEqual(sorted(statuses), [201] + 15 * [412])
        self.assertEqual(self.file("first"), content(5000, statuses.index(201)))


class Gone(PutCase):
    FILES = {"file": b"as it was"}

    def half(self, name, length=1 << 20, sent=300000):
        peer = self.peer(PUT % (name, b"Content-Length: %d\r\n" % length))
        peer.sendall(content(sent))
        return peer

    def nothing_is_left(self):
        self.until_settled()
        self.assertEqual(self.names(), ["file"])
        self.assertEqual(self.file("file"), b"as it was")

    def taken(self, before, least):
        self.until("nothing is written",
                   lambda: self.server.stats()["writes"]["bytes"] >= before + least)

    def test_clients_that_leave_in_the_middle_leave_nothing(self):
        descriptors = self.server.descriptors()
        for number in range(60):
            before = self.server.stats()["writes"]["bytes"]
            peer = self.half((b"file", b"other")[number % 2], sent=number * 5000)
            if number % 3 == 0:
                self.taken(before, number * 5000 // BUFFER * BUFFER - BUFFER)
            if number % 4:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                b"\1\0\0\0\0\0\0\0")
            peer.close()
        self.nothing_is_left()
        self.until("files stay open", lambda: self.server.descriptors() <= descriptors)

    def test_a_body_that_is_too_short_is_none(self):
        peer = self.half(b"file")
        peer.shutdown(socket.SHUT_WR)
        self.assertNotIn(b" 20", peer.recv(1000))
        peer = self.peer(PUT % (b"file", b"Transfer-Encoding: chunked\r\n") + b"5\r\nab")
        peer.shutdown(socket.SHUT_WR)
        self.assertNotIn(b" 20", peer.recv(1000))
        self.nothing_is_left()

    def test_nobody_sees_a_file_that_is_not_complete(self):
        before = self.server.stats()["writes"]["bytes"]
        peer = self.half(b"file")
        self.taken(before, 2 * BUFFER)
        self.assertEqual(self.names(), ["file"])
        self.assertEqual(self.get("/file")[2], b"as it was")
        peer.close()
        self.nothing_is_left()

    def test_a_server_that_is_killed_leaves_nothing(self):
        with Server(base.BINARY, self.root, "--writable") as server:
            peers = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(4)]
            for number, peer in enumerate(peers):
                peer.sendall(PUT % (b"kill-%d" % number, b"Content-Length: 1000000\r\n"))
                peer.sendall(content(300000))
            self.until("nothing is written",
                       lambda: server.stats()["writes"]["bytes"] >= 4 * BUFFER)
            server.process.kill()
            server.process.wait()
            for peer in peers:
                peer.close()
        self.assertEqual(self.names(), ["file"])

    def test_an_upload_that_runs_is_finished_in_a_drain(self):
        with Server(base.BINARY, self.root, "--writable") as server:
            peer = socket.create_connection(("127.0.0.1", server.port))
            self.addCleanup(peer.close)
            peer.sendall(PUT % (b"drained", b"Content-Length: 1000000\r\n") + content(500000))
            self.until("nothing is written",
                       lambda: server.stats()["writes"]["bytes"] >= BUFFER)
            server.process.send_signal(signal.SIGTERM)
            peer.sendall(content(1000000)[500000:])
            self.assertIn(b"201 Created", peer.recv(1000))
            self.assertEqual(server.process.wait(30), 0)
        self.assertEqual(self.file("drained"), content(1000000))
        os.unlink(os.path.join(self.root, "drained"))

    def test_the_grace_of_a_drain_is_bounded(self):
        with Server(base.BINARY, self.root, "--writable", "--grace", "1") as server:
            peer = socket.create_connection(("127.0.0.1", server.port))
            self.addCleanup(peer.close)
            peer.sendall(PUT % (b"late", b"Content-Length: 1000000\r\n") + content(500000))
            self.until("nothing is written",
                       lambda: server.stats()["writes"]["bytes"] >= BUFFER)
            self.assertEqual(server.stop(), 0)
        self.assertEqual(self.names(), ["file"])


class Slow(PutCase):
    OPTIONS = ("--writable", "--timeout", "3")

    def test_a_body_that_trickles_is_cut_off(self):
        peers = [self.peer(PUT % (b"slow-%d" % number, b"Content-Length: 1000000\r\n"))
                 for number in range(5)]
        for peer in peers:
            peer.settimeout(0.1)

        def cut(peer):
            try:
                peer.sendall(b"x")
                return peer.recv(100) == b""
            except socket.timeout:
                return False
            except (ConnectionResetError, BrokenPipeError):
                return True
        for peer in peers:
            self.until("it is waited for", lambda peer=peer: cut(peer))
        self.until_settled()
        self.assertEqual(self.names(), [])


class Full(PutCase):
    """What does not fit, by a limit that needs no privilege: the size of a file."""
    FILES = {"file": b"as it was"}
    LIMIT = 1 << 20

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        resource.prlimit(cls.server.process.pid, resource.RLIMIT_FSIZE, (cls.LIMIT, cls.LIMIT))

    def test_what_says_that_it_is_too_large_is_refused_at_once(self):
        for size in (self.LIMIT + 1, 3 * self.LIMIT):
            self.assertEqual(self.put("/file", content(size))[0], 507)
        peer = self.peer(PUT % (b"file", b"Content-Length: %d\r\nExpect: 100-continue\r\n" %
                                (self.LIMIT + 1)))
        self.assertIn(b"507", peer.recv(1000))
        peer = self.peer(PUT % (b"file", b"Content-Length: %d\r\nExpect: 100-continue\r\n" %
                                ((1 << 64) - 2)))
        self.assertIn(b"HTTP/1.1 507", peer.recv(1000))
        self.check_unchanged()

    def test_what_proves_too_large_is_told_at_the_end(self):
        before = self.server.stats()["writes"]["write_errors"]
        for _ in range(3):
            chunks = iter([content(BUFFER)] * (2 * self.LIMIT // BUFFER))
            self.assertEqual(self.put("/file", chunks)[0], 507)
        self.assertGreaterEqual(self.server.stats()["writes"]["write_errors"], before + 3)
        self.check_unchanged()

    def test_what_fits_goes_on(self):
        self.assertEqual(self.put("/fits", content(self.LIMIT))[0], 201)
        self.assertEqual(self.file("fits"), content(self.LIMIT))
        os.unlink(os.path.join(self.root, "fits"))

    def check_unchanged(self):
        self.until_settled()
        self.assertEqual(self.names(), ["file"])
        self.assertEqual(self.file("file"), b"as it was")


class FullByPool(Full):
    OPTIONS = ("--writable", "--pool")


class FullDisk(Full):
    """The same on a file system that is full."""

    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="full-")
        cls.addClassCleanup(os.rmdir, cls.root)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={2 * cls.LIMIT}", "none",
                               cls.root], stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise unittest.SkipTest(f"nothing can be mounted here: {done.stderr.strip()}")
        cls.addClassCleanup(subprocess.run, ["umount", cls.root], check=True)
        cls.write("file", b"as it was")
        cls.write("filler", bytes(cls.LIMIT - 4096))
        os.chmod(os.path.join(cls.root, "filler"), 0)
        cls.server = Server(base.BINARY, cls.root, *cls.OPTIONS)
        cls.addClassCleanup(cls.end)

    def names(self):
        return [name for name in super().names() if name != "filler"]


class NoServer(unittest.TestCase):
    def test_a_root_that_is_read_only_is_forbidden(self):
        with tempfile.TemporaryDirectory(prefix="fileserver-") as root:
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", root],
                                  stderr=subprocess.PIPE, text=True)
            if done.returncode:
                self.skipTest(f"nothing can be mounted here: {done.stderr.strip()}")
            try:
                with Server(base.BINARY, root, "--writable") as server:
                    self.assertEqual(server.get("/file", method="PUT")[0], 403)
            finally:
                subprocess.run(["umount", root], check=True)


if __name__ == "__main__":
    base.main()
