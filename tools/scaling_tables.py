#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/scaling.md: what `ridgeline plan` says of Gemma 3 on 8, 64 and 512 H100s.

    tools/scaling_tables.py            prints the tables
    tools/scaling_tables.py --check    compares them with the document; exit code 1 and a line for each difference
    tools/scaling_tables.py --write    puts them into the document

The program is build/bin/ridgeline, or that of RIDGELINE_BIN. Two sequences of 2,048 tokens a rank and step, one pass.
"""
import functools
import json
import os
import pathlib
import subprocess
import sys

import results_tables

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "scaling.md"
GIB = 2**30
SEQUENCES_A_RANK = 2
RECIPE = "dataset: {path: nowhere}\ntraining: {seq_len: 2048, dtype: bfloat16}\n"

# Ranks, of which so many share a copy.
LAYOUTS = [(8, 8), (64, 64), (512, 512), (64, 8), (512, 8)]
WEIGHTS = {"FSDP, bf16": [], "W4": ["quant.weight.format=int4"], "W1": ["quant.weight.format=int1"]}
GRADIENTS = {"float32": "float32", "bf16": "bfloat16", "int8": "int8"}
CASES = [("FSDP, bf16", "bf16"), *[(weights, gradients) for weights in ("W4", "W1") for gradients in GRADIENTS]]


@functools.cache
def plan(model: str, ranks: int, shards: int, weights: str, gradients: str) -> dict:
    settings = [f"model.name={model}", f"training.global_batch_size={SEQUENCES_A_RANK * ranks}", *WEIGHTS[weights],
                f"parallelism.shard_degree={shards}", f"parallelism.gradient_dtype={GRADIENTS[gradients]}"]
    program = pathlib.Path(os.environ.get("RIDGELINE_BIN", ROOT / "build" / "bin")) / "ridgeline"
    command = [program, "plan", "-f", "-", "--ranks", str(ranks), "--device", "h100", "-o", "json"]
    for setting in settings:
        command += ["--set", setting]
    done = subprocess.run(command, input=RECIPE, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"scaling_tables: {' '.join(map(str, command))}: {done.stderr}")
    return json.loads(done.stdout)["plans"][0]


def label(weights: str, gradients: str) -> str:
    return weights if weights.startswith("FSDP") else f"{weights}, {gradients}"


def table(model: str, cell) -> str:
    header = ["GPUs", "share a copy", *[label(*case) for case in CASES]]
    rows = [[str(ranks), str(shards), *[cell(plan(model, ranks, shards, *case)) for case in CASES]]
            for ranks, shards in LAYOUTS]
    return results_tables.markdown(header, rows)


def wire(planned: dict) -> str:
    return f"{planned['wire_bytes_per_step'] / GIB:.2f}"


def step(planned: dict) -> str:
    hidden = 1 - planned["exposed_wire_seconds"] / planned["wire_seconds"]
    return f"{1000 * planned['step_seconds']:.0f}, {100 * hidden:.0f}%"


def memory_by_layout(model: str) -> str:
    """A rank's memory in parts, with gradients in bfloat16, beside a rank that holds everything."""
    rows = []
    for ranks, shards, weights in [(8, 1, "W4"), *[(8, 8, w) for w in WEIGHTS], *[(64, 64, w) for w in WEIGHTS]]:
        planned = plan(model, ranks, shards, weights, "bf16" if shards > 1 else "float32")
        parts = planned["memory_bytes"]
        state = sum(parts[key] for key in ("masters", "compute_copies", "gradients", "optimizer"))
        rows.append([str(ranks), str(shards), weights,
                     *[f"{size / GIB:.1f}" for size in (state, parts["gathered"], parts["gradients_in_flight"],
                                                        parts["activations"] + parts["working"], parts["peak"])]])
    return results_tables.markdown(
        ["GPUs", "share a copy", "weights", "state", "gathered", "gradients in flight", "activations", "peak"], rows)


TABLES = {}
for size in ("1b", "4b"):
    name = f"gemma3-{size}"
    TABLES[f"scaling-{size}-wire"] = lambda root, name=name: table(name, wire)
    TABLES[f"scaling-{size}-step"] = lambda root, name=name: table(name, step)
    TABLES[f"scaling-{size}-memory"] = lambda root, name=name: memory_by_layout(name)


def check_or_write(write: bool) -> int:
    text = DOCUMENT.read_text(encoding="utf-8")
    wanted, problems, seen = results_tables.with_tables(text, "docs/scaling.md", ROOT, TABLES)
    if write:
        DOCUMENT.write_text(wanted, encoding="utf-8")
        problems = []
    problems += [f"table {name} does not stand in docs/scaling.md" for name in TABLES if name not in seen]
    for problem in problems:
        print(f"scaling_tables: {problem}", file=sys.stderr)
    return 1 if problems else 0


def main(arguments: list[str]) -> int:
    if arguments in (["--check"], ["--write"]):
        return check_or_write(arguments == ["--write"])
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    for name, make in TABLES.items():
        print(f"<!-- table {name} -->\n{make(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
