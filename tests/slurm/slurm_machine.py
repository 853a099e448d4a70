# SPDX-License-Identifier: Apache-2.0
"""A real Slurm on this one machine: munged, slurmctld and slurmd with their own configuration, sockets and ports.

Everything lies in one temporary folder, so that a Slurm that the machine may already run is not touched.
"""
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ["munged", "slurmctld", "slurmd", "srun", "sbatch", "scancel", "squeue", "sinfo", "scontrol"]

CONFIGURATION = """\
ClusterName=ridgelinetest
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=30
MpiDefault=none
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""

# Two "GPUs" that are none: Slurm counts them, and hands out their numbers, without looking into the files.
GPUS = "Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n"


def missing_reason():
    """Why no Slurm can be started here, or None."""
    if os.geteuid() != 0:
        return "slurmd and munged of this test need root"
    absent = [program for program in PROGRAMS if not find(program)]
    if absent:
        return f"not installed: {', '.join(absent)} (Debian: apt-get install slurm-wlm munge)"
    return None


def find(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class SlurmMachine:
    """Use with `with`: the daemons live inside the block. `env` is what Slurm's commands need."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.env = dict(os.environ, SLURM_CONF=str(self.folder / "slurm.conf"))
        self.daemons = []

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        self._end_jobs()
        for process in reversed(self.daemons):
            process.terminate()
        for process in self.daemons:
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def run(self, *command, check=True):
        """Output of a Slurm command."""
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=120)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} exited {done.returncode}: {done.stderr.strip()}")
        return done.stdout.strip()

    def job_state(self, job_id):
        """PENDING, RUNNING, COMPLETED, ..."""
        for word in self.run("scontrol", "show", "job", str(job_id)).split():
            if word.startswith("JobState="):
                return word.removeprefix("JobState=")
        raise RuntimeError(f"scontrol knows no job {job_id}")

    def logs(self):
        """The ends of the daemons' logs, for a failure's report."""
        parts = []
        for log in sorted(self.folder.glob("*.log")):
            parts.append(f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:]))
        return "\n".join(parts)

    def _start(self):
        host = socket.gethostname().split(".")[0]
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        self.folder.chmod(0o755)
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(
            host=host, folder=self.folder, ctld_port=free_port(), slurmd_port=free_port()))
        (self.folder / "gres.conf").write_text(GPUS)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self._daemon("munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket", f"--key-file={key}",
                     f"--pid-file={self.folder}/munged.pid", f"--seed-file={self.folder}/munge.seed",
                     f"--log-file={self.folder}/munged.log")
        self._wait_until(lambda: (self.folder / "munge.socket").exists(), "munged opens its socket")
        self._daemon("slurmctld", "-D", "-i")
        self._daemon("slurmd", "-D", "-N", host)
        self._wait_until(lambda: self.run("sinfo", "-h", "-o", "%t", check=False) == "idle", "the node is idle")

    def _end_jobs(self):
        """Ranks must not outlive their Slurm."""
        if len(self.daemons) < 3:
            return
        self.run("scancel", "--signal=KILL", "--full", "--user=root", check=False)
        self.run("scancel", "--user=root", check=False)
        deadline = time.monotonic() + 40
        while self.run("squeue", "-h", check=False) and time.monotonic() < deadline:
            time.sleep(0.2)

    def _daemon(self, program, *arguments):
        with open(self.folder / f"{program}.out.log", "wb") as log:
            self.daemons.append(subprocess.Popen([find(program), *arguments], env=self.env, stdin=subprocess.DEVNULL,
                                                 stdout=log, stderr=log))

    def _wait_until(self, condition, what, seconds=60):
        deadline = time.monotonic() + seconds
        while not condition():
            ended = [p.args[0] for p in self.daemons if p.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise RuntimeError(f"waited for: {what}; ended: {ended}\n{self.logs()}")
            time.sleep(0.2)
