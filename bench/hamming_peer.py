# SPDX-License-Identifier: Apache-2.0
"""Times NumKong's product of one-bit matrices on one thread, and prints one JSON object.

Its distances are held to counted bits before they are timed. bench/packed.py compares the A1W1 products of
bench/packed_bench.cc with them.
"""

import argparse
import json
import os
import time

import numkong
import numpy


def check(inputs: numpy.ndarray, weights: numpy.ndarray, distances: numpy.ndarray) -> None:
    """Of bits, on a corner of the result."""
    for i in range(3):
        for j in range(5):
            expected = int(numpy.unpackbits(inputs[i] ^ weights[j]).sum())
            if int(distances[i, j]) != expected:
                raise SystemExit(f"numkong says that rows {i} and {j} differ in {distances[i, j]} bits, but it is "
                                 f"{expected}: not timed")


def seconds_of(count: int, rows: int, features: int, rounds: int) -> list[float]:
    rng = numpy.random.default_rng(1)
    inputs, weights = (rng.integers(0, 256, (n, features // 8), dtype=numpy.uint8) for n in (count, rows))
    packed = numkong.hammings_pack(weights, dtype="uint1")
    check(inputs, weights, numpy.asarray(numkong.hammings_packed(inputs, packed)))
    result = []
    for _ in range(rounds):
        begin = time.perf_counter()
        numkong.hammings_packed(inputs, packed)
        result.append(time.perf_counter() - begin)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, required=True, help="rows of inputs")
    parser.add_argument("--rows", type=int, required=True, help="of weights")
    parser.add_argument("--features", type=int, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    seconds = seconds_of(options.count, options.rows, options.features, options.rounds)
    print(json.dumps({"seconds": seconds, "threads": 1, "numkong": numkong.__version__}))


if __name__ == "__main__":
    main()
