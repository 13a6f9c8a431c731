# SPDX-License-Identifier: MIT
"""The proof: every file, every digest, uploads, every way to be rude, and the loop under load."""
import concurrent.futures
import hashlib
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import demo_tree
from demo_server import Links, Probe, Server, wait_for

AWAY_MS_MAX = 20
# A bare echo server that is away for this long says that the machine is not fit to measure on.
CONTROL_MS_MAX = 10
HOLD_SECONDS = 8
HOLD_TRIES = 5


def quote(path):
    return "/" + urllib.parse.quote_from_bytes(path)


def expect(good, what):
    if not good:
        raise AssertionError(what)


def fetch_some(server, root, paths, sums):
    connection = server.connect()
    for path in paths:
        connection.request("GET", quote(path))
        answer = connection.getresponse()
        body = answer.read()
        expect(answer.status == 200, f"{path}: {answer.status}")
        expect(len(body) == os.path.getsize(os.path.join(root, path)), f"{path}: length")
        expect(hashlib.sha256(body).hexdigest() == sums[path], f"{path}: content")
        connection.request("GET", quote(path) + "?sha256")
        expect(connection.getresponse().read().decode() == sums[path] + "\n", f"{path}: digest")
    connection.close()


def check_files(server, root, sparse):
    paths = [path for path in demo_tree.files(root) if path != os.path.basename(sparse)]
    sums = demo_tree.sha256sum(root, paths)
    expect(len(sums) == len(paths) >= 1000, "the tree is too small")
    broot = os.fsencode(root)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda n: fetch_some(server, broot, paths[n::8], sums), range(8)):
            pass
    return f"{len(paths)} files fetched, and both digests as sha256sum says"


def check_sparse(server, root, sparse):
    size = os.path.getsize(sparse)
    target = quote(os.path.basename(sparse))
    ranges = [(0, 99), (1 << 20, (1 << 20) + 600000), ((4 << 30) - 70000, (4 << 30) + 70000),
              (size - 9, size - 1), (size - 300000, size - 1), (5, 5)]
    with open(sparse, "rb") as file, subprocess.Popen(
            ["sha256sum", "-z", sparse], stdout=subprocess.PIPE) as command:
        for first, last in ranges:
            file.seek(first)
            want = file.read(last - first + 1)
            forms = [f"bytes={first}-{last}"]
            if last == size - 1:
                forms += [f"bytes={first}-", f"bytes=-{size - first}", f"bytes={first}-{last + 9}"]
            for form in forms:
                status, fields, body = server.get(target, Range=form)
                expect(status == 206 and body == want, f"{form}: {status}")
                expect(fields["Content-Range"] == f"bytes {first}-{last}/{size}", form)
        status, fields, _ = server.get(target, Range=f"bytes={size}-")
        expect(status == 416 and fields["Content-Range"] == f"bytes */{size}", "range outside")
        status, fields, _ = server.get(target, "HEAD")
        expect(status == 200 and fields["Content-Length"] == str(size), "length of the sparse file")
        digest = server.get(target + "?sha256", timeout=300)[2].split()[0]
        expect(digest == command.communicate()[0].split()[0], "digest of the sparse file")
    return f"a sparse file of {size:,} bytes, by ranges and by digest"


def check_listings(server, root, sparse):
    count = 0
    for directory, _, _ in os.walk(os.fsencode(root)):
        path = os.path.relpath(directory, os.fsencode(root))
        target = "/" if path == b"." else quote(path) + "/"
        status, _, body = server.get(target)
        expect(status == 200, f"{target}: {status}")
        names = [urllib.parse.unquote_to_bytes(link).rstrip(b"/")
                 for link in Links(body.decode(errors="replace")).links if link != "../"]
        expect(names == sorted(os.listdir(directory)), target)
        if target != "/":
            status, fields, _ = server.get(target[:-1])
            expect(status == 301 and fields["Location"] == target, f"{target[:-1]}: {status}")
        count += 1
    return f"{count} listings name what is there"


def check_escapes(server, root, sparse):
    with tempfile.TemporaryDirectory(prefix="outside-") as outside:
        secret = os.path.join(outside, "secret")
        demo_tree.write(secret, b"secret")
        up = "../" * 30
        names = {"link": secret, "dirlink": outside, "relative": up + secret[1:],
                 "magic": "/proc/self/root" + secret}
        for name, to in names.items():
            os.symlink(to, os.path.join(root, name))
        encoded = secret.replace("/", "%2f")
        targets = [f"/{up}{secret[1:]}", f"/{up.replace('.', '%2e')}{secret[1:]}",
                   f"/{up.replace('../', '%2e%2e%2f')}{secret[1:]}", f"/{secret}", f"//{secret}",
                   f"/{encoded}", f"/dir%200/../../{secret}", "/link", "/dirlink/secret",
                   "/dirlink/", "/dirlink", "/relative", "/magic", f"/{up}proc/self/environ",
                   f"/%252e%252e/{secret}", f"/..%00/{secret}", "/dir%200/%2e%2e/%2e%2e/"]
        for target in targets:
            for suffix in ("", "?sha256"):
                status, _, body = server.get(target + suffix)
                expect(status in (400, 403, 404) and b"secret\n" not in body + b"\n",
                       f"{target}{suffix}: {status}")
        for name in names:
            os.unlink(os.path.join(root, name))
    return f"{len(targets)} ways out of the root are closed"


def talk(server, data, timeout=20):
    """What the server says to some bytes, until it closes the connection."""
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout) as peer:
        try:
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            while chunk := peer.recv(65536):
                answer += chunk
        except OSError:  # reset: the server has said what it had to say
            pass
    return answer


def check_rude(server, root, sparse):
    rand = random.Random(7)
    requests = [
        b"", b"\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01", b"GET \0 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /%0 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1000000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100000 + b"\r\n",
        b"GET " + b"/.." * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    ]
    requests += [rand.randbytes(rand.randrange(3000)) for _ in range(100)]
    for request in requests:
        answer = talk(server, request)
        status = answer[9:12]
        expect(not answer or status[:1] == b"4" or status == b"505", (request[:40], answer[:40]))
        expect(server.get("/-/ping")[0] == 200, "the server is gone")
    return f"{len(requests)} malformed or huge requests hurt nobody"


def check_slow(server, root, sparse):
    target = quote(os.path.basename(sparse)).encode()
    peers = []
    for number in range(150):
        peer = socket.create_connection(("127.0.0.1", server.port))
        if number % 3 == 0:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-Sl")
        elif number % 3 == 1:
            peer.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        peers.append(peer)
    slowest = 0
    for _ in range(50):
        start = time.monotonic()
        expect(server.get("/size-4096.txt")[0] == 200, "a file beside slow clients")
        slowest = max(slowest, time.monotonic() - start)
    expect(slowest < 1, f"a quick client waited {slowest:.2f} s")
    wait_for("slow clients are never cut off", lambda: server.stats()["connections"] == 1)
    for peer in peers:
        peer.close()
    return f"150 slow clients: others waited {slowest * 1000:.0f} ms at most, then they were cut off"


def check_aborts(server, root, sparse):
    target = quote(os.path.basename(sparse)).encode()
    before = server.stats()
    descriptors = server.descriptors()
    for number in range(200):
        suffix = b"?sha256" if number % 2 else b""
        peer = socket.create_connection(("127.0.0.1", server.port))
        peer.sendall(b"GET " + target + suffix + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        if not number % 4:
            peer.recv(1000)
        if number % 3:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()

    def settled():
        stats = server.stats()
        return stats["connections"] == 1 and stats["work"]["outstanding"] == 0

    wait_for("aborted requests leave something behind", settled)
    wait_for("descriptors are left open", lambda: server.descriptors() <= descriptors)
    text = "200 aborted requests left nothing behind"
    if before["digests"] is None:
        return text + "; the library keeps no statistics"
    canceled = server.stats()["digests"]["canceled"] - before["digests"]["canceled"]
    return f"{text}; {canceled} digests never had to start"


UPLOAD_SIZES = (0, 1, 4095, 4096, 4097, 65536, (1 << 20) + 1, 5000003)


def upload_some(server, number):
    """Puts files of all sizes, twice, each time with other contents; then they are read again."""
    rand = random.Random(number)
    connection = server.connect()
    for status in (201, 204):
        sums = {}
        for size in UPLOAD_SIZES:
            body = rand.randbytes(size)
            path = f"/put%20{number}/{size}"
            sums[path] = hashlib.sha256(body).hexdigest()
            connection.request("PUT", path, body)
            answer = connection.getresponse()
            answer.read()
            expect(answer.status == status, f"PUT {path}: {answer.status}")
        for path, digest in sums.items():
            connection.request("GET", path)
            body = connection.getresponse().read()
            expect(hashlib.sha256(body).hexdigest() == digest, f"{path}: content")
            connection.request("GET", path + "?sha256")
            expect(connection.getresponse().read().decode() == digest + "\n", f"{path}: digest")
    connection.close()


def check_uploads(server, root, sparse):
    clients = 12
    for number in range(clients):
        os.mkdir(os.path.join(root, f"put {number}"))
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        for _ in pool.map(lambda number: upload_some(server, number), range(clients)):
            pass
    writes = server.stats()["writes"]
    expect(writes["outstanding"] == writes["write_errors"] == 0, f"{writes}")
    return (f"{2 * clients * len(UPLOAD_SIZES)} uploads by {clients} clients at a time, read again "
            f"and compared; written by the engine \"{writes['engine']}\"")


def check_cut_uploads(server, root, sparse):
    """Half of them would replace a file; killed with a reset, an end, or a body too short."""
    folder = os.path.join(root, "put 0")
    before = demo_tree.sha256sum(root, demo_tree.files(root))
    descriptors = server.descriptors()
    for number in range(100):
        peer = socket.create_connection(("127.0.0.1", server.port))
        name = "4096" if number % 2 else "new"
        peer.sendall(f"PUT /put%200/{name} HTTP/1.1\r\nHost: a\r\n"
                     f"Content-Length: {1 << 20}\r\n\r\n".encode() + bytes(number * 9000))
        if number % 3 == 0:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif number % 3 == 1:
            peer.shutdown(socket.SHUT_WR)
            expect(b" 20" not in peer.recv(1000), "half an upload is acknowledged")
        peer.close()

    def settled():
        stats = server.stats()
        return stats["connections"] == 1 and stats["work"]["outstanding"] == 0

    wait_for("cut uploads leave something behind", settled)
    wait_for("descriptors are left open", lambda: server.descriptors() <= descriptors)
    expect("new" not in os.listdir(folder), "half an upload has a name")
    expect(demo_tree.sha256sum(root, demo_tree.files(root)) == before, "the tree has changed")
    return "100 uploads that were cut off left nothing behind, and changed nothing"


WRK_SCRIPT = """
local paths = {%s}
local body = string.rep("tern", 25001)
local at = 0
request = function()
  at = at + 1
  if at %% %d == 0 then
    return wrk.format("PUT", "/put%%20" .. at %% 10 .. "/wrk", nil, body)
  end
  return wrk.format(nil, paths[at %% #paths + 1])
end
"""


def hold(server, script):
    """Loads the server with wrk; returns what the probe and the control saw, and wrk's own words."""
    with subprocess.Popen(["wrk", "-t1", "-c8", f"-d{HOLD_SECONDS + 1}s", "-s", script,
                           f"{server.url}"], stdout=subprocess.PIPE, text=True) as wrk:
        probes = [Probe(server, HOLD_SECONDS), Probe(server, HOLD_SECONDS, control=True)]
        results = [probe.result() for probe in probes]
        return results, wrk.communicate()[0]


def check_loop(server, root, sparse, nth_put=1 << 50):
    paths = [quote(path) for path in demo_tree.files(root) if b"size-" in path or b"file-1" in path]
    targets = paths + [path + "?sha256" for path in paths if "size-" in path] + ["/", "/dir%200/"]
    script = os.path.join(root, ".wrk.lua")
    names = ", ".join(f'"{path}"' for path in targets)
    demo_tree.write(script, (WRK_SCRIPT % (names, nth_put)).encode())
    server.favour()
    for _ in range(HOLD_TRIES):
        (probe, control), words = hold(server, script)
        lag = server.stats()["lag"]
        rate = next(line.split()[1] for line in words.splitlines() if "Requests/sec" in line)
        text = (f"under {rate} requests a second of wrk, {probe['ticks']} ticks of the probe: "
                f"p50 {probe['p50_ms']:.2f}, p99.9 {probe['p999_ms']:.2f}, "
                f"longest {probe['max_ms']:.2f} ms (the probe itself was late by "
                f"{probe['probe_late_max_ms']:.2f}; a bare echo beside it: longest "
                f"{control['max_ms']:.2f}; the server's own timer since its start: "
                f"{lag['longest_us'] / 1000:.2f})")
        expect("Non-2xx" not in words and "Socket errors" not in words, words)
        if probe["away_max_ms"] <= AWAY_MS_MAX:
            os.unlink(script)
            return text
        expect(control["away_max_ms"] > CONTROL_MS_MAX, "the loop was away: " + text)
        print(f"      the machine is busy, once more: {text}", flush=True)
    raise AssertionError(f"the loop was away for more than {AWAY_MS_MAX} ms, "
                         f"{HOLD_TRIES} times; the machine may be too busy to tell")


def check_loop_writing(server, root, sparse):
    return "every fourth an upload: " + check_loop(server, root, sparse, 4)


def check_drain(server, root, sparse):
    """Running requests get their answers, new ones are refused, and the status is 0."""
    target = "/size-3000001.txt"
    connection = server.connect()
    connection.request("GET", quote(os.path.basename(sparse)), headers={
        "Range": f"bytes=0-{(64 << 20) - 1}"})
    answer = connection.getresponse()
    idle = server.connect()
    idle.request("GET", target)
    expect(len(idle.getresponse().read()) == 3000001, target)
    server.process.send_signal(signal.SIGTERM)
    body = threading.Thread(target=lambda: bodies.append(answer.read()))
    bodies = []
    body.start()
    body.join(30)
    expect(bodies and len(bodies[0]) == 64 << 20, "the answer was cut short")
    expect(server.process.wait(30) == 0, f"exit status {server.process.returncode}")
    return "SIGTERM let a running request end and closed the idle one; exit status 0"


CHECKS = [check_files, check_sparse, check_listings, check_escapes, check_rude, check_slow,
          check_aborts, check_uploads, check_cut_uploads, check_loop, check_loop_writing,
          check_drain]


def run(binary):
    if not shutil.which("wrk"):
        print("demo: wrk is not installed", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # not without ending the server
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fileserver-") as root:
        sparse = demo_tree.make(root)
        with Server(binary, root, "--timeout", "3", "--writable", new_session=True) as server:
            for check in CHECKS:
                try:
                    print("ok   ", check(server, root, sparse), flush=True)
                except (AssertionError, OSError) as error:
                    print("WRONG", f"{check.__name__}: {error!r}", flush=True)
                    return 1
    print(f"all agreed, in {time.monotonic() - start:.0f} s")
    return 0
