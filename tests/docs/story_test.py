#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands of docs/README.md, run as a reader would."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import BIN, SOURCE, ProcessTest, main  # noqa: E402


class StoryTest(ProcessTest):
    def test_every_block_of_the_story_runs(self):
        if not shutil.which("bible"):
            self.skipTest("not run: the program bible is missing (Debian: apt-get install bible-kjv)")
        text = (SOURCE / "docs" / "README.md").read_text(encoding="utf-8")
        blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        self.assertGreater(len(blocks), 5)
        env = {key: value for key, value in os.environ.items() if not key.startswith("RIDGELINE_")}
        env["PATH"] = f"{BIN.resolve()}:{env['PATH']}"
        env["OMP_WAIT_POLICY"] = "passive"  # Other tests may want the cores.
        script = "set -euo pipefail\ntrap 'ridgeline down > /dev/null' EXIT\n" + "".join(blocks)
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, env=env, capture_output=True, text=True,
                              timeout=1500)
        self.assertEqual(done.returncode, 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        lines = (self.folder / "frontier.csv").read_text(encoding="utf-8").splitlines()
        self.assertEqual(len(lines), 4, lines)
        self.assertGreater((self.folder / "frontier.svg").stat().st_size, 1000)


if __name__ == "__main__":
    main()
