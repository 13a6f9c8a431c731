# SPDX-License-Identifier: MIT
"""
The loop's thread touches no file once the server serves: strace is asked, thread by thread, while
clients do everything they can. With --inline the same look must find what it looks for; and as
there all calls are made by one thread, it also sees in which order a PUT makes them.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

from demo_server import Server

SKIP = 77
CLIENTS = 6
ROUNDS = 15

# Whatever they are called with, these have to do with files.
FILE_CALLS = {"open", "openat", "openat2", "creat", "stat", "lstat", "fstat", "newfstatat", "statx",
              "access", "faccessat", "faccessat2", "readlink", "readlinkat", "sendfile", "getdents",
              "getdents64", "pread64", "preadv", "preadv2", "copy_file_range", "splice", "lseek",
              "name_to_handle_at", "statfs", "fstatfs", "chdir", "pwrite64", "pwritev", "pwritev2",
              "fsync", "fdatasync", "fallocate", "ftruncate", "rename", "renameat", "renameat2",
              "link", "linkat", "unlink", "unlinkat", "fchmod"}
# These only when the descriptor is that of a file: a socket or an eventfd has no path.
DESCRIPTOR_CALLS = {"read", "readv", "close", "mmap", "fcntl"}

# How the server talks, to whom it may.
SENDING = {"write", "sendto", "sendmsg", "writev"}

# What makes a PUT last, in this order, before it is acknowledged.
LASTING = ["pwritev", "fdatasync", "linkat", "renameat", "fsync"]

# What the load must have reached.
CALLS = {"openat2", "pread64", "getdents64", "close", "fallocate", "linkat", "renameat"}

CALL = re.compile(r"(\d+) +(\w+)\((.*)")
ON_FILE = re.compile(r"(?:[^,]*, ){0,4}\d+</(?!dev/null)")


class Traced(Server):
    """A server that runs under strace; signals go to the server itself."""

    def __init__(self, binary, root, output, *options):
        script = os.path.join(root, "..", "traced.sh")
        calls = ",".join("?" + name for name in sorted(FILE_CALLS | DESCRIPTOR_CALLS | SENDING))
        with open(script, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec strace -f -y -o "{output}" -e trace={calls} '
                       f'"{binary}" "$@"\n')
        os.chmod(script, 0o755)
        super().__init__(script, root, *options)

    def stop(self, number=signal.SIGTERM, timeout=60):
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(children, encoding="ascii") as file:
            os.kill(int(file.read().split()[0]), number)
        return self.process.wait(timeout)


def make_tree(root):
    os.mkdir(os.path.join(root, "dir"))
    for name, size in (("small", 100), ("large", 3 << 20), ("empty", 0), ("dir/page.html", 10)):
        with open(os.path.join(root, name), "wb") as file:
            file.write(bytes(size))


def client(server, failures):
    own = f"/put-{threading.get_ident()}"
    targets = [("PUT", own, {}), ("PUT", "/dir", {}), ("GET", own, {}), ("GET", "/small", {}), ("GET", "/large", {}), ("HEAD", "/large", {}),
               ("GET", "/large", {"Range": "bytes=1000000-2000000"}), ("GET", "/nowhere", {}),
               ("GET", "/large?sha256", {}), ("GET", "/dir/", {}), ("GET", "/dir", {}),
               ("GET", "/empty", {}), ("GET", "/", {}), ("GET", "/-/stats", {}),
               ("GET", "/-/", {}), ("GET", "/-/page.js", {}),
               ("GET", "/small", {"If-None-Match": "*"}), ("GET", "/../x", {})]
    try:
        connection = server.connect()
        for _ in range(ROUNDS):
            for method, target, fields in targets:
                body = bytes(150001) if method == "PUT" else None
                connection.request(method, target, body, fields)
                connection.getresponse().read()
        connection.request("GET", "/large")
        connection.getresponse().read(1000)
        connection.close()
    except Exception as error:
        failures.append(error)


def trace(binary, *options):
    """Runs a server under load and returns what strace wrote."""
    with tempfile.TemporaryDirectory(prefix="fileserver-") as top:
        root = os.path.join(top, "root")
        output = os.path.join(top, "trace")
        os.mkdir(root)
        make_tree(root)
        failures = []
        server = Traced(binary, root, output, "--writable", *options)
        clients = [threading.Thread(target=client, args=(server, failures))
                   for _ in range(CLIENTS)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        status = server.stop()
        assert not failures, failures
        assert status == 0, f"exit status {status}"
        with open(output, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()


def touches_file(name, arguments):
    if name in FILE_CALLS:
        return True
    return name in DESCRIPTOR_CALLS and ON_FILE.match(arguments) is not None


def file_calls(lines):
    """What touched files while it served: on the loop's thread, and on others."""
    loop, on_loop, elsewhere = None, [], []
    for line in lines:
        if "--- SIGTERM" in line:
            break
        found = CALL.match(line)
        if not found:
            continue
        thread, name, arguments = found.groups()
        if name == "write" and '"listening on' in arguments:
            loop = thread
        elif loop and touches_file(name, arguments):
            (on_loop if thread == loop else elsewhere).append(line)
    assert loop, "the server never said that it listens"
    return on_loop, elsewhere


def check_order(binary):
    """What one PUT does until its client is told, and what comes after."""
    with tempfile.TemporaryDirectory(prefix="fileserver-") as top:
        root = os.path.join(top, "root")
        output = os.path.join(top, "trace")
        os.mkdir(root)
        server = Traced(binary, root, output, "--writable", "--inline")
        assert server.get("/file", method="PUT", body=bytes(150001))[0] == 201
        assert server.stop() == 0
        with open(output, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    calls = [found for found in map(CALL.match, lines) if found]
    told = next(at for at, call in enumerate(calls) if "201 Created" in call[3])
    order = [call[2] for call in calls[:told] if call[2] in LASTING]
    assert list(dict.fromkeys(order)) == LASTING, order
    assert order[-4:] == LASTING[1:], order
    assert not {call[2] for call in calls[told:]} & set(LASTING), "some of it comes too late"


def names(lines):
    return sorted({CALL.match(line)[2] for line in lines})


def main(binary):
    if not shutil.which("strace"):
        print("skipped: strace is not installed")
        return SKIP
    tried = subprocess.run(["strace", "-f", "-o", os.devnull, "true"], stderr=subprocess.PIPE,
                           text=True)
    if tried.returncode:
        print(f"skipped: strace cannot trace here: {tried.stderr.strip()}")
        return SKIP
    on_loop, elsewhere = file_calls(trace(binary))
    print(f"with pools: {len(on_loop)} calls on files by the loop's thread, {len(elsewhere)} by "
          f"others ({', '.join(names(elsewhere))})")
    assert not on_loop, "\n".join(on_loop[:20])
    seen = set(names(elsewhere))
    assert seen >= CALLS, f"the load did not reach: {seen}"
    on_loop, elsewhere = file_calls(trace(binary, "--inline"))
    print(f"with --inline: {len(on_loop)} by the loop's thread ({', '.join(names(on_loop))}), "
          f"{len(elsewhere)} by others")
    assert set(names(on_loop)) >= CALLS | {"pwritev", "fdatasync", "fsync"}, names(on_loop)
    assert not elsewhere, "\n".join(elsewhere[:20])
    check_order(binary)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
