# SPDX-License-Identifier: MIT
"""What the tests of the file server share: the binary, a root, and a few ways to talk."""
import os
import socket
import subprocess
import sys
import tempfile
import unittest

from demo_server import Server, wait_for

BINARY = ""
CHUNK = 256 << 10


def content(size, seed=1):
    """Bytes in which no two places look alike."""
    return b"".join((i * 2654435761 + seed).to_bytes(8, "little") for i in range(size // 8 + 1))[:size]


def run_to_end(*options):
    """The exit status of a server that is not expected to serve."""
    return subprocess.run([BINARY, *options], timeout=60, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode


class ServerCase(unittest.TestCase):
    """Tests that share a root and one server over it."""
    OPTIONS = ()
    FILES = {}
    until = staticmethod(wait_for)

    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="fileserver-")
        cls.addClassCleanup(holder.cleanup)
        cls.root = holder.name
        for name, text in cls.FILES.items():
            cls.write(name, text)
        cls.server = Server(BINARY, cls.root, *cls.OPTIONS)
        cls.addClassCleanup(cls.end)

    @classmethod
    def end(cls):
        status = cls.server.stop()
        cls.server.close()
        assert status == 0, f"the server's exit status is {status}"

    @classmethod
    def write(cls, name, text):
        path = os.path.join(cls.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text)
        return path

    @classmethod
    def sparse(cls, name, size):
        path = cls.write(name, b"")
        os.truncate(path, size)
        return path

    def get(self, target, **fields):
        return self.server.get(target, **fields)

    def status(self, target, **fields):
        return self.get(target, **fields)[0]

    def peer(self, data=b""):
        peer = socket.create_connection(("127.0.0.1", self.server.port), 60)
        self.addCleanup(peer.close)
        peer.sendall(data)
        return peer

    def talk(self, data):
        """Sends bytes, and returns what comes until the server closes."""
        peer = self.peer()
        answer = b""
        try:
            peer.sendall(data)
            while chunk := peer.recv(65536):
                answer += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
        return answer

    def until_settled(self):
        """Nobody is connected but who asks, and no work is out."""
        def settled():
            stats = self.server.stats()
            return stats["connections"] == 1 and stats["work"]["outstanding"] == 0
        self.until("something is left behind", settled)


def main():
    global BINARY
    sys.modules["base"].BINARY = sys.argv.pop(1)
    unittest.main(module="__main__")
