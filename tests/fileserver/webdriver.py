# SPDX-License-Identifier: MIT
"""A browser without a window, asked over the WebDriver protocol as far as the tests need it."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVER = "chromedriver"


def find_browser():
    """The path of a browser that can be driven, or None."""
    if not shutil.which(DRIVER):
        return None
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Browser:
    """A fresh browser with a profile of its own; use it in a with statement."""

    def __init__(self, binary):
        self.home = tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True)
        self.driver = subprocess.Popen(
            [DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "HOME": self.home.name, "TMPDIR": self.home.name})
        self.session = ""
        try:
            self.url = self.find_driver()
            self.start(binary)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def find_driver(self):
        for line in self.driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                return f"http://127.0.0.1:{found[1]}"
        raise RuntimeError(f"{DRIVER} did not start")

    def start(self, binary):
        flags = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update",
                 "--window-size=1280,900", f"--user-data-dir={self.home.name}/profile"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")
        answer = self.call("/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"binary": binary, "args": flags},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
        self.session = "/session/" + answer["sessionId"]
        self.ask("/timeouts", {"script": 60000})

    def close(self):
        try:
            if self.session:
                self.call(self.session, None, "DELETE")
        finally:
            self.driver.kill()
            self.driver.wait()
            self.driver.stdout.close()
            self.home.cleanup()

    def call(self, path, what=None, method="POST"):
        data = None if what is None else json.dumps(what).encode()
        request = urllib.request.Request(self.url + path, data, method=method,
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=90) as answer:
            return json.load(answer)["value"]

    def ask(self, path, what):
        return self.call(self.session + path, what)

    def open(self, url):
        self.ask("/url", {"url": url})

    def run(self, script):
        """What the body of a function returns in the page."""
        return self.ask("/execute/sync", {"script": script, "args": []})

    def until(self, condition):
        """Looks at each frame that the page could draw, until the expression is true."""
        self.ask("/execute/async", {"args": [], "script": f"""
            const done = arguments[0], look = () => ({condition}) ? done() : setTimeout(look, 10);
            look();"""})

    def log(self, kind):
        """What was logged since the last call: "browser" or "performance"."""
        return self.ask("/se/log", {"type": kind})

    def requested(self, page):
        """The URLs that this page asked for since the last call."""
        events = (json.loads(entry["message"])["message"] for entry in self.log("performance"))
        return [event["params"]["request"]["url"] for event in events
                if event["method"] == "Network.requestWillBeSent"
                and event["params"]["documentURL"] == page]

    def command(self, name, **parameters):
        """One of the browser's own commands."""
        return self.ask("/goog/cdp/execute", {"cmd": name, "params": parameters})
