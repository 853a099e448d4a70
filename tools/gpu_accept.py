#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the list of tools/gpu_accept.sh, one program after the other, each within its seconds; prints one table, and
writes OUT/results.json and what each program printed. Exit status 1 where one of them failed."""
import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

LIMIT_S = 470  # Of all together: the acceptance is to end within eight minutes.
GRACE_S = 5  # Between the request to end and the end by force.


def read_list(path):
    """(name, seconds, words) of each line."""
    entries = []
    for line in pathlib.Path(path).read_text().splitlines():
        words = line.split("#")[0].split()
        if words:
            entries.append((words[0], int(words[1]), words[2:]))
    return entries


def find_program(name, folders):
    for folder in folders:
        path = pathlib.Path(folder) / name
        if path.is_file():
            return str(path.resolve())
    return shutil.which("mpirun") if name == "mpirun" else None


def command_of(words, folders, gpus):
    """The command, and the programs that are not there."""
    command, absent = [], []
    for word in words:
        word = word.replace("{gpus}", str(gpus))
        if word.startswith("@"):
            path = find_program(word[1:], folders)
            if path is None:
                absent.append(word[1:])
            word = path
        command.append(word)
    return command, absent


def environment(libraries):
    """Programs load what the bundle, torch and CUDA have; nothing else that is started here does."""
    values = dict(os.environ, OMP_WAIT_POLICY="passive", OMPI_ALLOW_RUN_AS_ROOT="1",
                  OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_hwloc_base_binding_policy="none",
                  OMPI_MCA_rmaps_base_oversubscribe="1", PMIX_MCA_pcompress_base_silence_warning="1")
    values["LD_LIBRARY_PATH"] = libraries
    return values


def run(command, seconds, log, environ):
    """The exit status, or None where it was ended for its time. mpirun ends its ranks when it is asked to end."""
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   env=environ, start_new_session=True)
        try:
            return process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.terminate()
            try:
                process.wait(timeout=GRACE_S)
            except subprocess.TimeoutExpired:
                pass
            return None
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def checks_of(text):
    """The lines of JSON that say what was checked."""
    checks = []
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                value = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(value, dict) and "check" in value:
                checks.append(value)
    return checks


def failure_of(status, seconds, text, checks):
    """Why an entry failed, or an empty string."""
    last = text.strip().splitlines()[-1] if text.strip() else "it printed nothing"
    if status is None:
        return f"did not end within {seconds:.0f} s: {last}"
    if status == 77:
        return f"says that it cannot run: {last}"
    if status != 0:
        return f"exit status {status}: {last}"
    failed = [str(check["check"]) for check in checks if check.get("ok") is not True]
    return "not ok: " + ", ".join(failed) if failed else ""


def run_entry(entry, arguments, left_s):
    name, seconds, words = entry
    result = {"name": name, "seconds": 0.0, "checks": []}
    command, absent = command_of(words, arguments.folders, arguments.gpus)
    if absent:
        return dict(result, failure="not there: " + ", ".join(absent))
    if left_s < 1:
        return dict(result, failure=f"not started: {LIMIT_S} s were over")
    log = pathlib.Path(arguments.out) / f"{name}.log"
    start = time.monotonic()
    seconds = min(seconds, left_s)
    try:
        status = run(command, seconds, log, environment(arguments.libraries))
    except OSError as error:
        return dict(result, failure=f"does not start: {error}")
    result["seconds"] = round(time.monotonic() - start, 1)
    text = log.read_text(errors="replace")
    result["checks"] = checks_of(text)
    return dict(result, failure=failure_of(status, seconds, text, result["checks"]))


def figures(check):
    return ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
                     for key, value in check.items() if key not in ("check", "ok"))


def print_table(results):
    rows = []
    for result in results:
        rows.append((result["name"], "FAILED" if result["failure"] else "ok", f"{result['seconds']:.1f} s",
                     result["failure"]))
        for check in result["checks"]:
            rows.append(("  " + str(check["check"]), "ok" if check.get("ok") is True else "FAILED", "", figures(check)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print(f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}".rstrip(), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", required=True)
    parser.add_argument("--gpus", type=int, required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--libraries", default="")
    parser.add_argument("folders", nargs="+", help="where the programs are")
    arguments = parser.parse_args()
    pathlib.Path(arguments.out).mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    results = []
    for entry in read_list(arguments.list):
        print(f"gpu-accept: running  {entry[0]}", flush=True)
        results.append(run_entry(entry, arguments, LIMIT_S - (time.monotonic() - start)))
    print_table(results)
    failed = [result["name"] for result in results if result["failure"]]
    file = pathlib.Path(arguments.out) / "results.json"
    file.write_text(json.dumps({"passed": not failed, "gpus": arguments.gpus, "results": results}, indent=2) + "\n")
    print(f"gpu-accept: {len(results) - len(failed)} of {len(results)} passed in {time.monotonic() - start:.0f} s;"
          f" figures in {file}, logs beside it")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
