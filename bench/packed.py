# SPDX-License-Identifier: Apache-2.0
"""Packed models at work beside their peers: layers against LibTorch and NumKong, Gemma 3 270M against llama.cpp.

Prints a table, what is lost first, and writes OUT/packed.json. A peer that is missing is named in `not_run`, with our
own figures. `bound` says what bounds a row: for one input the bytes of the matrix at the speed of memory, for many the
multiplications of the instruction set, both measured in the same run.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys

import contest
import machine
from contest import Side

HERE = pathlib.Path(__file__).parent
GOAL_OF_READING = 0.85  # Of the speed of memory.
GOAL_OF_MANY = 1.0  # Against LibTorch.
# Rows of inputs, of weights, and features, as MEASURE has them; the name of the middle two in packed_bench; the goal.
ONE_BIT_PRODUCTS = ((4096, 4096, 4096, "4096 cubed", 1.6), (512, 1152, 6912, "1B down", 1.6),
                    (512, 6912, 1152, "1B gate", 2.5))
INSTRUCTIONS = {"floats": "float32 multiply-add", "int16_pairs": "pairs of 16-bit products (pmaddwd)",
                "byte_pairs": "pairs of byte products (pmaddubsw)", "one_bit": "xor and counted bits"}


@dataclasses.dataclass(frozen=True)
class Packed:
    """A model of ours: its weights' format, and whether inputs of layers are rounded to int8."""
    weights: str
    has_int8_inputs: bool

    @property
    def name(self) -> str:
        return f"{self.weights}{' a8' if self.has_int8_inputs else ''}"


@dataclasses.dataclass(frozen=True)
class Gguf:
    name: str
    ours: tuple[Packed, ...]
    goals: tuple[float, float]  # Prompt, new tokens.
    codes: tuple[str, ...] = ()  # How weights are packed whose codes the file takes; without, it rounds values itself.


PEERS = (Gguf("q4_0", (Packed("int4", True), Packed("int4", False)), (3.0, 1.0)),
         Gguf("q8_0", (Packed("int8", True), Packed("int8", False)), (1.0, 1.0)),
         Gguf("q2_0", (Packed("ternary", True), Packed("ternary", False)), (1.1, 1.0),
              ("--weight-format", "ternary", "--block", "64")),
         Gguf("q1_0", (Packed("int1", True), Packed("int1", False)), (1.0, 1.0),
              ("--weight-format", "int1", "--scheme", "linear", "--block", "128")))


def with_threads(threads: int) -> None:
    os.environ["OMP_NUM_THREADS"] = str(threads)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# Layers.

def products(cell: dict, side: str) -> list[float]:
    """A second, round by round."""
    count = cell["rows"] * cell["features"] * cell["tokens"]
    return [count / seconds for seconds in cell["sides"][side]["seconds"]]


def limit_of(result: dict, cell: dict, case: str) -> tuple[float, str]:
    """Products a second, and what allows no more."""
    if cell["tokens"] == 1:
        bytes_a_product = cell["sides"][case]["bytes"] / (cell["rows"] * cell["features"])
        return (result["read_bytes_per_second"] / bytes_a_product,
                f"{bytes_a_product:.3f} bytes a product at {result['read_bytes_per_second'] * 1e-9:.1f} GB/s read")
    kind = result["instructions"][case]
    peak = result["peaks"][kind] * result["threads"]
    return peak, f"{INSTRUCTIONS[kind]}, a tiny kernel's peak of {peak * 1e-9:.0f} G products/s"


def layer_row(result: dict, cell: dict, case: str, peer: str, interference: float) -> dict:
    ours, theirs = products(cell, case), products(cell, peer)
    ratios = [a / b for a, b in zip(ours, theirs)]
    limit, bound = limit_of(result, cell, case)
    mine, peers = statistics.median(ours), statistics.median(theirs)
    goal = GOAL_OF_READING * limit / peers if cell["tokens"] == 1 else GOAL_OF_MANY
    if limit > 0:
        goal = min(goal, 0.9 * limit / peers)
    return {"work": f"{case} {cell['shape']}, {cell['tokens']} rows", "ours": mine * 1e-9, "peer": peers * 1e-9,
            "peer_name": peer, "limit": limit * 1e-9, "ratio": statistics.median(ratios), "better": "higher",
            "goal": goal, "unit": "G products/s", "ratio_spread": [min(ratios), max(ratios)],
            "rounds": len(ratios), "threads": result["threads"], "bound": bound,
            "share_of_limit": mine / limit if limit > 0 else None,
            "products_per_cycle": mine / cell["clock_hz"] / result["threads"] if cell["clock_hz"] > 0 else None,
            "clock_ghz": cell["clock_hz"] * 1e-9, "others_had_at_most": interference}


def layer_rows(options: argparse.Namespace) -> list[dict]:
    with_threads(1)
    command = [options.program, "--rounds", str(options.rounds), "--tokens", *map(str, options.tokens)]
    if options.shapes:
        command += ["--shapes", *options.shapes]
    else:
        command += ["--shapes", "270M", "1B", "4B"]
    sample = contest.run(Side("layers", tuple(command)))
    result = sample.result
    say(f"one core at {result['cells'][0]['clock_hz'] * 1e-9:.2f} GHz reads "
        f"{result['read_bytes_per_second'] * 1e-9:.1f} GB/s; peaks in G products/s: "
        + ", ".join(f"{INSTRUCTIONS[kind]} {peak * 1e-9:.0f}" for kind, peak in result["peaks"].items()))
    return [layer_row(result, cell, case, peer, sample.interference) for cell in result["cells"]
            for case in result["instructions"] for peer in ("LibTorch float32", "LibTorch bfloat16")]


# One bit against NumKong.

def one_bit_row(options: argparse.Namespace, count: int, rows: int, features: int, shape: str, goal: float) -> dict:
    ours = Side("ridgeline", (options.program, "--cases", "A1W1", "--shapes", shape, "--tokens", str(count), "--rounds",
                              "3"))
    peer = Side("numkong", (options.numkong_python, str(HERE / "hamming_peer.py"), "--count", str(count), "--rows",
                            str(rows), "--features", str(features), "--rounds", "3"))
    speeds, result, interference, total = {ours: [], peer: []}, {}, 0.0, count * rows * features
    for number in range(options.rounds):
        for side in (ours, peer) if number % 2 == 0 else (peer, ours):
            sample = contest.run(side)
            interference = max(interference, sample.interference)
            if side is ours:
                result = sample.result
            seconds = result["cells"][0]["sides"]["A1W1"]["seconds"] if side is ours else sample.result["seconds"]
            speeds[side].append(total / statistics.median(seconds))
            say(f"  A1W1 {count} x {rows} x {features:<6} {side.name:<10} {speeds[side][-1] * 1e-9:8.1f} G products/s")
    cell = result["cells"][0]
    ratios = [a / b for a, b in zip(speeds[ours], speeds[peer])]
    limit, mine, peers = result["peaks"]["one_bit"], statistics.median(speeds[ours]), statistics.median(speeds[peer])
    return {"work": f"A1W1 {count} x {rows} x {features}", "ours": mine * 1e-9, "peer": peers * 1e-9,
            "peer_name": "NumKong hammings_packed", "limit": limit * 1e-9, "ratio": statistics.median(ratios),
            "better": "higher", "goal": min(goal, 0.9 * limit / peers), "unit": "G products/s",
            "ratio_spread": [min(ratios), max(ratios)], "rounds": len(ratios), "threads": 1,
            "bound": f"{INSTRUCTIONS['one_bit']}, a tiny kernel's peak of {limit * 1e-9:.0f} G products/s; ours also "
                     "quantizes its inputs and has a scale for each 128 numbers, the peer counts bits alone",
            "share_of_limit": mine / limit if limit > 0 else None,
            "products_per_cycle": mine / cell["clock_hz"] if cell["clock_hz"] > 0 else None,
            "clock_ghz": cell["clock_hz"] * 1e-9, "others_had_at_most": interference}


def one_bit_rows(options: argparse.Namespace, not_run: list[dict]) -> list[dict]:
    with_threads(1)
    if not has_module(options.numkong_python, "numkong"):
        not_run.append({"work": "A1W1 products", "peer_name": "NumKong hammings_packed",
                        "reason": f"{options.numkong_python} lacks numkong: pip install numkong numpy"})
        return []
    return [one_bit_row(options, *product) for product in ONE_BIT_PRODUCTS]


# Whole models.

class ModelContest(contest.Contest):
    SAME = ("prompt_tokens", "new_tokens", "threads")

    def __init__(self, work: str, ours: list[Side], peer: Side, goals: tuple[float, float]) -> None:
        super().__init__(work, ours, peer)
        self.goals = goals

    def check_same_work(self, side: Side) -> None:
        for key in self.SAME:  # Random tokens: there is no loss to compare.
            ours, peer = self.samples[side.name][-1].result[key], self.samples[self.peer.name][-1].result[key]
            if ours != peer:
                sys.exit(f"{self.work}: {side.name} has {key} {ours}, {self.peer.name} has {peer}")

    def summary(self, sample: contest.Sample) -> str:
        return (f"prompt {sample.result['prompt_tokens_per_second']:8.1f}, new "
                f"{sample.result['new_tokens_per_second']:6.1f} tokens/s")

    def rows(self) -> list[dict]:
        return [row for side in self.ours for row in self.rows_of(side)]

    def rows_of(self, side: Side) -> list[dict]:
        result, peer = self.samples[side.name][0].result, self.samples[self.peer.name][0].result
        prompt = self.row(side, f"{side.name} prompt", "prompt_tokens_per_second", better="higher", goal=self.goals[0],
                          unit="tokens/s")
        prompt["bound"] = "multiplications of layers, as in the rows of many inputs, and attention"
        new = self.row(side, f"{side.name} new", "new_tokens_per_second", better="higher", goal=self.goals[1],
                       unit="tokens/s", limit="most_new_tokens_per_second")
        new["goal"] = min(new["goal"], 0.9 * new["limit"] / new["peer"])
        new["share_of_limit"] = new["ours"] / new["limit"]
        new["bound"] = (f"{result['bytes'] * 1e-6:.0f} MB read for each token, the embedding in int8; the "
                        f"peer's file has {peer['bytes'] * 1e-6:.0f} MB")
        return [row | {"threads": result["threads"]} for row in (prompt, new)]


def has_module(python: str, module: str) -> bool:
    command = [python, "-c", f"import {module}"]
    try:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0
    except OSError:
        return False


def export(options: argparse.Namespace, out: pathlib.Path, *arguments: str) -> pathlib.Path | None:
    """None where this ridgeline does not write such a file; what is there already is taken."""
    if not out.exists():
        say(f"  writing {out}")
        command = [options.ridgeline, "export", "--model", options.model, "--out", str(out), *arguments]
        try:
            if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode != 0:
                return None
        except OSError as error:
            say(f"  {error}")
            return None
    return out


def packed_model(options: argparse.Namespace, packed: Packed) -> pathlib.Path:
    inputs = ("--activation-format", "int8") if packed.has_int8_inputs else ()
    name = f"{packed.weights}-a8" if packed.has_int8_inputs else packed.weights
    folder = export(options, options.models / name, "--format", "packed", "--weight-format", packed.weights,
                    "--embedding-format", "int8", *inputs)
    if folder is None:
        sys.exit(f"{sys.argv[0]}: could not export {options.model}; bring it in with `ridgeline model import`")
    return folder


def peer_file(options: argparse.Namespace, gguf: Gguf) -> pathlib.Path | None:
    """The embedding is Q8_0, as ours is int8."""
    out = options.models / f"{gguf.name}.gguf"
    if not gguf.codes:
        return export(options, out, "--format", "gguf", "--dtype", gguf.name)
    folder = export(options, options.models / f"{gguf.name}-codes", "--format", "packed", "--embedding-format", "int8",
                    *gguf.codes)
    if folder is None:
        return None
    from_codes = argparse.Namespace(**{**vars(options), "model": str(folder)})
    return export(from_codes, out, "--format", "gguf", "--metadata-from", options.model)


def sides_of(options: argparse.Namespace, gguf: Gguf, same: tuple[str, ...]) -> list[Side]:
    return [Side(packed.name, (options.inference_program, "--path", str(packed_model(options, packed)), "--dtype",
                               "bfloat16", "--scored-tokens", "0", *same)) for packed in gguf.ours]


def run_alone(sides: list[Side], gguf: Gguf, threads: int, reason: str) -> list[dict]:
    """What is kept of ours where there is no peer."""
    entries = []
    for side in sides:
        sample = contest.run(side)
        say(f"  {threads} threads, {side.name:<12} prompt {sample.result['prompt_tokens_per_second']:8.1f}, new "
            f"{sample.result['new_tokens_per_second']:6.1f} tokens/s, without a peer")
        keys = ("prompt_tokens_per_second", "new_tokens_per_second", "most_new_tokens_per_second", "bytes")
        entries.append({"work": f"{threads} threads, {side.name}", "peer_name": f"llama.cpp {gguf.name}",
                        "reason": reason, "threads": threads, "others_had_at_most": sample.interference,
                        "ours": {key: sample.result[key] for key in keys}})
    return entries


def model_rows(options: argparse.Namespace, not_run: list[dict]) -> list[dict]:
    has_llama, rows = has_module(options.llama_python, "llama_cpp, numpy"), []
    same = ("--prompt-tokens", str(options.prompt_tokens), "--new-tokens", str(options.new_tokens))
    for threads in options.threads:
        with_threads(threads)
        for gguf in PEERS:
            sides = sides_of(options, gguf, same)
            file = peer_file(options, gguf)
            if not has_llama or file is None:
                reason = (f"{options.llama_python} lacks llama_cpp: pip install llama-cpp-python" if not has_llama
                          else f"ridgeline export does not write {gguf.name}")
                not_run += run_alone(sides, gguf, threads, reason)
                continue
            peer = Side(f"llama.cpp {gguf.name}", (options.llama_python, str(HERE / "llama_peer.py"), "--path",
                                                   str(file), "--threads", str(threads), *same))
            work = ModelContest(f"{threads} thread{'s' if threads > 1 else ''}", sides, peer, gguf.goals)
            for number in range(options.model_rounds):
                work.run_round(number)
            rows += work.rows()
    return rows


def print_table(rows: list[dict], not_run: list[dict]) -> None:
    print(f"{'work':<36} {'ours':>8} {'peer':>8} {'limit':>8} {'share':>6} {'a cycle':>8} {'ratio':>7} {'spread':>13} "
          f"{'goal':>6}  unit")
    for row in rows:
        limit, share, cycle = (row.get(key) for key in ("limit", "share_of_limit", "products_per_cycle"))
        print(f"{row['work']:<36} {row['ours']:>8.1f} {row['peer']:>8.1f} {limit or 0:>8.1f} "
              f"{'' if share is None else f'{share:.0%}':>6} {'' if cycle is None else f'{cycle:.1f}':>8} "
              f"{row['ratio']:>6.2f}x {row['ratio_spread'][0]:>6.2f}-{row['ratio_spread'][1]:<6.2f} "
              f"{row['goal']:>5.2f}x  {row['unit']} (peer: {row['peer_name']})"
              f"{'' if row['ratio'] >= row['goal'] else '  missed'}")
    for entry in not_run:
        print(f"NOT RUN: {entry['work']} against {entry['peer_name']}: {entry['reason']}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the built packed_bench; inference_bench and ridgeline lie beside it")
    parser.add_argument("out", type=pathlib.Path, help="folder for the result")
    parser.add_argument("--busy", action="store_true", help="run on a machine that is not idle, and mark the result")
    parser.add_argument("--parts", nargs="+", default=["layers", "one_bit", "models"],
                        choices=["layers", "one_bit", "models"])
    parser.add_argument("--rounds", type=int, default=7, help="of layers and of one bit")
    parser.add_argument("--shapes", nargs="+", help="beginnings of layers' names, such as 1B")
    parser.add_argument("--tokens", nargs="+", type=int, default=[1, 128, 512])
    parser.add_argument("--model", default="gemma3-270m", help="whose weights are packed")
    parser.add_argument("--models", type=pathlib.Path, help="folder of packed models and GGUFs (default OUT/models)")
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, min(2, os.cpu_count() or 1)}))
    parser.add_argument("--model-rounds", type=int, default=5)
    parser.add_argument("--prompt-tokens", type=int, default=512)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--llama-python", default=sys.executable, help="a Python that has llama_cpp")
    parser.add_argument("--numkong-python", default=sys.executable, help="a Python that has numkong")
    options = parser.parse_args()
    programs = pathlib.Path(options.program).parent
    options.inference_program, options.ridgeline = str(programs / "inference_bench"), str(programs / "ridgeline")
    options.models = options.models or options.out / "models"
    return options


def main() -> None:
    options = parse_arguments()
    contest.require_idle(options.busy)
    about_machine, not_run, rows = machine.description(), [], []
    if "layers" in options.parts:
        rows += layer_rows(options)
    if "one_bit" in options.parts:
        rows += one_bit_rows(options, not_run)
    if "models" in options.parts:
        rows += model_rows(options, not_run)
    rows.sort(key=lambda row: row["ratio"])  # What is lost comes first.
    print(f"packed on {about_machine['cpu']}")
    print_table(rows, not_run)
    contest.save(options.out / "packed.json", rows, about_machine, not_run=not_run)


if __name__ == "__main__":
    main()
