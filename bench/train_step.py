# SPDX-License-Identifier: Apache-2.0
"""One training step of Gemma 3 270M: Ridgeline against transformers, and against transformers with torchao's QAT.

A process a side and configuration, in turn (A B B A), so that a machine that speeds up or slows down meets both. Prints
a table and writes OUT/train_step.json. Ratios are medians over rounds of ratios within a round. Ridgeline in bfloat16
keeps float32 masters and moments; the peer's bfloat16 is all bfloat16, moments included.
"""

import argparse
import dataclasses
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys

import machine

PACKAGES = ("torch", "transformers", "torchao")
GOAL_PLAIN, GOAL_QAT, GOAL_MEMORY = 1.2, 1.5, 1.0
# Of the machine's cores, had by others while something was timed: more, and the figures are marked.
MOST_INTERFERENCE = 0.05
SAME_LOSS = 0.2  # Nats: random weights of two generators, both near log(vocabulary).


@dataclasses.dataclass(frozen=True)
class Side:
    name: str
    command: tuple[str, ...]


@dataclasses.dataclass
class Sample:
    result: dict
    peak_gib: float
    interference: float

    @property
    def tokens_per_second(self) -> float:
        return self.result["tokens"] / self.result["seconds"]


class Contest:
    """Sides that run the same configuration; the last one is the peer."""

    def __init__(self, work: str, goal: float, ours: list[Side], peer: Side) -> None:
        self.work, self.goal, self.ours, self.peer = work, goal, ours, peer
        self.samples: dict[str, list[Sample]] = {side.name: [] for side in [*ours, peer]}

    def run_round(self, number: int) -> None:
        sides = [*self.ours, self.peer]
        for side in sides if number % 2 == 0 else reversed(sides):
            sample = run(side)
            self.samples[side.name].append(sample)
            print(f"  {self.work:<24} {side.name:<26} {sample.result['seconds']:7.3f} s  {sample.peak_gib:5.2f} GiB  "
                  f"{sample.result['quantized_layers']:3d} quantized layers  others had {sample.interference:.0%}",
                  file=sys.stderr)
        self.check_same_work()

    def check_same_work(self) -> None:
        peer = self.samples[self.peer.name][-1].result
        for side in self.ours:
            ours = self.samples[side.name][-1].result
            for key in ("parameters", "quantized_layers", "tokens", "threads"):
                if ours[key] != peer[key]:
                    sys.exit(f"{self.work}: {side.name} has {key} {ours[key]}, {self.peer.name} has {peer[key]}: "
                             "they do not compute the same thing")
            if abs(ours["loss"] - peer["loss"]) > SAME_LOSS:
                sys.exit(f"{self.work}: loss {ours['loss']} at random weights, the peer's is {peer['loss']}")

    def rows(self) -> list[dict]:
        return [row for side in self.ours for row in (self.speed_row(side), self.memory_row(side))]

    def speed_row(self, side: Side) -> dict:
        ours, peer = self.samples[side.name], self.samples[self.peer.name]
        ratios = [a.tokens_per_second / b.tokens_per_second for a, b in zip(ours, peer)]
        return self.row(side, ratios, [a.tokens_per_second for a in ours], [b.tokens_per_second for b in peer],
                        "higher", self.goal, "tokens/s")

    def memory_row(self, side: Side) -> dict:
        ours, peer = self.samples[side.name], self.samples[self.peer.name]
        ratios = [b.peak_gib / a.peak_gib for a, b in zip(ours, peer)]
        return self.row(side, ratios, [a.peak_gib for a in ours], [b.peak_gib for b in peer], "lower", GOAL_MEMORY, "GiB")

    def row(self, side: Side, ratios: list[float], ours: list[float], peer: list[float], better: str, goal: float,
            unit: str) -> dict:
        samples = self.samples[side.name] + self.samples[self.peer.name]
        return {"work": f"{self.work}, {side.name}", "ours": statistics.median(ours), "peer": statistics.median(peer),
                "peer_name": self.peer.name, "limit": None, "ratio": statistics.median(ratios), "better": better,
                "goal": goal, "unit": unit, "ratio_spread": [min(ratios), max(ratios)], "rounds": len(ratios),
                "others_had_at_most": max(sample.interference for sample in samples)}


def run(side: Side) -> Sample:
    """Peak memory and CPU time are what the kernel says about the finished process."""
    watch = machine.Interference()
    threads = os.environ.get("OMP_NUM_THREADS", str(os.cpu_count()))
    environment = os.environ | {"OMP_NUM_THREADS": threads, "OMP_PROC_BIND": "true"}
    with subprocess.Popen(side.command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(side.command)}: ended with code {process.returncode}")
    return Sample(json.loads(text.splitlines()[-1]), usage.ru_maxrss / 1024 / 1024,
                  watch.share(usage.ru_utime + usage.ru_stime))


def contests(options: argparse.Namespace) -> list[Contest]:
    peer_script = str(pathlib.Path(__file__).with_name("train_step_peer.py"))

    def ours(name: str, dtype: str, seq_len: int, *more: str) -> Side:
        return Side(name, (options.program, "--dtype", dtype, "--seq-len", str(seq_len), "--steps", str(options.steps), *more))

    def peer(name: str, dtype: str, seq_len: int, quant: str) -> Side:
        return Side(name, (sys.executable, peer_script, "--dtype", dtype, "--seq-len", str(seq_len), "--steps",
                           str(options.steps), "--quant", quant))

    result = []
    for dtype in options.dtype:
        for seq_len in options.seq_len:
            work = f"{dtype} {seq_len} tokens"
            result.append(Contest(f"{work} plain", GOAL_PLAIN, [ours("ridgeline", dtype, seq_len)],
                                  peer("transformers", dtype, seq_len, "none")))
            quantized = [ours(estimator, dtype, seq_len, "--quant", "a8w4", "--estimator", estimator)
                         for estimator in ("torchao", "ridge")]
            result.append(Contest(f"{work} a8w4", GOAL_QAT, quantized, peer("transformers + torchao", dtype, seq_len, "a8w4")))
    return result


def report(path: pathlib.Path, all_contests: list[Contest], about_machine: dict) -> None:
    rows = [row for contest in all_contests for row in contest.rows()]
    peer = all_contests[0].samples[all_contests[0].peer.name][0].result
    disturbed = max(row["others_had_at_most"] for row in rows)
    document = {"machine": about_machine | {"idle": disturbed <= MOST_INTERFERENCE, "load_average_after": os.getloadavg()},
                "versions": {package: peer[package] for package in PACKAGES}, "threads": peer["threads"], "rows": rows}
    print(f"train_step on {about_machine['cpu']}, {peer['threads']} threads, "
          + ", ".join(f"{package} {peer[package]}" for package in PACKAGES))
    print(f"{'work':<40} {'ours':>8} {'peer':>8} {'ratio':>7} {'spread':>13} {'goal':>5}  unit")
    for row in rows:
        print(f"{row['work']:<40} {row['ours']:>8.2f} {row['peer']:>8.2f} {row['ratio']:>6.2f}x "
              f"{row['ratio_spread'][0]:>6.2f}-{row['ratio_spread'][1]:<6.2f} {row['goal']:>4}x  {row['unit']} (peer: {row['peer_name']})")
    if disturbed > MOST_INTERFERENCE:
        print(f"NOT IDLE: others had up to {disturbed:.0%} of the machine during a run; these ratios prove nothing.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the built train_step_bench")
    parser.add_argument("out", type=pathlib.Path, help="folder for train_step.json")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="timed steps a process, after one that is not")
    parser.add_argument("--seq-len", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--dtype", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    parser.add_argument("--busy", action="store_true", help="run on a machine that is not idle, and mark the result")
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        sys.exit(f"train_step.py: {sys.executable} lacks {', '.join(missing)}: pip install torch==2.11.* transformers torchao")
    others = machine.idle_share_of_others()
    if others > MOST_INTERFERENCE and not options.busy:
        sys.exit(f"train_step.py: others use {others:.0%} of this machine: wait until it is idle, or pass --busy to see "
                 "figures that prove nothing")
    about_machine = machine.description()
    all_contests = contests(options)
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        for contest in all_contests:
            contest.run_round(number)
    report(options.out / "train_step.json", all_contests, about_machine)


if __name__ == "__main__":
    main()
