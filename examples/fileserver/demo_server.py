# SPDX-License-Identifier: MIT
"""Starting, asking and stopping what the demo needs: the server and the probe."""
import html.parser
import http.client
import json
import os
import re
import signal
import subprocess
import time


def wait_for(what, done, seconds=60):
    """Asks until it is so; each question should be a round trip to the server."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() >= end:
            raise AssertionError(what)


class Links(html.parser.HTMLParser):
    """What a page links to, and its text."""

    def __init__(self, text):
        super().__init__()
        self.links = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.links.append(dict(attrs)["href"])

    def handle_data(self, data):
        self.text += data


class Server:
    """A running file server; use it in a with statement."""

    def __init__(self, binary, root, *options, new_session=False):
        self.binary = binary
        self.process = subprocess.Popen(
            [binary, "--root", root, *options], stdout=subprocess.PIPE, text=True,
            start_new_session=new_session)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on (http://.*:(\d+)/)\n", line)
        if not found:
            raise SystemExit(f"the server did not start: {line!r}")
        self.url = found[1]
        self.port = int(found[2])

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        if self.process.poll() is None:
            self.stop()
        self.process.stdout.close()

    def stop(self, number=signal.SIGTERM, timeout=30):
        """Ends the server and returns its exit status."""
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def connect(self, timeout=60):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def get(self, target, method="GET", timeout=60, body=None, **headers):
        """One request on a connection of its own: status, header fields, body."""
        connection = self.connect(timeout)
        try:
            connection.request(method, target, body, {
                name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def stats(self):
        return json.loads(self.get("/-/stats")[2])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def favour(self):
        """
        Puts the loop's thread before other processes, and its session, which Linux may schedule as
        a whole; where that is not permitted, it competes as it is.
        """
        try:
            os.setpriority(os.PRIO_PROCESS, self.process.pid, -10)
            with open(f"/proc/{self.process.pid}/autogroup", "w", encoding="ascii") as file:
                file.write("-10")
        except OSError:
            pass


class Probe:
    """A probe that has been started; result() waits for its figures."""

    def __init__(self, server, seconds, path="/-/ping", control=False):
        binary = os.path.join(os.path.dirname(os.path.abspath(server.binary)), "probe")
        target = ["--control"] if control else ["--port", str(server.port), "--path", path]
        self.process = subprocess.Popen(
            [binary, *target, "--seconds", str(seconds)], stdout=subprocess.PIPE, text=True)

    def result(self):
        text = self.process.communicate(timeout=120)[0]
        if self.process.returncode:
            raise SystemExit("the probe failed")
        return json.loads(text)
