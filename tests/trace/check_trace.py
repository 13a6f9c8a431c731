#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_trace.py PROGRAM: runs it with a file to trace into, and holds the trace to what it prints.

check_trace.py --file FILE: holds any trace to the format alone.
"""

import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

complaints = []


def expect(holds, what):
    if not holds:
        complaints.append(what)


def equal(found, wanted, what):
    expect(found == wanted, f"{what}: {found}, not {wanted}")


def read(path):
    trace = json.loads(path.read_text(encoding="ascii"))

    equal(trace["displayTimeUnit"], "ns", "unit")
    return trace["traceEvents"]


def check_nesting(tid, spans):
    """Of one thread: each span lies in the one around it, or does not meet it."""
    open_until = []

    for start, end, name in sorted(spans, key=lambda span: (span[0], -span[1])):
        while open_until and open_until[-1] <= start:
            open_until.pop()
        expect(not open_until or end <= open_until[-1], f"{name} of {tid} at {start} overlaps")
        open_until.append(end)


def check_format(events):
    """What a viewer needs; all times become ns. Returns the spans and the threads' names."""
    spans, names, by_thread = [], {}, collections.defaultdict(list)

    for event in events:
        expect(isinstance(event.get("name"), str) and event["name"], f"no name: {event}")
        expect(event.get("ph") in ("X", "i", "C", "M"), f"what is this: {event}")
        expect(isinstance(event.get("pid"), int) and isinstance(event.get("tid"), int),
               f"whose is this: {event}")
        if event["ph"] == "M":
            if event["name"] == "thread_name":
                names[event["tid"]] = event["args"]["name"]
            continue
        expect(isinstance(event.get("ts"), (int, float)) and event["ts"] >= 0, f"when: {event}")
        event["ts"] = round(event["ts"] * 1000)
        if event["ph"] == "X":
            expect(event.get("dur", -1) >= 0, f"how long: {event}")
            event["end"] = event["ts"] + round(event["dur"] * 1000)
            spans.append(event)
            by_thread[event["tid"]].append((event["ts"], event["end"], event["name"]))
    for tid, of_thread in by_thread.items():
        check_nesting(tid, of_thread)
        expect(names.get(tid), f"thread {tid} has no name")
    equal(len({event["pid"] for event in events}), 1, "processes")
    equal([event["name"] for event in events].count("process_name"), 1, "process names")
    return spans, names


def check_flows(spans, counts):
    """Arrows lead from each submit to its run to its done, and forward in time."""
    flows = collections.defaultdict(list)
    for span in spans:
        if "bind_id" in span:
            flows[span["bind_id"]].append(span)
    equal(len(flows), counts["submits"], "flows")
    lengths = collections.Counter()
    for flow in flows.values():
        flow.sort(key=lambda span: (bool(span.get("flow_in")), not span.get("flow_out")))
        ends = [(bool(span.get("flow_in")), bool(span.get("flow_out"))) for span in flow]
        equal(ends, [(False, True), (True, True), (True, False)][:len(flow)], "arrow")
        times = [span["ts"] for span in flow]
        equal(times, sorted(times), "times of an arrow")
        lengths[len(flow)] += 1
    equal(lengths, collections.Counter({1: counts["skipped"], 2: counts["homeless"],
                                        3: counts["runs"] - counts["homeless"]}), "arrows")


def check_load(events, spans, names, counts, program):
    runs = [span for span in spans if "wait_us" in span["args"]]
    dones = [span for span in spans if "status" in span["args"]]
    batches = [span for span in spans if "completions" in span["args"]]
    submits = [span for span in spans if span["name"] == "submit"]

    equal(len(submits), counts["submits"], "submits")
    equal(len(runs), counts["runs"], "runs")
    equal(len(dones), counts["dones"], "dones")
    equal(sum(1 for span in dones if span["args"]["status"]), counts["skipped"], "skipped")
    equal(sum(span["args"]["completions"] for span in batches), counts["dones"] + counts["posts"],
          "completions")
    equal(sum(span["args"]["timers"] for span in batches), counts["loops"], "timers")
    equal(len(runs) + len(dones) + len(batches) + len(submits), len(spans), "kinds of spans")
    check_flows(spans, counts)

    equal(len({span["tid"] for span in batches}), counts["loops"], "loops' threads")
    for span in batches:
        expect(names[span["tid"]].endswith(" (loop)"), f"{names[span['tid']]} is a loop's thread")
    for span in runs:
        if span["args"]["pool"] != "0x0":
            expect(re.fullmatch(r'load "1"/\d', names[span["tid"]]), f"{names[span['tid']]} ran")
            expect(span["args"]["wait_us"] >= 0, f"waited: {span}")
    expect("run_with_a_name" in {span["name"] for span in runs}, "a function has no name")
    others = {span["name"] for span in runs + dones} - {"run_with_a_name"}
    expect(all(re.fullmatch(re.escape(program) + r"\+0x[0-9a-f]+", name) for name in others),
           f"places of functions: {others}")

    queued = [event for event in events if event["ph"] == "C" and event["name"] == "queued"]
    equal(len(queued), sum(span["args"]["pool"] != "0x0" for span in runs), "lengths of the queue")
    marks = collections.Counter(event["name"] for event in events if event["ph"] == "i")
    expect(marks["thread start"] >= 1, "no thread started")
    equal(marks["thread stop"], marks["thread start"], "threads that stopped")
    lost = [event["args"]["events"] for event in events if event["name"] == "events lost"]
    equal(lost, [0], "events lost")


def main(*args):
    if args[0] == "--file":
        events = read(pathlib.Path(args[1]))
        check_format(events)
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "trace.json")
            counts = json.loads(subprocess.run([*args, path], check=True, timeout=200,
                                               stdout=subprocess.PIPE).stdout)
            events = read(path)
        spans, names = check_format(events)
        check_load(events, spans, names, counts, pathlib.Path(args[-1]).name)
    for complaint in complaints[:20]:
        print(complaint)
    print(f"{len(events)} events")
    return bool(complaints)


sys.exit(main(*sys.argv[1:]))
