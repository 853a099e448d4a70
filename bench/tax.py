# SPDX-License-Identifier: Apache-2.0
"""What quantization costs: whole training steps with it over the same steps without it, which is the tax.

Prints a table and writes OUT/tax.json. There `ratio` is the time without over the time with, so that more is better as
in all results; `tax` is its inverse.
"""

import argparse
import dataclasses
import pathlib

import contest
from contest import Side

MOST_TAX = {"float32": 1.04, "bfloat16": 1.10}
PRECISIONS = ("a4w4", "a1w1")
ESTIMATORS = {"ste": (), "ridge": (), "quest": (), "ridge_trust": ("--hadamard",)}  # With the options of each.


@dataclasses.dataclass(frozen=True)
class Workload:
    batch: int
    seq_len: int
    steps: int  # Timed ones a process: as many as make about a second or two.


WORKLOADS = {"gpt-nano": Workload(batch=12, seq_len=128, steps=31), "gpt-11m": Workload(batch=8, seq_len=256, steps=5),
             "gemma3-270m": Workload(batch=1, seq_len=512, steps=2)}


class TaxContest(contest.Contest):
    def __init__(self, work: str, most_tax: float, ours: list[Side], peer: Side) -> None:
        super().__init__(work, ours, peer)
        self.most_tax = most_tax

    def rows(self) -> list[dict]:
        return [self.tax_row(side) for side in self.ours]

    def tax_row(self, side: Side) -> dict:
        row = self.row(side, "seconds", "lower", 1 / self.most_tax, "s a step")
        return row | {"tax": 1 / row["ratio"], "most_tax": self.most_tax,
                      "tax_spread": [1 / ratio for ratio in reversed(row["ratio_spread"])]}


def contest_of(program: str, model: str, dtype: str) -> TaxContest:
    workload = WORKLOADS[model]
    plain = (program, "--model", model, "--dtype", dtype, "--batch", str(workload.batch), "--seq-len",
             str(workload.seq_len), "--steps", str(workload.steps))
    quantized = [Side(f"{precision} {estimator}", (*plain, "--quant", precision, "--estimator", estimator, *more))
                 for precision in PRECISIONS for estimator, more in ESTIMATORS.items()]
    return TaxContest(f"{model} {dtype}", MOST_TAX[dtype], quantized, Side("without quantization", plain))


def report(path: pathlib.Path, contests: list[TaxContest], about_machine: dict) -> None:
    rows = [row for each in contests for row in each.rows()]
    threads = contests[0].samples[contests[0].peer.name][0].result["threads"]
    print(f"tax on {about_machine['cpu']}, {threads} threads")
    print(f"{'work':<44} {'with, s':>9} {'without':>9} {'tax':>7} {'spread':>12} {'goal':>5}")
    for row in rows:
        print(f"{row['work']:<44} {row['ours']:>9.4f} {row['peer']:>9.4f} {row['tax']:>7.3f} "
              f"{row['tax_spread'][0]:>6.2f}-{row['tax_spread'][1]:<5.2f} {row['most_tax']:>5.2f}"
              f"{'' if row['tax'] <= row['most_tax'] else '  missed'}")
    contest.save(path, rows, about_machine, threads=threads)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    contest.add_arguments(parser, rounds=7)
    parser.add_argument("--model", nargs="+", default=list(WORKLOADS), choices=list(WORKLOADS))
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    contest.require_idle(options.busy)
    contests = [contest_of(options.program, model, dtype) for model in options.model for dtype in options.dtype]
    about_machine = contest.run_rounds(contests, options.rounds)
    report(options.out / "tax.json", contests, about_machine)


if __name__ == "__main__":
    main()
