# SPDX-License-Identifier: Apache-2.0
"""One training step of Gemma 3 270M: Ridgeline against transformers, and against transformers with torchao's QAT.

Prints a table and writes OUT/train_step.json. Ridgeline in bfloat16 keeps float32 masters and moments; the peer's
bfloat16 is all bfloat16, moments included.
"""

import argparse
import pathlib
import sys

import contest
from contest import Side

PACKAGES = ("torch", "transformers", "torchao")
GOAL_PLAIN, GOAL_QAT, GOAL_MEMORY = 1.2, 1.5, 1.0


class StepContest(contest.Contest):
    SAME = ("parameters", "quantized_layers", "tokens", "threads")

    def __init__(self, work: str, goal: float, ours: list[Side], peer: Side) -> None:
        super().__init__(work, ours, peer)
        self.goal = goal

    def summary(self, sample: contest.Sample) -> str:
        return f"{sample.result['seconds']:7.3f} s  {sample.result['quantized_layers']:3d} quantized layers"

    def rows(self) -> list[dict]:
        return [row for side in self.ours
                for row in (self.row(side, side.name, "tokens_per_second", better="higher", goal=self.goal,
                                     unit="tokens/s"),
                            self.row(side, side.name, "peak_gib", better="lower", goal=GOAL_MEMORY, unit="GiB"))]


def contests(options: argparse.Namespace) -> list[StepContest]:
    peer_script = str(pathlib.Path(__file__).with_name("train_step_peer.py"))

    def ours(name: str, dtype: str, seq_len: int, *more: str) -> Side:
        return Side(name, (options.program, "--dtype", dtype, "--seq-len", str(seq_len), "--steps", str(options.steps),
                           *more))

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


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    contest.add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="timed steps a process, after one that is not")
    parser.add_argument("--seq-len", type=int, nargs="+", default=[256, 512])
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    contest.hold(contests(options), PACKAGES, options, "train_step")


if __name__ == "__main__":
    main()
