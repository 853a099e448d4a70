#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A coordinator that ends in the middle of what it writes, while clients submit and ask again: what was acknowledged is
there once, and the store is sound."""
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import BIN, ProcessTest, main  # noqa: E402
from ridgeline_stack import free_port  # noqa: E402

CRASHED = 86
CLIENTS, SUBMITS = 4, 6
PATIENCE = 240
RECIPE = "name: run\ndataset: {path: /nowhere}\ntraining: {steps: 10}\n"


class Failpoint(ProcessTest):
    def setUp(self):
        super().setUp()
        self.state = self.folder / "state"
        self.recipe = self.folder / "recipe.yaml"
        self.recipe.write_text(RECIPE)
        self.address = f"127.0.0.1:{free_port()}"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("RIDGELINE_")}
        self.acknowledged, self.lock = {}, threading.Lock()
        self.problems = []

    def start_coordinator(self, failpoints=""):
        env = dict(self.env, **({"RIDGELINE_FAILPOINTS": failpoints} if failpoints else {}))
        log = open(self.folder / "coordinator.log", "a", encoding="utf-8")
        self.addCleanup(log.close)
        process = subprocess.Popen([BIN / "ridgeline-coordinator", "--state", self.state, "--listen", self.address,
                                    "--metrics", ""], env=env, stdout=log, stderr=log)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.wait(timeout=60)

    def ridgeline(self, *arguments):
        return subprocess.run([BIN / "ridgeline", *arguments, "--coordinator", self.address], env=self.env,
                              capture_output=True, text=True, timeout=PATIENCE)

    def client(self, number):
        """Submits one after the other, each until it is acknowledged."""
        for i in range(SUBMITS):
            request = f"client-{number}-{i}"
            deadline = time.monotonic() + PATIENCE
            while True:
                done = self.ridgeline("submit", "-f", str(self.recipe), "--request-id", request, "-o", "name")
                if done.returncode == 0:
                    break
                if time.monotonic() > deadline:
                    self.problems.append(f"{request} was never acknowledged: {done.stderr}")
                    return
                time.sleep(0.1)
            with self.lock:
                self.acknowledged[request] = done.stdout.strip().splitlines()[-1].split("/")[-1]

    def crash_at(self, failpoint, visit):
        coordinator = self.start_coordinator(f"{failpoint}=crash@{visit}")
        clients = [threading.Thread(target=self.client, args=(i,)) for i in range(CLIENTS)]
        for client in clients:
            client.start()
        self.assertEqual(coordinator.wait(timeout=PATIENCE), CRASHED, f"{failpoint} was never come to")
        self.start_coordinator()
        for client in clients:
            client.join()
        self.assertEqual(self.problems, [])
        self.everything_is_there_once()

    def everything_is_there_once(self):
        listed = json.loads(self.ridgeline("list", "-o", "json").stdout)
        jobs = listed["jobs"] if isinstance(listed, dict) else listed
        by_request = {}
        for job in jobs:
            by_request.setdefault(job["request_id"], []).append(job["id"])
        self.assertEqual(by_request, {request: [job] for request, job in self.acknowledged.items()})
        self.assertEqual(len(by_request), CLIENTS * SUBMITS)
        check = subprocess.run(["sqlite3", self.state / "journal.db", "PRAGMA integrity_check"], capture_output=True,
                               text=True, timeout=60)
        self.assertEqual(check.stdout.strip(), "ok")

    def test_crash_before_a_commit_loses_nothing_that_was_acknowledged(self):
        self.crash_at("journal.before_commit", 5)

    def test_crash_between_commit_and_acknowledgement_makes_no_job_twice(self):
        self.crash_at("journal.after_commit", 5)

    def test_crash_after_a_commit_was_applied_makes_no_job_twice(self):
        self.crash_at("journal.before_acknowledgement", 5)

    def test_a_failpoint_that_is_none_is_refused(self):
        done = subprocess.run([BIN / "ridgeline-coordinator", "--state", self.state, "--listen", self.address],
                              env=dict(self.env, RIDGELINE_FAILPOINTS="journal.before_commit=fault"),
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("the environment can arm crashes only", done.stderr)


if __name__ == "__main__":
    main()
