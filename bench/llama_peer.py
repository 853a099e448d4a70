# SPDX-License-Identifier: Apache-2.0
"""Times a GGUF in use in llama.cpp, through llama-cpp-python, and prints one JSON object.

The twin of bench/inference_bench.cc --path: random tokens as a prompt, in one call, then greedy tokens one by one
against the cache, on as many cores as threads. bench/packed.py runs both, a process each.
"""

import argparse
import json
import os
import random
import time

import llama_cpp
import numpy


def next_token(model: llama_cpp.Llama) -> int:
    logits = llama_cpp.llama_get_logits_ith(model.ctx, -1)
    return int(numpy.ctypeslib.as_array(logits, (model.n_vocab(),)).argmax())


def generate(model: llama_cpp.Llama, prompt: list[int], new_tokens: int) -> tuple[float, float]:
    """Seconds of the prompt, and of all tokens after the first."""
    model.reset()
    begin = time.perf_counter()
    model.eval(prompt)
    token = next_token(model)
    prompt_seconds, begin = time.perf_counter() - begin, time.perf_counter()
    for _ in range(new_tokens - 1):
        model.eval([token])
        token = next_token(model)
    return prompt_seconds, time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", required=True, help="a GGUF")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--prompt-tokens", type=int, default=512)
    parser.add_argument("--new-tokens", type=int, default=64)
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:options.threads])
    model = llama_cpp.Llama(options.path, n_ctx=options.prompt_tokens + options.new_tokens,
                            n_batch=options.prompt_tokens, n_ubatch=options.prompt_tokens, n_threads=options.threads,
                            n_threads_batch=options.threads, n_gpu_layers=0, verbose=False)
    prompt = random.Random(1).choices(range(model.n_vocab()), k=options.prompt_tokens)
    generate(model, prompt, 2)
    prompt_seconds, decode_seconds = generate(model, prompt, options.new_tokens)
    print(json.dumps({"prompt_tokens": options.prompt_tokens, "new_tokens": options.new_tokens,
                      "prompt_tokens_per_second": options.prompt_tokens / prompt_seconds,
                      "new_tokens_per_second": (options.new_tokens - 1) / decode_seconds,
                      "threads": options.threads, "bytes": os.path.getsize(options.path),
                      "llama_cpp": llama_cpp.__version__}))


if __name__ == "__main__":
    main()
