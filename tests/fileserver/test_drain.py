# SPDX-License-Identifier: MIT
"""The end of a server: what runs is finished, nothing new begins, and the status is 0."""
import signal
import time
import unittest

import base
from base import ServerCase, content
from demo_server import Server

BIG = 32 << 20


class Drain(ServerCase):
    FILES = {"file": content(100000)}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sparse("big", BIG)
        cls.sparse("huge", 1 << 40)

    def start(self, *options):
        """One server for each test; the one that all could share stays unused."""
        self.server = Server(base.BINARY, self.root, *options)
        self.addCleanup(self.server.close)
        return self.server

    def test_an_idle_server_ends(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = self.start()
            idle = self.connect(server)
            idle.request("GET", "/file")
            self.assertEqual(idle.getresponse().read(), content(100000))
            self.assertEqual(server.stop(number), 0)

    def test_a_running_answer_is_finished(self):
        server = self.start()
        running = self.connect(server)
        running.request("GET", "/big")
        answer = running.getresponse()
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(answer.read(), bytes(BIG))
        self.assertEqual(server.process.wait(30), 0)

    def test_a_running_digest_is_finished(self):
        server = self.start()
        running = self.connect(server)
        running.request("GET", "/big?sha256")
        self.until("it never starts", lambda: server.stats()["work"]["submitted"])
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(len(running.getresponse().read()), 65)
        self.assertEqual(server.process.wait(30), 0)

    def test_nobody_new_is_let_in(self):
        server = self.start("--grace", "1")
        peer = self.peer(b"GET /huge HTTP/1.1\r\nHost: a\r\n\r\n")
        peer.recv(1)
        server.process.send_signal(signal.SIGTERM)

        self.until("it still listens", lambda: not self.listens(server))
        self.assertEqual(server.process.wait(30), 0)

    def test_the_grace_is_bounded(self):
        """Some read nothing, and the digest would take an hour."""
        server = self.start("--grace", "1")
        for target in (b"/huge", b"/huge?sha256", b"/huge?sha256", b"/huge?sha256"):
            self.peer(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        self.until("it never starts", lambda: server.stats()["work"]["outstanding"] >= 3)
        begin = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - begin, 15)

    def test_a_second_signal_does_not_wait_for_the_grace(self):
        server = self.start("--grace", "3600")
        peer = self.peer(b"GET /huge HTTP/1.1\r\nHost: a\r\n\r\n")
        peer.recv(1)
        server.process.send_signal(signal.SIGTERM)
        self.until("it still listens", lambda: not self.listens(server))
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(30), 0)

    def connect(self, server):
        connection = server.connect()
        self.addCleanup(connection.close)
        return connection

    def listens(self, server):
        try:
            self.connect(server).connect()
            return True
        except OSError:
            return False


class Start(unittest.TestCase):
    def test_what_cannot_be_served_is_said(self):
        for options in (["--root", "/nowhere"], ["--port", "x"], ["--address", "nowhere"],
                        ["--timeout", "0"], ["--unknown"], ["surplus"]):
            self.assertEqual(base.run_to_end(*options), 2, options)
        self.assertEqual(base.run_to_end("--help"), 0)


if __name__ == "__main__":
    base.main()
