# SPDX-License-Identifier: Apache-2.0
"""Gemma 3 270M in use: Ridgeline against transformers, tokens a second of a prompt, of a text that is scored, and of
new tokens one by one.

Prints a table and writes OUT/inference.json. The limit of new tokens is what could be read: every weight, for each.
"""

import argparse
import pathlib
import sys

import contest
from contest import Side

PACKAGES = ("torch", "transformers")
GOAL = 1.0
# Of a result, in the order of the table: what it is, its key, and its limit's.
QUANTITIES = (("prompt", "prompt_tokens_per_second", None), ("scored", "scored_tokens_per_second", None),
              ("new", "new_tokens_per_second", "most_new_tokens_per_second"))


class InferenceContest(contest.Contest):
    SAME = ("parameters", "prompt_tokens", "scored_tokens", "new_tokens", "threads")

    def summary(self, sample: contest.Sample) -> str:
        return ", ".join(f"{what} {sample.result[key]:7.1f}" for what, key, _ in QUANTITIES) + " tokens/s"

    def rows(self) -> list[dict]:
        return [self.row(side, what, key, limit=limit, better="higher", goal=GOAL, unit="tokens/s")
                for side in self.ours for what, key, limit in QUANTITIES]


def contests(options: argparse.Namespace) -> list[InferenceContest]:
    peer = str(pathlib.Path(__file__).with_name("inference_peer.py"))
    result = []
    for dtype in options.dtype:
        same = ("--dtype", dtype, "--prompt-tokens", str(options.prompt_tokens),
                "--new-tokens", str(options.new_tokens))
        result.append(InferenceContest(dtype, [Side("ridgeline", (options.program, *same))],
                                       Side("transformers", (sys.executable, peer, *same))))
    return result


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    contest.add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prompt-tokens", type=int, default=256)
    parser.add_argument("--new-tokens", type=int, default=64)
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    contest.hold(contests(options), PACKAGES, options, "inference")


if __name__ == "__main__":
    main()
