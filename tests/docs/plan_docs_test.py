#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of Gemma 3 on H100s in docs/plan.md is what the command above it prints, and those of docs/scaling.md are
what tools/scaling_tables.py makes of `ridgeline plan`."""
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import BIN, SOURCE, ProcessTest, main  # noqa: E402

GIB = 2**30


def gib(size):
    return f"{size / GIB:.1f}" if size else "0"


def stored(size):
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / 2**20:.0f} MiB"


def row_of(plan):
    memory = plan["memory_bytes"]
    return [plan["model"].removeprefix("gemma3-").upper(), str(plan["ranks"]),
            gib(memory["masters"] + memory["compute_copies"]), gib(memory["gradients"]), gib(memory["optimizer"]),
            gib(memory["activations"]), gib(memory["working"]), gib(memory["peak"]), "yes" if plan["fits"] else "no",
            gib(plan["wire_bytes_per_step"]), f"{plan['step_seconds']:.3g} s",
            stored(plan["storage_bytes"]), f"{plan['energy_proxy'] / 1e9:.3g}G"]


class PlanDocsTest(ProcessTest):
    def test_the_planned_figures_are_those_of_the_command(self):
        section = (SOURCE / "docs" / "plan.md").read_text(encoding="utf-8").split("## Gemma 3 on H100s")[1]
        arguments, recipe = re.search(r"ridgeline (plan .*) <<'RECIPE'\n(.*?)    RECIPE", section, re.DOTALL).groups()
        done = subprocess.run([BIN / "ridgeline", *arguments.split(), "-o", "json"], input=textwrap.dedent(recipe),
                              capture_output=True, text=True, timeout=240)
        self.assertEqual(done.returncode, 0, done.stderr)
        plans = json.loads(done.stdout)["plans"]
        self.assertEqual(len(plans), 9)
        table = re.search(r"^\| shape .*\n\|[-|]+\n((?:\|.*\n)+)", section, re.MULTILINE)[1]
        written = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
        self.assertEqual(written, [row_of(plan) for plan in plans])

    def test_the_tables_of_scaling_are_those_of_their_tool(self):
        done = subprocess.run([sys.executable, SOURCE / "tools" / "scaling_tables.py", "--check"], capture_output=True,
                              text=True, timeout=240)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    main()
