# SPDX-License-Identifier: MIT
"""What the server answers of itself, beneath /-/."""
import os
import signal
import time

import base
from base import ServerCase


class Lag(ServerCase):
    def test_a_loop_that_is_away_is_late_in_each_second_of_it(self):
        """The server is stopped as a whole; how long, this clock tells. Time itself is tested."""
        process = self.server.process
        longest = self.server.stats()["lag"]["longest_us"]
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        begin = time.monotonic()
        signal.sigtimedwait([], 2.2)
        away_us = (time.monotonic() - begin) * 1e6
        process.send_signal(signal.SIGCONT)
        late_us = away_us - 10000

        def late():
            return [us for us in self.server.stats()["lag"]["per_second_us"] if us >= late_us]
        self.until("the lag is not told", lambda: len(late()) >= 3)
        lag = self.server.stats()["lag"]
        self.assertGreaterEqual(lag["longest_us"], max(longest, late_us))
        self.assertEqual(max(lag["per_second_us"]), lag["longest_us"])

    def test_each_second_that_is_over_has_its_lag(self):
        stats = self.server.stats()
        passed = stats["uptime_us"] // 1000000
        self.assertIn(len(stats["lag"]["per_second_us"]) - min(60, passed), (-1, 0))
        self.assertLessEqual(max(stats["lag"]["per_second_us"], default=0),
                             stats["lag"]["longest_us"])
        self.assertAlmostEqual(stats["started_unix_us"] / 1e6 + stats["uptime_us"] / 1e6,
                               time.time(), delta=60)


if __name__ == "__main__":
    base.main()
