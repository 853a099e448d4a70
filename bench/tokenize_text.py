#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A tokenizer of ours beside SentencePiece's and transformers' fast one: MB/s at equal threads, and whether ids agree.

    pip install sentencepiece transformers protobuf     # what is missing is said and left out
    bench/tokenize_text.py --tokenizer MODEL.gguf --text FILE... [--program build/bin/tokenize_bench] [--threads 1,2]

The model's SentencePiece file is taken from a dataset that `ridgeline data prepare` makes of a few lines with it.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def cpu():
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown CPU"


def best_of(rounds, size, work):
    best = 0.0
    for _ in range(rounds):
        start = time.perf_counter()
        count = work()
        best = max(best, size / 1e6 / (time.perf_counter() - start))
    return best, count


def ours(options, text, threads):
    out = subprocess.run([options.program, "--tokenizer", options.tokenizer, "--text", text, "--threads", str(threads),
                          "--rounds", str(options.rounds)], capture_output=True, text=True, check=True)
    row = json.loads(out.stdout)[0]
    return row["megabytes_per_second"], row["tokens"]


def sentencepiece_file(options, folder):
    sample = Path(folder) / "sample.txt"
    sample.write_text("In the beginning God created the heaven and the earth.\n" * 20, encoding="utf-8")
    program = Path(options.program).parent / "ridgeline"
    subprocess.run([program, "data", "prepare", "--text", sample, "--tokenizer", options.tokenizer, "--out",
                    Path(folder) / "data"], check=True, stdout=subprocess.DEVNULL)
    return Path(folder) / "data" / "tokenizer.model"


def lines_of(path):
    return Path(path).read_text(encoding="utf-8").splitlines(keepends=True)


def peers(options, model_file):
    """Name to a function of text and threads; and what is left out with the reason."""
    found, missing = {}, []
    try:
        import sentencepiece
        processor = sentencepiece.SentencePieceProcessor(model_file=str(model_file))

        def with_sentencepiece(path, threads):
            lines = lines_of(path)
            size = os.path.getsize(path)
            return best_of(options.rounds, size,
                           lambda: sum(map(len, processor.encode(lines, out_type=int, num_threads=threads))))
        found["SentencePiece " + sentencepiece.__version__] = with_sentencepiece
    except ImportError:
        missing.append("SentencePiece: pip install sentencepiece")
    try:
        import transformers
        fast = transformers.GemmaTokenizerFast(vocab_file=str(model_file), add_bos_token=False)
        sample = "In the beginning God created the heaven and the earth."
        if found and fast(sample, add_special_tokens=False)["input_ids"] != processor.encode(sample):
            raise ValueError(f"version {transformers.__version__} reads another tokenizer out of the file")

        def with_transformers(path, threads):
            os.environ["RAYON_NUM_THREADS"] = str(threads)
            os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
            lines = lines_of(path)
            size = os.path.getsize(path)
            return best_of(options.rounds, size,
                           lambda: sum(map(len, fast(lines, add_special_tokens=False)["input_ids"])))
        found["transformers " + transformers.__version__] = with_transformers
    except Exception as error:  # Of many kinds: which packages it wants depends on its version.
        missing.append(f"transformers: {type(error).__name__}: {str(error).splitlines()[0]}; "
                       "pip install transformers protobuf")
    return found, missing


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--text", required=True, action="append")
    parser.add_argument("--program", default="build/bin/tokenize_bench")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{cpu()}, best of {options.rounds} rounds, lines by lines for the others")
    with tempfile.TemporaryDirectory() as folder:
        others, missing = peers(options, sentencepiece_file(options, folder))
        print(f"{'text':<14}{'threads':>8}  {'who':<24}{'MB/s':>8}{'ratio':>8}{'tokens':>10}")
        for text in options.text:
            for threads in map(int, options.threads.split(",")):
                rate, tokens = ours(options, text, threads)
                print(f"{Path(text).name:<14}{threads:>8}  {'Ridgeline':<24}{rate:>8.2f}{'':>8}{tokens:>10}")
                for name, encode in others.items():
                    other, count = encode(text, threads)
                    print(f"{Path(text).name:<14}{threads:>8}  {name:<24}{other:>8.2f}{rate / other:>8.2f}{count:>10}")
        for what in missing:
            print(f"left out: {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
