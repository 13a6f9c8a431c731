# SPDX-License-Identifier: MIT
"""Clients that are rude, slow, too many, or gone: nobody else may notice."""
import os
import random
import socket
import struct
import time

import base
from base import CHUNK, ServerCase, content

BIG = 64 << 20


def reset(peer):
    """Closes with a reset in place of an orderly end."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


class Rude(ServerCase):
    FILES = {"file": b"content"}

    def test_malformed_requests_get_an_error_or_nothing(self):
        host = b"\r\nHost: a\r\n"
        for request in (
                b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
                b"GET /file HTTP/1.1" + host + b"no colon at all\r\n\r\n",
                b"GET nowhere HTTP/1.1" + host + b"\r\n",
                b"GET /file HTTP/1.1" + host + b"Content-Length: 5\r\n\r\nabcde",
                b"GET /file HTTP/1.1" + host + b"Content-Length: -5\r\n\r\n",
                b"GET /file HTTP/1.1" + host + b"Content-Length: 9" + b"9" * 40 + b"\r\n\r\n",
                b"GET /file HTTP/1.1" + host + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
                b"POST /file HTTP/1.1" + host + b"Content-Length: 1000000\r\n\r\n" + b"x" * 100000):
            answer = self.talk(request)
            self.assertTrue(not answer or answer[9:10] == b"4" or answer[9:12] == b"505",
                            (request[:50], answer[:50]))
        self.assertEqual(self.status("/file"), 200)

    def test_huge_headers_are_refused(self):
        for request in (b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
                        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1000000 + b"\r\n\r\n",
                        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 50000 + b"\r\n"):
            answer = self.talk(request)
            self.assertTrue(not answer or answer[9:10] == b"4", answer[:50])
        self.assertEqual(self.status("/file"), 200)

    def test_who_closes_his_side_with_the_last_bytes_is_let_go(self):
        """Well before the timeout of 30 s: the end must not be lost beside the bytes."""
        for request in (b"GET /-/ping HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /-/pi",
                        b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n"):
            begin = time.monotonic()
            peer = self.peer(request)
            peer.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := peer.recv(1000):
                answer += chunk
            self.assertEqual(b"200 OK" in answer, b"HTTP" in request)
            self.assertLess(time.monotonic() - begin, 20)

    def test_noise(self):
        rand = random.Random(11)
        for _ in range(50):
            peer = self.peer()
            peer.sendall(rand.randbytes(rand.randrange(1, 2000)))
            peer.close()
        self.assertEqual(self.status("/file"), 200)
        self.until_settled()


class Gone(ServerCase):
    FILES = {"file": b"content", "medium": content(8 * CHUNK)}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sparse("big", BIG)
        cls.sparse("huge", 1 << 40)

    def ask(self, target):
        return self.peer(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")

    def test_clients_that_leave_in_the_middle_leave_nothing(self):
        descriptors = self.server.descriptors()
        for number in range(100):
            peer = self.ask(b"/big" if number % 2 else b"/medium")
            if number % 3:
                peer.recv(1 + number * 1000)
            if number % 4:
                reset(peer)
            peer.close()
        self.until_settled()
        self.until("files stay open", lambda: self.server.descriptors() <= descriptors)

    def test_a_digest_stops_when_its_client_goes(self):
        """It would take an hour; all threads are busy with such, and more of them wait."""
        peers = [self.ask(b"/huge?sha256") for _ in range(20)]
        self.until("nothing waits",
                   lambda: self.server.stats()["work"]["outstanding"] == len(peers))
        self.assertEqual(self.status("/file"), 200)
        for number, peer in enumerate(peers):
            if number % 2:
                reset(peer)
            peer.close()
        self.until_settled()
        self.assertEqual(len(self.get("/medium?sha256")[2]), 65)

    def test_a_file_that_shrinks_ends_the_connection(self):
        self.sparse("shrinks", BIG)
        peer = self.ask(b"/shrinks")
        have = len(peer.recv(1000))
        os.truncate(os.path.join(self.root, "shrinks"), 1000)
        while chunk := peer.recv(1 << 20):
            have += len(chunk)
        self.assertLess(have, BIG)
        self.until_settled()

    def test_a_file_that_is_replaced_or_removed_comes_as_it_was(self):
        path = self.sparse("removed", BIG)
        peer = self.ask(b"/removed")
        head = peer.recv(10)
        os.unlink(path)
        body = head
        while b"\r\n\r\n" not in body:
            body += peer.recv(1000)
        have = len(body) - body.index(b"\r\n\r\n") - 4
        while have < BIG:
            chunk = peer.recv(1 << 20)
            self.assertTrue(chunk, "cut short")
            have += len(chunk)
        peer.close()
        self.until_settled()


class SlowCase(ServerCase):
    FILES = {"file": b"content"}
    STARTS = (b"", b"GET / HTTP/1.1\r\nHost: a\r\nX-", b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n",
              b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n")

    def be_slow(self):
        self.sparse("big", 1 << 32)
        for start in 10 * self.STARTS:
            self.peer(start)


class Slow(SlowCase):
    OPTIONS = ("--timeout", "5")

    def test_slow_clients_are_cut_off(self):
        self.be_slow()
        self.until_settled()

    def test_a_header_that_trickles_is_cut_off(self):
        """Each byte is activity; the deadline of the whole header counts all the same."""
        peer = self.peer(b"GET / HTTP/1.1\r\nHost: a\r\n")
        peer.settimeout(0.1)
        begin = time.monotonic()
        while True:
            try:
                peer.sendall(b"X")
                if not peer.recv(100):
                    break
            except socket.timeout:
                pass
            except (ConnectionResetError, BrokenPipeError):
                break
            self.assertLess(time.monotonic() - begin, 30)


class Patient(SlowCase):
    OPTIONS = ("--timeout", "600")

    def test_others_are_served_beside_slow_clients(self):
        """None of them has gone, so nobody was waited for."""
        self.be_slow()
        for _ in range(20):
            self.assertEqual(self.status("/file"), 200)
        self.until("a slow client has gone", lambda: self.server.stats()["connections"] ==
                   10 * len(self.STARTS) + 1)


class Many(ServerCase):
    OPTIONS = ("--connections", "4")
    FILES = {"file": b"content"}

    def test_more_clients_than_connections_wait_their_turn(self):
        peers = [self.peer(b"GET /-/ping HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(4)]
        for peer in peers:
            self.assertIn(b"200", peer.recv(100))
        late = self.peer(b"GET /file HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        late.settimeout(0.2)
        with self.assertRaises(socket.timeout):
            late.recv(1)
        late.settimeout(60)
        peers[0].close()
        self.assertIn(b"200", late.recv(100))


if __name__ == "__main__":
    base.main()
