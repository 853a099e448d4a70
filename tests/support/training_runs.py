# SPDX-License-Identifier: Apache-2.0
"""Trainings of the same recipes on groups of so many ranks, and how far apart two of them are."""
import contextlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

PATIENCE_SECONDS = 900


@dataclass
class Run:
    """What a finished job left."""

    job: str
    losses: dict  # Training loss of each step.
    held_out: float  # At the end.
    folder: Path  # Its own in the work folder.

    def checkpoint(self):
        """The folder of the last one."""
        return max((self.folder / "checkpoints").iterdir())

    def artifact_files(self):
        """{name: bytes} of the model that it exported."""
        return {file.name: file.read_bytes() for file in sorted((self.folder / "artifacts" / "model").iterdir())}


def losses_of(stack, job):
    """Training loss of each step, and the last held-out loss."""
    (shown,) = json.loads(stack.ridgeline("compare", job, "-o", "json"))["jobs"]
    losses = {int(p["step"]): p["train_loss"] for p in shown["points"] if "train_loss" in p}
    return losses, [p["validation_loss"] for p in shown["points"] if "validation_loss" in p][-1]


def relative_difference(a, b):
    """The largest between the losses of two runs of as many steps, as a share of the second's."""
    if a.losses.keys() != b.losses.keys():
        raise ValueError(f"the steps of {a.job} are not those of {b.job}")
    pairs = [(a.held_out, b.held_out), *((a.losses[step], b.losses[step]) for step in a.losses)]
    return max(abs(x - y) / abs(y) for x, y in pairs)


@contextlib.contextmanager
def group_of(stack, ranks, *flags, name=None, work=None):
    """A group of that many ranks, which takes jobs until the block ends: its mpirun process and its work folder."""
    name = name or f"group-{ranks}"
    work = work or stack.folder / f"work-{name}"
    with open(stack.folder / f"{name}.log", "a", encoding="utf-8") as log:
        group = stack.start_group(name, ranks, work, *flags, stderr=log)
    try:
        stack.wait_for_workers(1)
        yield group, work
    finally:
        group.terminate()
        try:
            group.wait(timeout=60)
        except subprocess.TimeoutExpired:
            group.kill()
            group.wait(timeout=60)


def submit_cases(stack, name, recipe, cases):
    """{case: id of its job}, the jobs of one sweep. `cases` maps names to the keys that they set."""
    path = stack.folder / f"{name}.json"
    listed = [{"name": case, "set": {key: str(value) for key, value in settings.items()}}
              for case, settings in cases.items()]
    path.write_text(json.dumps({"name": name, **recipe, "sweep": {"method": "cases", "cases": listed}}),
                    encoding="utf-8")
    parent = stack.ridgeline("submit", "-f", str(path), "-o", "name").strip().splitlines()[-1].split("/")[-1]
    stack.wait_for(parent, lambda job: len(job.get("child_ids", [])) == len(cases), "its children")
    return dict(zip(cases, stack.job(parent)["child_ids"]))


def train(stack, ranks, name, recipe, cases):
    """{case: Run}, of the cases of `recipe` on one group of that many ranks."""
    with group_of(stack, ranks) as (_, work):
        jobs = submit_cases(stack, f"{name}-{ranks}", recipe, cases)
        runs = {}
        for case, job in jobs.items():
            stack.ridgeline("wait", job, "--timeout", f"{PATIENCE_SECONDS}s", timeout=PATIENCE_SECONDS + 60)
            runs[case] = Run(job, *losses_of(stack, job), work / "jobs" / job)
        return runs
