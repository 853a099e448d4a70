# SPDX-License-Identifier: Apache-2.0
"""One training step of Gemma 3 270M: Ridgeline against transformers, and against transformers with torchao's QAT.

Prints a table and writes OUT/train_step.json. Ridgeline in bfloat16 keeps float32 masters and moments; the peer's
bfloat16 is all bfloat16, moments included.
"""

import argparse
import importlib.util
import pathlib
import sys

import contest
from contest import Side

PACKAGES = ("torch", "transformers", "torchao")
GOAL_PLAIN, GOAL_QAT, GOAL_MEMORY = 1.2, 1.5, 1.0
SAME_LOSS = 0.2  # Nats: random weights of two generators, both near log(vocabulary).


class StepContest(contest.Contest):
    def __init__(self, work: str, goal: float, ours: list[Side], peer: Side) -> None:
        super().__init__(work, ours, peer)
        self.goal = goal

    def check_same_work(self, side: Side) -> None:
        super().check_same_work(side, ("parameters", "quantized_layers", "tokens", "threads"))
        ours, peer = (self.samples[name][-1].result["loss"] for name in (side.name, self.peer.name))
        if abs(ours - peer) > SAME_LOSS:
            sys.exit(f"{self.work}: loss {ours} at random weights, the peer's is {peer}")

    def rows(self) -> list[dict]:
        return [row for side in self.ours
                for row in (self.row(side, "tokens_per_second", "higher", self.goal, "tokens/s"),
                            self.row(side, "peak_gib", "lower", GOAL_MEMORY, "GiB"))]


def contests(options: argparse.Namespace) -> list[StepContest]:
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
            result.append(StepContest(f"{work} plain", GOAL_PLAIN, [ours("ridgeline", dtype, seq_len)],
                                      peer("transformers", dtype, seq_len, "none")))
            quantized = [ours(estimator, dtype, seq_len, "--quant", "a8w4", "--estimator", estimator)
                         for estimator in ("torchao", "ridge")]
            result.append(StepContest(f"{work} a8w4", GOAL_QAT, quantized,
                                      peer("transformers + torchao", dtype, seq_len, "a8w4")))
    return result


def report(path: pathlib.Path, all_contests: list[StepContest], about_machine: dict) -> None:
    rows = [row for each in all_contests for row in each.rows()]
    peer = all_contests[0].samples[all_contests[0].peer.name][0].result
    print(f"train_step on {about_machine['cpu']}, {peer['threads']} threads, "
          + ", ".join(f"{package} {peer[package]}" for package in PACKAGES))
    print(f"{'work':<40} {'ours':>8} {'peer':>8} {'ratio':>7} {'spread':>13} {'goal':>5}  unit")
    for row in rows:
        print(f"{row['work']:<40} {row['ours']:>8.2f} {row['peer']:>8.2f} {row['ratio']:>6.2f}x "
              f"{row['ratio_spread'][0]:>6.2f}-{row['ratio_spread'][1]:<6.2f} {row['goal']:>4}x  {row['unit']} (peer: {row['peer_name']})")
    contest.save(path, rows, about_machine, versions={package: peer[package] for package in PACKAGES},
                 threads=peer["threads"])


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    contest.add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="timed steps a process, after one that is not")
    parser.add_argument("--seq-len", type=int, nargs="+", default=[256, 512])
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        sys.exit(f"train_step.py: {sys.executable} lacks {', '.join(missing)}: pip install torch==2.11.* transformers torchao")
    contest.require_idle(options.busy)
    all_contests = contests(options)
    about_machine = contest.run_rounds(all_contests, options.rounds)
    report(options.out / "train_step.json", all_contests, about_machine)


if __name__ == "__main__":
    main()
