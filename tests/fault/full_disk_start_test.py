#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A coordinator that is started on a full disk: it shows what it has, says that it takes nothing, and takes it again by
itself when there is space."""
import json
import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import BIN, ProcessTest, main  # noqa: E402
from ridgeline_stack import free_port  # noqa: E402

RECIPE = "name: run\ndataset: {path: /nowhere}\ntraining: {steps: 10}\n"


class FullDiskStart(ProcessTest):
    def setUp(self):
        super().setUp()
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(self.disk)],
                                 capture_output=True, check=False)
        if mounted.returncode != 0:
            raise unittest.SkipTest("needs the right to mount a tmpfs")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.disk)], check=False)
        self.state = self.disk / "state"
        self.log = self.folder / "coordinator.log"
        self.recipe = self.folder / "recipe.yaml"
        self.recipe.write_text(RECIPE)
        self.address = f"127.0.0.1:{free_port()}"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("RIDGELINE_")}

    def tearDown(self):
        self.doCleanups()  # Ends the coordinator and unmounts the disk before the folder is removed.
        super().tearDown()

    def start_coordinator(self):
        log = open(self.log, "a", encoding="utf-8")
        self.addCleanup(log.close)
        process = subprocess.Popen([BIN / "ridgeline-coordinator", "--state", self.state, "--listen", self.address,
                                    "--metrics", ""], env=self.env, stdout=log, stderr=log)
        self.addCleanup(self.end, process, signal.SIGKILL)
        self.until(lambda: self.ridgeline("list").returncode == 0, "an answer")
        return process

    @staticmethod
    def end(process, how):
        if process.poll() is None:
            process.send_signal(how)
        return process.wait(timeout=60)

    def ridgeline(self, *arguments):
        return subprocess.run([BIN / "ridgeline", *arguments, "--coordinator", self.address], env=self.env,
                              capture_output=True, text=True, timeout=120)

    def submit(self):
        return self.ridgeline("submit", "-f", str(self.recipe), "-o", "name")

    def jobs(self):
        listed = json.loads(self.ridgeline("list", "-o", "json").stdout)
        return sorted(job["id"] for job in (listed["jobs"] if isinstance(listed, dict) else listed))

    def until(self, holds, what, seconds=60):
        deadline = time.monotonic() + seconds
        while not holds():
            self.assertLess(time.monotonic(), deadline, f"never came to: {what}\n{self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def fill(self):
        with open(self.disk / "filler", "wb", buffering=0) as filler:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while True:
                        filler.write(b"x" * size)
                except OSError:
                    continue

    def starts_on_a_full_disk(self, ended_by):
        coordinator = self.start_coordinator()
        for _ in range(3):
            self.assertEqual(self.submit().returncode, 0)
        self.end(coordinator, ended_by)
        self.fill()

        coordinator = self.start_coordinator()
        self.assertEqual(self.jobs(), ["job-1", "job-2", "job-3"])
        refused = self.submit()
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("free space", refused.stderr)
        self.assertIn("the journal cannot be written", self.log.read_text())
        self.assertEqual(self.jobs(), ["job-1", "job-2", "job-3"])

        (self.disk / "filler").unlink()
        self.until(lambda: "the journal can be written again" in self.log.read_text(), "space that it finds by itself")
        self.until(lambda: (self.state / "coordinator.json").exists() and json.loads(
            (self.state / "coordinator.json").read_text())["pid"] == coordinator.pid, "the file with its address")
        done = self.submit()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.end(coordinator, signal.SIGTERM), 0)
        self.start_coordinator()
        self.assertEqual(self.jobs(), ["job-1", "job-2", "job-3", "job-4"])

    def test_after_a_clean_stop_it_reads_refuses_and_recovers(self):
        self.starts_on_a_full_disk(signal.SIGTERM)

    def test_after_a_kill_it_reads_refuses_and_recovers(self):
        self.starts_on_a_full_disk(signal.SIGKILL)


if __name__ == "__main__":
    main()
