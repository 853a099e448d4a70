#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A worker group by deploy/slurm/ridgeline-worker.sbatch on a real one-machine Slurm.

A job trains to its end on two ranks that srun started; then Slurm takes the machine away in the middle of another,
which commits a checkpoint, goes back to the queue without a restart charged, and finishes on the next group. Then
ridgeline-worker-gpu.sbatch on two "GPUs" that only Slurm believes in: Slurm hands them out, and the worker tells that
it cannot have them.
Usage: worker_group_test.py BIN_DIR SOURCE_DIR
"""
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from ridgeline_stack import SKIPPED, Stack  # noqa: E402
from slurm_machine import SlurmMachine, missing_reason  # noqa: E402


def submit_group(slurm, stack, source_dir, file="ridgeline-worker.sbatch", **variables):
    """The Slurm job id of a new worker group."""
    env = dict(slurm.env, RIDGELINE_COORDINATOR=stack.address, RIDGELINE_BIN=str(stack.bin_dir),
               RIDGELINE_WORK_DIR=str(stack.folder / "work"), **variables)
    done = subprocess.run(["sbatch", "--parsable", "--ntasks=2", "--cpus-per-task=1",
                           f"--output={stack.folder}/group-%j.log", f"{source_dir}/deploy/slurm/{file}"],
                          env=env, cwd=stack.folder, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"sbatch: {done.stderr.strip()}")
    return done.stdout.strip()


def wait_until_gone(slurm, slurm_id, seconds=60):
    deadline = time.monotonic() + seconds
    while (state := slurm.job_state(slurm_id)) in ("PENDING", "RUNNING", "COMPLETING"):
        if time.monotonic() > deadline:
            raise RuntimeError(f"Slurm job {slurm_id} is still {state}")
        time.sleep(0.2)
    return state


def check(condition, what, seen):
    if not condition:
        raise RuntimeError(f"{what}; seen: {seen}")
    print(f"ok: {what}", flush=True)


def job_succeeds_on_a_slurm_group(slurm, stack, source_dir):
    slurm_id = submit_group(slurm, stack, source_dir)
    job = stack.wait_for(stack.submit("first", steps=60), lambda j: j["state"] in ("SUCCEEDED", "FAILED"), "its end")
    check(job["state"] == "SUCCEEDED", "a job succeeds on ranks that srun started", job)
    attempt = job["attempts"][0]
    check(attempt["group_id"] == f"slurm-{slurm_id}" and attempt["ranks"] == 2,
          "it ran on the Slurm job's two ranks", attempt)
    return slurm_id


def preempted_job_resumes_on_the_next_group(slurm, stack, source_dir, slurm_id):
    job_id = stack.submit("second", steps=3000)
    stack.wait_for(job_id, lambda j: int(j["progress"]["step"]) >= 40, "step 40")
    slurm.run("scancel", slurm_id)  # What preemption and the time limit do: SIGTERM, and SIGKILL 30 s later.
    wait_until_gone(slurm, slurm_id)
    job = stack.wait_for(job_id, lambda j: j["state"] != "RUNNING", "leaving the machine")
    attempt = job["attempts"][0]
    check(job["state"] == "QUEUED" and attempt["outcome"] == "PREEMPTED" and job["restarts"] == 0,
          "SIGTERM from Slurm queues the job again without a charge", job)
    check("last_checkpoint" in job and int(job["last_checkpoint"]["step"]) >= 40,
          "the checkpoint holds the steps done", job.get("last_checkpoint"))
    second_group = submit_group(slurm, stack, source_dir)
    job = stack.wait_for(job_id, lambda j: j["state"] in ("SUCCEEDED", "FAILED"), "its end", seconds=240)
    check(job["state"] == "SUCCEEDED", "the next group finishes it", job)
    resumed = job["attempts"][1]
    check(resumed["group_id"] == f"slurm-{second_group}" and int(resumed["resumed_from_step"]) >= 40,
          "from the checkpoint, not from the start", resumed)
    return second_group


def group_on_gpus_gets_one_a_rank_or_says_why_not(slurm, stack, source_dir):
    slurm_id = submit_group(slurm, stack, source_dir, "ridgeline-worker-gpu.sbatch")
    state = wait_until_gone(slurm, slurm_id)
    log = (stack.folder / f"group-{slurm_id}.log").read_text()
    check(state == "FAILED" and ("make programs CUDA=1" in log or "sees no GPU" in log),
          "a group that cannot have GPUs ends and says what to do", f"{state}: {log}")
    slurm_id = submit_group(slurm, stack, source_dir, "ridgeline-worker-gpu.sbatch", RIDGELINE_DEVICE="cpu")
    job = stack.wait_for(stack.submit("third", steps=20), lambda j: j["state"] in ("SUCCEEDED", "FAILED"), "its end")
    check(job["state"] == "SUCCEEDED" and job["attempts"][0]["ranks"] == 2,
          "told to take CPUs, it trains on both ranks", job)
    seen = slurm.run("scontrol", "show", "job", slurm_id)
    check("gpu:1" in seen, "Slurm gave it a GPU for each rank", seen)
    slurm.run("scancel", slurm_id)
    wait_until_gone(slurm, slurm_id)


def main():
    bin_dir, source_dir = sys.argv[1], Path(sys.argv[2]).resolve()
    reason = missing_reason()
    if reason:
        print(f"not run: {reason}")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="ridgeline-slurm-") as folder:
        (Path(folder) / "slurm").mkdir()
        with SlurmMachine(Path(folder) / "slurm") as slurm, Stack(bin_dir, folder, ranks=0) as stack:
            try:
                stack.prepare_dataset()
                slurm_id = job_succeeds_on_a_slurm_group(slurm, stack, source_dir)
                second_id = preempted_job_resumes_on_the_next_group(slurm, stack, source_dir, slurm_id)
                slurm.run("scancel", second_id)
                wait_until_gone(slurm, second_id)
                group_on_gpus_gets_one_a_rank_or_says_why_not(slurm, stack, source_dir)
            except Exception:
                print(slurm.logs())
                for log in sorted(Path(folder).glob("group-*.log")):
                    print(f"--- {log.name}\n{log.read_text(errors='replace')[-4000:]}")
                raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
