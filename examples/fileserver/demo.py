#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows what the library is for, then serves a directory; with --check, proves the server instead."""
import argparse
import itertools
import os
import signal
import sys
import tempfile
import threading

sys.dont_write_bytecode = True  # the source tree stays as it is

import demo_check  # noqa: E402
from demo_server import Probe, Server  # noqa: E402

CLIENTS = 64
FILES = 16
FILE_SIZE = 4 << 20
SECONDS = 4


def make_files(root):
    for number in range(FILES):
        with open(os.path.join(root, f"file-{number}"), "wb") as file:
            file.write(os.urandom(FILE_SIZE))
    with open(os.path.join(root, "tiny.txt"), "w") as file:
        file.write("a tiny page\n")


class Load:
    """Clients that ask for digests, one after the other, until told to stop."""

    def __init__(self, server):
        self.server = server
        self.stop = threading.Event()
        self.count = itertools.count()
        self.threads = [threading.Thread(target=self.client, args=(n,)) for n in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def client(self, number):
        connection = self.server.connect()
        while not self.stop.is_set():
            connection.request("GET", f"/file-{number % FILES}?sha256")
            if len(connection.getresponse().read()) != 65:
                raise SystemExit("not a digest")
            next(self.count)
        connection.close()

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        return next(self.count)


def measure(binary, root, *options):
    """The figures of the two probes, and how many digests the clients got a second."""
    with Server(binary, root, *options) as server:
        load = Load(server)
        try:
            probes = [Probe(server, SECONDS, path) for path in ("/-/ping", "/tiny.txt")]
            results = [probe.result() for probe in probes]
        finally:
            count = load.finish()
        return results, count / SECONDS


def show(binary):
    print(f"{CLIENTS} clients ask for SHA-256 digests of files of {FILE_SIZE >> 20} MiB, while a "
          "probe asks\nfor a tiny page 1,000 times a second. The same work, on the server's loop "
          "and on tern:\n")
    print("                   page made by the loop       page from a file     digests")
    print("                       p50         p99         p50         p99     a second", flush=True)
    with tempfile.TemporaryDirectory(prefix="fileserver-") as root:
        make_files(root)
        for name, options in (("on the loop", ["--inline"]), ("on tern's pools", [])):
            results, rate = measure(binary, root, *options)
            print(f"{name:15}" + "".join(
                f"{result[figure]:9.2f} ms" for result in results
                for figure in ("p50_ms", "p99_ms")) + f"{rate:11.0f}", flush=True)


def serve(binary, directory):
    """Until SIGINT or SIGTERM; the server has a session of its own, so that it gets one only."""
    server = Server(binary, directory, new_session=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.process.send_signal(signal.SIGTERM))
    print(f"\nServing {os.path.abspath(directory)}. Open {server.url} for the files,\n"
          "or add ?sha256 to one for its digest. End with Ctrl-C.\n"
          f"Live figures of the server and its pools: {server.url}-/", flush=True)
    return server.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, metavar="BINARY")
    parser.add_argument("--check", action="store_true", help="prove the server, then end")
    parser.add_argument("directory", nargs="?", default=".", help="what to serve")
    options = parser.parse_args()
    if options.check:
        return demo_check.run(options.server)
    show(options.server)
    return serve(options.server, options.directory)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
