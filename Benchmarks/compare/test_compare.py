"""Tests of the comparison itself: python3 -m unittest discover -s Benchmarks/compare

The two programs in C are driven over sockets; judgement, tables and picture are fed with numbers
whose outcome is known."""

import os
import socket
import tempfile
import types
import unittest
import xml.dom.minidom

import bars
import bench
import check
import plot
import process
import report
import wire
from cases import BROWSER_FIELDS, CASES


def server(name, kind):
    return types.SimpleNamespace(
        name=name, label=name.title(), kind=kind, log_note="off", logged=None)


def measured(**cpu):
    """A measurement of hit-1k in which each server has these CPU times, round by round."""
    kinds = {"edgecache": "ours", "h2o": "static", "floor": "floor"}
    case = next(case for case in CASES if case.name == "hit-1k")
    values = {name: [{"cpu": value, "rate": 1e6 / value, "p50": 1, "p99": 2, "p999": 3,
                      "busy": 1, "forwarded": 0, "asked": None} for value in rounds]
              for name, rounds in cpu.items()}
    servers = [server(name, kinds.get(name, "caching")) for name in cpu]
    return types.SimpleNamespace(
        servers=servers, cases=[case], values={"hit-1k": values},
        reasons={"hit-1k": {name: "cannot" for name in cpu if not cpu[name]}},
        memory={name: {} for name in cpu}, idle_cpu={})


def verdicts(measurement):
    return {bar["against"]: bar for bar in bars.judge(measurement) if bar["case"] == "hit-1k"}


class Bars(unittest.TestCase):
    def test_ratio_is_the_median_of_the_rounds_ratios(self):
        # The medians are 10 and 20; one slow round for both moves neither ratio.
        found = verdicts(measured(edgecache=[10, 10, 50], nginx=[20, 20, 100]))
        self.assertAlmostEqual(found["nginx"]["measured"], 0.5)
        self.assertEqual(found["nginx"]["verdict"], "pass")

    def test_best_caching_peer_is_the_cheapest_and_not_the_static_one(self):
        found = verdicts(measured(edgecache=[10], nginx=[20], haproxy=[8], h2o=[1], floor=[5]))
        self.assertEqual(found["best caching peer"]["peer"], "Haproxy")
        self.assertEqual(found["best caching peer"]["verdict"], "fail")
        self.assertEqual(found["floor"]["measured"], 2)

    def test_a_case_that_we_cannot_do_is_a_bar_missed(self):
        found = verdicts(measured(edgecache=[], nginx=[20]))
        self.assertEqual(found["nginx"]["verdict"], "fail")
        self.assertEqual(found["nginx"]["reason"], "cannot")

    def test_a_peer_that_was_left_out_decides_nothing(self):
        found = verdicts(measured(edgecache=[10], haproxy=[20]))
        self.assertEqual(found["nginx"]["verdict"], "not measured")


class Output(unittest.TestCase):
    def test_tables_and_picture(self):
        measurement = measured(edgecache=[10], nginx=[100], varnish=[])
        about = {"date": "today", "rounds": 1, "seconds": 1, "cpu": "a <fast> one",
                 "kernel": "6", "versions": {"nginx": "1"}}
        results = report.collect(measurement, bars.judge(measurement), about)
        text = report.markdown(results)
        self.assertIn("| hit, 1 KB | 10.0 (1.00) | 100 (0.10) | n/a [1] |", text)
        self.assertIn("[1] cannot", text)
        xml.dom.minidom.parseString(plot.picture(results))

    def test_a_browsers_head_has_about_700_bytes_of_fields(self):
        length = sum(len(line) + 2 for line in BROWSER_FIELDS)
        self.assertTrue(650 <= length <= 750, length)


class Programs(unittest.TestCase):
    """The floor and the origin."""

    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory()
        bench.compile_programs(cls.place.name)
        cpu = min(os.sched_getaffinity(0))
        cls.floor_port, cls.range_port, cls.origin_port = (process.free_port() for _ in range(3))
        log = os.path.join(cls.place.name, "log")
        cls.running = [
            process.start([os.path.join(cls.place.name, "floor"),
                           f"{cls.floor_port}:200:1048576", f"{cls.range_port}:206:1024"],
                          cpu, log),
            process.start([os.path.join(cls.place.name, "origin"), str(cls.origin_port)], cpu, log)]
        process.wait_for_port(cls.running[0], cls.floor_port, log)
        process.wait_for_port(cls.running[1], cls.origin_port, log)

    @classmethod
    def tearDownClass(cls):
        for running in cls.running:
            process.stop(running)
        cls.place.cleanup()

    def test_floor_answers_with_what_its_port_stands_for(self):
        whole, part = wire.ask(self.floor_port, "/"), wire.ask(self.range_port, "/")
        self.assertEqual((whole.status, whole.length), (200, 1048576))
        self.assertEqual((part.status, part.length), (206, 1024))

    def test_origin_tells_what_may_be_stored_and_counts(self):
        before = check.origin_count(self.origin_port)
        stored = wire.ask(self.origin_port, "/bytes/7/a")
        passed = wire.ask(self.origin_port, "/api/bytes/9", "POST", body=16384)
        self.assertEqual((stored.length, stored.fields["cache-control"]), (7, "max-age=3600"))
        self.assertEqual((passed.length, passed.fields["cache-control"]), (9, "no-store"))
        self.assertEqual(check.origin_count(self.origin_port), before + 2)

    def test_pipelined_requests_to_a_slow_reader_are_answered_in_order(self):
        sizes = [100000 + number for number in range(20)]
        with socket.create_connection(("127.0.0.1", self.origin_port), 10) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
            bytes_ = b"".join(wire.head("GET", f"/bytes/{size}/x", 1) for size in sizes)
            bytes_ += wire.head("POST", "/api/bytes/5", 1, body=40000)
            last = wire.head("GET", "/bytes/7/x", 1)
            connection.sendall(bytes_ + last[:9])
            with connection.makefile("rb") as stream:
                answers = [wire.read(stream) for _ in sizes]
                connection.sendall(last[9:])
                answers += [wire.read(stream), wire.read(stream)]
        self.assertEqual([answer.length for answer in answers], sizes + [5, 7])

    def test_cpu_and_memory_are_read(self):
        pid = self.running[0].pid
        before = process.cpu_seconds([pid])
        for _ in range(20):
            wire.ask(self.floor_port, "/")
        self.assertGreater(process.cpu_between(before, process.cpu_seconds([pid])), 0)
        self.assertGreater(process.memory_bytes([pid]), 1 << 20)


if __name__ == "__main__":
    unittest.main()
