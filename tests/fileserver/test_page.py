# SPDX-License-Identifier: MIT
"""The page at /-/ in a browser: it shows what /-/stats says, and says when nobody answers."""
import math
import sys
import threading
import unittest

import base
import webdriver
from base import ServerCase, content
from demo_server import Server

SKIP = 77

# What the page drew last, all at once, so that no update comes between.
DRAWN = """
	const data = [...document.querySelectorAll("data")];
	return {
		now: page.now, before: page.before, updates: page.updates,
		state: document.body.dataset.state, status: document.getElementById("status").textContent,
		figures: data.map(one => [one.dataset.figure, one.value, one.textContent]),
	};"""


def look(stats, path):
    for key in path.split("."):
        stats = stats.get(key) if isinstance(stats, dict) else None
    return stats


def quantile(now, before, path, q):
    """As the page's text says it: half of the items took at most so long, or 99 of 100."""
    old = {limit: count for limit, count in look(before, path + ".buckets") or ()}
    times = [(limit, count - old.get(limit, 0))
             for limit, count in look(now, path + ".buckets") or ()]
    total = sum(count for _, count in times)
    if not before or not total:
        return None
    limit = next(limit for at, (limit, _) in enumerate(times)
                 if sum(count for _, count in times[:at + 1]) >= math.ceil(q * total))
    return min(limit, look(now, path + ".longest_us"))


def expected(name, now, before):
    """What a figure of this name must be, by the answers it was taken from; None: not known."""
    how, _, path = name.rpartition(":")
    value, old = look(now, path), look(before, path)
    if how in ("p50", "p99"):
        return quantile(now, before, path, int(how[1:]) / 100)
    if how == "last":
        return value[-1] if value else None
    if how == "rate":
        if value is None or old is None:
            return None
        return (value - old) / ((now["uptime_us"] - before["uptime_us"]) / 1e6)
    return value


def counts(stats):
    """What can only grow, by path."""
    found = {path: look(stats, path) for path in (
        "uptime_us", "requests", "bytes", "connections_total", "work.submitted", "work.done",
        "lag.longest_us")}
    for pool in ("files", "digests"):
        for key in ("threads_peak", "started", "canceled", "threads_created", "threads_exited",
                    "threads_failed", "wakes"):
            found[f"{pool}.{key}"] = look(stats, f"{pool}.{key}")
    for disk in ("reads", "writes"):
        for key in ("submitted", "failed", "bytes"):
            found[f"{disk}.{key}"] = look(stats, f"{disk}.{key}")
    return found


def setUpModule():
    Page.browser = webdriver.Browser(webdriver.find_browser())
    unittest.addModuleCleanup(Page.browser.close)


class Page(ServerCase):
    OPTIONS = ("--writable",)
    FILES = {"small": content(1000), "large": content(3 << 20)}
    browser = None

    def setUp(self):
        self.browser.open("about:blank")
        self.browser.log("browser")
        self.browser.open(self.server.url + "-/")

    def drawn(self, updates=2):
        """What the page shows after so many more updates."""
        self.browser.run("window.from = page.updates")
        self.browser.until(f"page.updates >= window.from + {updates}")
        return self.browser.run(DRAWN)

    def load(self):
        """Some work of each kind, until the test is over."""
        stop = threading.Event()

        def client():
            while not stop.is_set():
                for target in ("/small", "/large?sha256", "/large", "/nowhere"):
                    self.get(target)
                self.get("/put", method="PUT", body=content(100000))

        thread = threading.Thread(target=client)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(stop.set)

    def need_statistics(self):
        if self.server.stats()["files"] is None:
            self.skipTest("the library keeps no statistics")

    def check_figures(self, drawn):
        for name, value, text in drawn["figures"]:
            want = expected(name, drawn["now"], drawn["before"])
            have = value if isinstance(want, str) else float(value) if value else None
            self.assertEqual(have, want, name)
            self.assertEqual(text == "\u2013", want is None, (name, text))

    def test_figures_under_load_are_those_of_the_statistics(self):
        self.need_statistics()
        self.load()
        before = self.server.stats()
        drawn = self.drawn()
        after = self.server.stats()
        self.check_figures(drawn)
        self.assertEqual(drawn["state"], "live")
        for path, count in counts(drawn["now"]).items():
            self.assertLessEqual(counts(before)[path], count, path)
            self.assertLessEqual(count, counts(after)[path], path)
        busy = {"rate:requests", "rate:bytes", "rate:work.done", "p99:files.wait",
                "p99:digests.run", "rate:reads.bytes", "rate:writes.bytes", "p99:reads.read",
                "p99:writes.write", "p99:writes.sync"}
        self.until("the load does not show", lambda: busy <= {
            name for name, value, _ in self.drawn(1)["figures"]
            if value not in ("", "0") and not name.endswith(".engine")})

    def test_every_number_of_the_statistics_is_shown(self):
        """Those that are not shown by themselves are the ones a rate or a quantile is made of."""
        self.need_statistics()
        drawn = self.drawn(1)
        names = {name for name, _, _ in drawn["figures"]}
        for stats, prefix in ((drawn["now"], ""), *((drawn["now"][part], part + ".") for part in (
                "files", "digests", "reads", "writes", "work", "lag"))):
            for key, value in stats.items():
                if isinstance(value, (int, float, str)) and key != "started_unix_us":
                    self.assertIn(prefix + key, names)

    def test_nothing_is_asked_of_others_and_nothing_complained_of(self):
        self.drawn(1)
        asked = self.browser.requested(self.server.url + "-/")
        self.assertEqual(set(asked), {self.server.url + "-/" + name
                                      for name in ("", "page.css", "page.js", "stats")})
        self.assertEqual(self.browser.log("browser"), [])
        refused = self.browser.run("""
            const image = new Image();
            document.addEventListener("securitypolicyviolation", event => {
                window.refused = event.effectiveDirective;
            });
            image.src = "http://192.0.2.1/";
            return true;""")
        self.assertTrue(refused)
        self.browser.until("window.refused")
        self.assertEqual(self.browser.run("return window.refused"), "img-src")

    def test_charts_are_drawn_named_and_keep_their_size(self):
        self.need_statistics()
        look_at = """return [...document.querySelectorAll("figure")].map(one => ({
            name: document.getElementById(
                one.querySelector("svg").getAttribute("aria-labelledby")).textContent,
            series: one.querySelectorAll("li").length,
            drawn: new Set([...one.querySelectorAll(".line, .bar")].map(
                mark => mark.getAttribute("class"))).size,
            labels: [...one.querySelectorAll("text")].map(label => label.textContent),
            box: [...Object.values(one.getBoundingClientRect().toJSON())]}))"""
        first = self.browser.run(look_at)
        self.load()
        self.drawn()
        charts = self.browser.run(look_at)
        self.assertEqual([chart["box"] for chart in first], [chart["box"] for chart in charts])
        for chart in charts:
            self.assertTrue(chart["name"])
            self.assertGreaterEqual(len(chart["labels"]), 5, chart["name"])
            self.assertLessEqual(chart["drawn"], chart["series"], chart["name"])
        self.assertEqual({chart["name"] for chart in charts if chart["drawn"] < chart["series"]},
                         set())

    def test_it_fits_a_telephone(self):
        self.addCleanup(self.browser.command, "Emulation.clearDeviceMetricsOverride")
        self.browser.command("Emulation.setDeviceMetricsOverride", width=390, height=844,
                             deviceScaleFactor=2, mobile=True)
        self.drawn(1)
        self.assertEqual(self.browser.run("return document.documentElement.scrollWidth"), 390)

    def test_nothing_is_asked_while_nobody_looks(self):
        self.drawn(1)
        hide = """
            Object.defineProperty(document, "hidden", {value: %s, configurable: true});
            document.dispatchEvent(new Event("visibilitychange"));"""
        self.browser.run(hide % "true")
        self.browser.until("!asking")
        first = last = self.server.stats()
        own = 0
        while last["uptime_us"] < first["uptime_us"] + 1500000:
            last = self.server.stats()
            own += 1
        self.assertEqual(last["requests"], first["requests"] + own)
        self.browser.run(hide % "false")
        self.assertEqual(self.drawn(1)["state"], "live")


class Inline(ServerCase):
    OPTIONS = ("--inline",)

    def test_what_the_server_does_not_tell_is_a_dash(self):
        Page.browser.open(self.server.url + "-/")
        Page.browser.log("browser")
        Page.browser.until("page.updates >= 2")
        drawn = Page.browser.run(DRAWN)
        Page.check_figures(self, drawn)
        self.assertIn(["files.threads", "", "\u2013"], drawn["figures"])
        self.assertIn(["writes.engine", "", "\u2013"], drawn["figures"])
        self.assertIn(["reads.engine", "sync", "sync"], drawn["figures"])
        self.assertEqual(Page.browser.log("browser"), [])


class Restart(unittest.TestCase):
    """A server that goes away and comes back on the same port."""

    def test_silence_is_told_and_a_new_run_starts_from_its_own_zero(self):
        browser = Page.browser
        with Server(base.BINARY, ".") as server:
            port = str(server.port)
            browser.open(server.url + "-/")
            for _ in range(50):
                server.get("/-/ping")
            browser.until("page.updates >= 2")
            first = browser.run(DRAWN)
        browser.until("document.body.dataset.state === 'lost'")
        lost = browser.run(DRAWN)
        self.assertRegex(lost["status"], r"^No answer since \d\d:\d\d:\d\d")
        with Server(base.BINARY, ".", "--port", port):
            browser.until("document.body.dataset.state === 'live'")
            again = browser.run(DRAWN)
            self.assertNotEqual(again["now"]["started_unix_us"], first["now"]["started_unix_us"])
            self.assertLess(again["now"]["requests"], first["now"]["requests"])
            if again["updates"] == lost["updates"] + 1:
                self.assertIsNone(again["before"])
            Page.check_figures(self, again)
            browser.until(f"page.updates > {again['updates']}")
            drawn = browser.run(DRAWN)
        Page.check_figures(self, drawn)
        self.assertEqual(drawn["before"]["started_unix_us"], again["now"]["started_unix_us"])
        self.assertGreater(expected("rate:requests", drawn["now"], drawn["before"]), 0)
        errors = [entry for entry in browser.log("browser") if entry["source"] != "network"]
        self.assertEqual(errors, [])


if __name__ == "__main__":
    if not webdriver.find_browser():
        print("skipped: there is no chromium with its driver")
        sys.exit(SKIP)
    base.main()
