#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the acceptance on GPUs (tools/gpu_accept.sh) finds missing, and what it says of programs, on a machine that is
made up: nvidia-smi and python3.12 are scripts, the programs of its list are, too."""
import json
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import SOURCE, ProcessTest, main  # noqa: E402

TOOLS = ("awk bash cat cut df dirname env find getconf grep head ldd mkdir paste readlink rm sed sh sleep sort tail "
         "uniq xargs").split()
ANSWER = "580.65.06, NVIDIA H200, 9.0, 143771"
KIBIBYTES = {"little": 1 << 20, "enough": 64 << 20}


class GpuAcceptTest(ProcessTest):
    def setUp(self):
        super().setUp()
        self.path = self.folder / "path"
        self.system = self.folder / "system"
        self.bundle = self.folder / "bundle"
        for folder in (self.path, self.system / "proc", self.bundle / "bin", self.bundle / "tools"):
            folder.mkdir(parents=True)
        for tool in TOOLS:
            (self.path / tool).symlink_to(shutil.which(tool))
        for name in ("gpu_accept.sh", "gpu_accept.py"):
            shutil.copy(SOURCE / "tools" / name, self.bundle / "tools" / name)
        (self.bundle / "glibc").write_text("2.10\n")
        self.write_memory("enough")

    def script(self, path, text):
        path.write_text("#!/bin/sh\n" + text + "\n")
        path.chmod(0o755)

    def write_memory(self, amount):
        (self.system / "proc" / "meminfo").write_text(f"MemAvailable: {KIBIBYTES[amount]} kB\n")

    def add_driver(self, answer=ANSWER, cuda="13.0"):
        self.script(self.path / "nvidia-smi",
                    f'case "$*" in *query*) echo "{answer}" ;; *) echo "| CUDA Version: {cuda} |" ;; esac')

    def add_torch(self, version="2.11.0", with_cuda=True):
        site = self.folder / "site"
        information = site / f"torch-{version}.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
        (site / "torch" / "lib").mkdir(parents=True)
        if with_cuda:
            (site / "torch" / "lib" / "libtorch_cuda.so").touch()
        self.script(self.path / "python3.12", f'PYTHONPATH={site} exec {sys.executable} "$@"')

    def add_programs(self, lines, **programs):
        (self.bundle / "tools" / "gpu_accept.list").write_text(lines)
        for name, text in programs.items():
            self.script(self.bundle / "bin" / name, text)

    def accept(self):
        return subprocess.run([self.bundle / "tools" / "gpu_accept.sh", self.folder / "out"],
                              env={"PATH": str(self.path), "RIDGELINE_SYSTEM": str(self.system)}, cwd=self.folder,
                              capture_output=True, text=True, timeout=60)

    def assert_lacks(self, *words):
        done = self.accept()
        self.assertEqual(done.returncode, 77, done.stdout + done.stderr)
        missing = [line for line in done.stdout.splitlines() if "MISSING" in line]
        self.assertEqual(len(missing), len(words), done.stdout)
        for line, word in zip(missing, words):
            self.assertIn(word, line)
        self.assertFalse((self.folder / "out" / "results.json").exists())

    def results(self, returncode):
        done = self.accept()
        self.assertEqual(done.returncode, returncode, done.stdout + done.stderr)
        return done.stdout, json.loads((self.folder / "out" / "results.json").read_text())

    def test_a_machine_with_nothing_is_told_all_that_it_lacks(self):
        self.assert_lacks("driver", "none of NVIDIA's on the PCI bus", "python3.12", "torch 2.11")

    def test_a_gpu_without_its_driver_is_told_from_no_gpu(self):
        device = self.system / "sys" / "bus" / "pci" / "devices" / "0000:01:00.0"
        device.mkdir(parents=True)
        (device / "vendor").write_text("0x10de\n")
        (device / "class").write_text("0x030200\n")
        self.add_torch()
        self.assert_lacks("no nvidia-smi in PATH")

    def test_what_a_driver_that_fails_says_is_passed_on(self):
        self.add_torch()
        self.script(self.path / "nvidia-smi", "echo couldnt communicate with the driver; exit 9")
        self.assert_lacks("couldnt communicate with the driver")

    def test_a_driver_without_gpus_is_told(self):
        self.add_torch()
        self.add_driver(answer="No devices were found")
        self.assert_lacks("nvidia-smi lists none")

    def test_each_gpu_that_is_too_old_or_too_small_is_named(self):
        self.add_torch()
        self.add_driver(answer=f"{ANSWER}\n1, Tesla V100, 7.0, 32768\n1, NVIDIA A2, 8.6, 15356")
        self.assert_lacks("compute capability 8.0 (GPU 1: Tesla V100", "24 GB of memory (GPU 2: NVIDIA A2")

    def test_a_driver_for_an_older_cuda_is_told_with_the_version_to_install(self):
        self.add_torch()
        self.add_driver(cuda="12.8")
        self.assert_lacks("a driver for CUDA 13.0 (this one runs 12.8): 580 or newer")

    def test_another_torch_is_told_with_the_remedy(self):
        self.add_driver()
        self.add_torch(version="2.9.1")
        self.assert_lacks("torch 2.11 (found: 2.9.1): python3.12 -m pip install torch==2.11.0")

    def test_a_torch_for_cpus_is_told(self):
        self.add_driver()
        self.add_torch(with_cuda=False)
        self.assert_lacks("one for CPUs")

    def test_an_older_c_library_and_little_memory_are_told(self):
        self.add_driver()
        self.add_torch()
        (self.bundle / "glibc").write_text("2.99\n")
        self.write_memory("little")
        self.assert_lacks("glibc 2.99", "16 GiB of free memory (found: 1)")

    def test_a_library_that_programs_do_not_find_is_named(self):
        self.add_driver()
        self.add_torch()
        self.add_programs("steps 20 @steps\n", steps="exit 0")
        (self.path / "ldd").unlink()
        self.script(self.path / "ldd", "echo 'libnccl.so.2 => not found'; echo 'libc.so.6 => /lib/libc.so.6'")
        self.assert_lacks("libnccl.so.2, which programs load")

    def test_figures_of_programs_are_in_the_table_and_in_json(self):
        self.add_driver(answer=f"{ANSWER}\n{ANSWER}")
        self.add_torch()
        self.add_programs("steps 20 @steps {gpus} # as many\n",
                          steps='echo "{\\"check\\": \\"270M\\", \\"ok\\": true, \\"tokens_per_s\\": 5.5,'
                                ' \\"gpus\\": $1}"')
        table, results = self.results(0)
        self.assertRegex(table, r"  270M +ok +tokens_per_s 5.5, gpus 2")
        self.assertIn("1 of 1 passed", table)
        self.assertEqual(results["results"][0]["checks"][0]["tokens_per_s"], 5.5)
        self.assertTrue(results["passed"])

    def test_a_program_fails_if_absent_if_it_cannot_run_by_its_status_by_a_check_and_by_its_time(self):
        self.add_driver()
        self.add_torch()
        self.add_programs("gone 9 @gone\nskips 9 @skips\nfails 9 @fails\nchecks 9 @checks\nhangs 1 @hangs\n",
                          skips="echo no GPU here; exit 77", fails="echo differs in 3 numbers; exit 1",
                          checks='echo "{\\"check\\": \\"losses\\", \\"ok\\": false}"', hangs="sleep 60")
        table, results = self.results(1)
        failures = {result["name"]: result["failure"] for result in results["results"]}
        self.assertEqual(failures, {
            "gone": "not there: gone", "skips": "says that it cannot run: no GPU here",
            "fails": "exit status 1: differs in 3 numbers", "checks": "not ok: losses",
            "hangs": "did not end within 1 s: it printed nothing"})
        self.assertIn("0 of 5 passed", table)
        self.assertFalse(results["passed"])

    def test_programs_of_the_real_list_fit_into_the_time_of_the_acceptance(self):
        lines = (SOURCE / "tools" / "gpu_accept.list").read_text().splitlines()
        seconds = [int(line.split()[1]) for line in lines if line and not line.startswith("#")]
        self.assertGreater(len(seconds), 0)
        self.assertLess(sum(seconds), 480)


if __name__ == "__main__":
    main()
