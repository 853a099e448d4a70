#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A wall clock that jumps by an hour under a coordinator with a job running: jobs start and end, whoever watches is
served, leases run out and do not run out, and no duration is negative."""
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import BIN, ProcessTest, main  # noqa: E402
from ridgeline_stack import Stack, free_port  # noqa: E402

HOUR = 3600
LEASE_MS = 4000
SHIM = BIN.parent / "tests" / "libwall_clock_shim.so"


def has_stepped(job):
    return int(job.get("progress", {}).get("step", 0)) > 0


class ClockJump(ProcessTest):
    def setUp(self):
        super().setUp()
        self.clock = self.folder / "clock"
        self.jump(0)
        self.stack = Stack(BIN, self.folder, 0)
        self.stack.address = f"127.0.0.1:{free_port()}"
        self.stack.env["RIDGELINE_COORDINATOR"] = self.stack.address
        self.stack.prepare_dataset()
        env = dict(self.stack.env, LD_PRELOAD=str(SHIM), RIDGELINE_WALL_CLOCK=str(self.clock))
        self.spawn([BIN / "ridgeline-coordinator", "--state", self.folder / "state", "--listen", self.stack.address,
                    "--metrics", "", "--heartbeat-ms", "200", "--lease-ms", str(LEASE_MS)], env)
        self.group = self.stack.start_group("group", 1, self.folder / "work", stderr=subprocess.DEVNULL)
        self.addCleanup(self.end, self.group)
        self.stack.wait_for_workers(1)

    def tearDown(self):
        self.doCleanups()  # Ends programs before their folder is removed.
        super().tearDown()

    def jump(self, seconds):
        """In one write, as the shim reads it."""
        with open(self.clock, "r+b" if self.clock.exists() else "wb", buffering=0) as file:
            file.write(struct.pack("=q", seconds))

    def spawn(self, command, env, **popen):
        process = subprocess.Popen(command, env=env, **{"stderr": subprocess.DEVNULL, **popen})
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait(timeout=60)

    def ranks(self):
        """Process ids of the group's ranks: mpirun's children."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == self.group.pid:
                found.append(int(stat.parent.name))
        return found

    def submit_running(self, name, steps):
        job = self.stack.submit(name, steps)
        self.stack.wait_for(job, has_stepped, "its first step")
        return job

    def nothing_stands_still(self, jump):
        first = self.submit_running("first", 400)
        watch = self.spawn([BIN / "ridgeline", "watch", first], self.stack.env, stdout=subprocess.DEVNULL)
        wait = self.spawn([BIN / "ridgeline", "wait", first], self.stack.env, stdout=subprocess.DEVNULL)
        self.jump(jump)
        # Waits behind the first one: somebody has to start it when that has ended.
        second = self.stack.submit("second", 20)
        self.assertEqual(wait.wait(timeout=240), 0)
        self.assertEqual(watch.wait(timeout=60), 0)
        ended = self.stack.wait_for(second, lambda j: j["state"] == "SUCCEEDED", "its end")
        self.assertEqual(int(self.stack.job(first).get("restarts", 0)), 0, "its lease did not run out")
        moved = (int(ended["submit_unix_ms"]) - int(self.stack.job(first)["submit_unix_ms"])) / 1000
        self.assertLess(abs(moved - jump), 600, "the coordinator's clock has jumped")
        for job in (first, second):
            for attempt in self.stack.job(job)["attempts"]:
                self.assertGreaterEqual(int(attempt["end_unix_ms"]), int(attempt["start_unix_ms"]))

    def test_a_clock_that_jumps_back_an_hour_holds_up_nobody(self):
        self.nothing_stands_still(-HOUR)

    def test_a_clock_that_jumps_ahead_an_hour_ends_no_lease(self):
        self.nothing_stands_still(HOUR)

    def test_a_lease_runs_out_in_its_time_when_the_clock_jumps_back(self):
        job = self.submit_running("job", 2000)
        ranks = self.ranks()
        self.assertEqual(len(ranks), 1)
        os.kill(ranks[0], signal.SIGSTOP)
        self.jump(-HOUR)
        stopped = time.monotonic()
        self.stack.wait_for(job, lambda j: j["attempts"][0].get("outcome") == "LOST", "the end of its lease", 60)
        self.assertGreater(time.monotonic() - stopped, LEASE_MS / 1000 / 2)
        os.kill(ranks[0], signal.SIGCONT)


if __name__ == "__main__":
    main()
