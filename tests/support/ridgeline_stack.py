# SPDX-License-Identifier: Apache-2.0
"""The real programs, driven by their command line: for tests that need a coordinator with a job running."""
import json
import os
import socket
import subprocess
import time
from pathlib import Path

# CTest's code for "not run".
SKIPPED = 77

RECIPE = """\
name: {name}
model: {{name: gpt, n_layers: 1, dim: 32, n_heads: 2}}
dataset: {{path: {dataset}}}
training: {{seq_len: 32, global_batch_size: 4, steps: {steps}}}
optimizer: {{lr: 1e-3}}
quant:
  estimator: ridge
  weight: {{format: int1, scheme: affine, block: 32}}
  activation: {{format: int1, scheme: affine, block: 32}}
checkpoint: {{interval: 20}}
validation: {{interval: 20, sequences: 4}}
"""


def free_port():
    """One that was free a moment ago, for programs that come back on the same one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Stack:
    """An embedded coordinator, with a local worker group where ranks > 0. Use with `with`."""

    def __init__(self, bin_dir, folder, ranks):
        self.bin_dir = Path(bin_dir).resolve()
        self.folder = Path(folder)
        self.ranks = ranks
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("RIDGELINE_")}
        self.env["RIDGELINE_STATE"] = str(self.folder / "state")
        self.dataset = self.folder / "dataset"

    def __enter__(self):
        self.ridgeline("up", "--ranks", str(self.ranks), "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
        where = json.loads((self.folder / "state" / "coordinator.json").read_text())
        self.address, self.metrics_address = where["address"], where["metrics_address"]
        return self

    def __exit__(self, *unused):
        self.ridgeline("down", check=False)

    def ridgeline(self, *arguments, check=True, timeout=240):
        done = subprocess.run([self.bin_dir / "ridgeline", *arguments], env=self.env, capture_output=True, text=True,
                              timeout=timeout)
        if check and done.returncode != 0:
            raise RuntimeError(f"ridgeline {' '.join(arguments)} exited {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def prepare_dataset(self):
        text = self.folder / "text.txt"
        text.write_text("".join(f"{i} bottles of beer on the wall, {i * 7 % 100} more to fall.\n" for i in range(400)))
        self.ridgeline("data", "prepare", "--text", str(text), "--out", str(self.dataset))

    def submit(self, name, steps, more="", model=True):
        """The new job's id. `more` are further lines of its recipe; they hold the model where `model` is false."""
        recipe = self.folder / f"{name}.yaml"
        lines = RECIPE.format(name=name, dataset=self.dataset, steps=steps).splitlines(keepends=True)
        recipe.write_text("".join(line for line in lines if model or not line.startswith("model:")) + more)
        return self.ridgeline("submit", "-f", str(recipe), "-o", "name").strip().splitlines()[-1].split("/")[-1]

    def job(self, job_id):
        return json.loads(self.ridgeline("get", job_id, "-o", "json"))

    def wait_for(self, job_id, condition, what, seconds=120):
        """The job, once condition(job) holds."""
        deadline = time.monotonic() + seconds
        while True:
            job = self.job(job_id)
            if condition(job):
                return job
            if time.monotonic() > deadline:
                raise RuntimeError(f"{job_id} never came to: {what}; it is {json.dumps(job, indent=1)}\n"
                                   f"{self.ridgeline('logs', job_id, check=False)}")
            time.sleep(0.2)

    def start_group(self, name, ranks, work_dir, *flags, places=None, **popen):
        """A worker group beside the stack's own: the mpirun process, which the caller ends. `places` maps each rank to
        the folder that it starts in."""
        env = dict(self.env, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMP_NUM_THREADS="1")
        worker = [self.bin_dir / "ridgeline-worker", "--coordinator", self.address, "--group", name, "--work-dir",
                  work_dir, *flags]
        command = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks), *worker]
        if places:
            command = ["mpirun", "--oversubscribe", "--bind-to", "none"]
            for rank in range(ranks):
                command += [*([":"] if rank else []), "-n", "1", "-wdir", places[rank], *worker]
        return subprocess.Popen(command, env=env, **{"stdout": subprocess.DEVNULL, **popen})

    def wait_for_workers(self, count, seconds=120):
        """Returns once that many groups are attached."""
        deadline = time.monotonic() + seconds
        while len(json.loads(self.ridgeline("worker", "list", "-o", "json")).get("groups", [])) < count:
            if time.monotonic() > deadline:
                raise RuntimeError("the worker group never attached")
            time.sleep(0.2)

    def ranks_of(self):
        """Process ids of the worker ranks of this stack, by rank."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                pairs = (item.split("=", 1) for item in (entry / "environ").read_text().split("\0") if "=" in item)
                environment = dict(pairs)
                program = os.readlink(entry / "exe")
            except (OSError, ValueError):
                continue
            is_worker = program.endswith("/ridgeline-worker")
            if is_worker and environment.get("RIDGELINE_STATE") == self.env["RIDGELINE_STATE"]:
                found[int(environment["OMPI_COMM_WORLD_RANK"])] = int(entry.name)
        return found
