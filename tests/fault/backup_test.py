#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`ridgeline admin backup`, `verify` and `restore` beside a coordinator that runs, and without one."""
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import ProcessTest, main  # noqa: E402

CONFLICT, NOT_FOUND = 6, 3


class Backup(ProcessTest):
    def jobs(self, stack):
        listed = json.loads(stack.ridgeline("list", "-o", "json"))
        return sorted(job["id"] for job in (listed["jobs"] if isinstance(listed, dict) else listed))

    def test_a_backup_beside_a_running_coordinator_is_restored_where_none_runs(self):
        stack = self.start(ranks=0)
        for name in ("first", "second"):
            stack.submit(name, 10)
        backup = self.folder / "backup"
        self.assertIn("2 jobs", stack.ridgeline("admin", "backup", "--out", str(backup)))
        self.assertIn("sound, 2 jobs", stack.ridgeline("admin", "verify", "--backup", str(backup)))
        stack.submit("third", 10)
        self.assertIn("sound, 3 jobs", stack.ridgeline("admin", "verify"))

        refused = self.run_cli(stack, "admin", "restore", "--from", backup)
        self.assertEqual(refused.returncode, CONFLICT, refused.stderr)
        self.assertIn("holds this state folder", refused.stderr)
        self.assertEqual(len(self.jobs(stack)), 3, "a refused restore changes nothing")

        stack.ridgeline("down")
        restored = stack.ridgeline("admin", "restore", "--from", str(backup))
        self.assertIn("2 jobs", restored)
        kept = Path(restored.splitlines()[-1].split(" is in ")[1])
        self.assertIn("sound, 3 jobs", stack.ridgeline("admin", "verify", "--backup", str(kept)))
        stack.__enter__()
        self.assertEqual(self.jobs(stack), ["job-1", "job-2"])

    def test_a_folder_without_a_store_is_told(self):
        stack = self.start(ranks=0)
        done = self.run_cli(stack, "admin", "verify", "--backup", self.folder)
        self.assertEqual(done.returncode, NOT_FOUND, done.stderr)


if __name__ == "__main__":
    main()
