#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A worker group as a Kubernetes pod has it, with the command and arguments of deploy/kubernetes: it is asked to end,
and one of its ranks dies."""
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import BIN, SOURCE, ProcessTest, main  # noqa: E402

PATIENCE = 240
MANIFEST = SOURCE / "deploy" / "kubernetes" / "base" / "worker.yaml"


def of_manifest(ranks, group, work_dir):
    """The container's command with its arguments, and the pod's grace in seconds."""
    text = MANIFEST.read_text(encoding="utf-8")
    command = re.search(r'command: \["([^"]+)"\]', text)[1]
    lines = re.search(r"\n +args:\n((?: +- .*\n)+)", text)[1].splitlines()
    arguments = [line.strip().removeprefix("- ").strip('"') for line in lines]
    values = {"$(RANKS)": str(ranks), "$(POD_NAME)": group, "--work-dir=/work": f"--work-dir={work_dir}"}
    for name, value in values.items():
        arguments = [argument.replace(name, value) for argument in arguments]
    grace = int(re.search(r"terminationGracePeriodSeconds: (\d+)", text)[1])
    return [str(SOURCE / "deploy" / "container" / command), *arguments], grace


class Eviction(ProcessTest):
    def pod(self, stack, ranks=2):
        """The first process of a pod's container, in a process group of its own, and the pod's grace."""
        command, grace = of_manifest(ranks, "pod-0", self.folder / "work")
        env = dict(stack.env, RIDGELINE_COORDINATOR=stack.address, PATH=f"{BIN}:{os.environ['PATH']}",
                   OMP_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                   OMPI_MCA_rmaps_base_oversubscribe="1", OMPI_MCA_hwloc_base_binding_policy="none")
        with open(self.folder / "pod.log", "w", encoding="utf-8") as log:
            pod = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
        self.addCleanup(self.end, pod)
        stack.wait_for_workers(1)
        return pod, grace

    def end(self, pod):
        try:
            os.killpg(pod.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        pod.wait(timeout=60)

    def tearDown(self):
        self.doCleanups()
        super().tearDown()

    def assert_ends_within(self, pod, seconds):
        try:
            pod.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.fail(f"the pod still runs: {(self.folder / 'pod.log').read_text()}")

    def endless_job(self, stack):
        job = stack.submit("job", 1000000)
        stack.wait_for(job, lambda j: int(j.get("progress", {}).get("step", 0)) >= 10, "ten steps", PATIENCE)
        return job

    def test_AnEvictedPodCommitsACheckpointLongBeforeItsGraceIsOver(self):
        stack = self.start(ranks=0)
        pod, grace = self.pod(stack)
        job = self.endless_job(stack)
        pod.send_signal(signal.SIGTERM)  # Kubernetes sends it to the first process alone.
        self.assert_ends_within(pod, grace / 2)
        ended = stack.wait_for(job, lambda j: j["state"] == "QUEUED", "the queue")
        self.assertEqual(ended["attempts"][0]["outcome"], "PREEMPTED")
        self.assertEqual(int(ended.get("restarts", 0)), 0)
        step = int(re.search(r"at step (\d+)", ended["attempts"][0]["detail"])[1])
        self.assertEqual(int(ended["last_checkpoint"]["step"]), step, "the one that it was asked for")

    def test_AnEvictedPodThatIsIdleEndsAtOnce(self):
        stack = self.start(ranks=0)
        pod, grace = self.pod(stack)
        pod.send_signal(signal.SIGTERM)
        self.assert_ends_within(pod, grace / 2)
        self.assertEqual(pod.returncode, 0)

    def test_APodThatLosesARankEndsWithinSecondsAndItsJobIsFree(self):
        stack = self.start(ranks=0)
        pod, grace = self.pod(stack)
        job = self.endless_job(stack)
        start = time.monotonic()
        os.kill(stack.ranks_of()[1], signal.SIGKILL)
        self.assert_ends_within(pod, grace / 2)
        self.assertNotEqual(pod.returncode, 0)
        stack.wait_for(job, lambda j: j["state"] == "QUEUED", "the queue", grace - (time.monotonic() - start))


if __name__ == "__main__":
    main()
