# SPDX-License-Identifier: Apache-2.0
"""Times Gemma 3 270M in use in transformers, and prints one JSON object.

The twin of bench/inference_bench.cc: the same shape, random weights, greedy tokens against a cache, each from a call of
the model itself, without what generate() does around it. bench/inference.py runs both, a process each.
"""

import argparse
import json
import time

import torch
import transformers

from gemma3_peer import gemma3_270m


@torch.inference_mode()
def generate(model: torch.nn.Module, prompt: torch.Tensor, new_tokens: int) -> tuple[float, float]:
    """Seconds of the prompt (1, T), and of all tokens after the first."""
    cache = transformers.DynamicCache(config=model.config)
    begin = time.perf_counter()
    step = model(input_ids=prompt, cache=cache, use_cache=True, logits_to_keep=1)
    prompt_seconds, begin = time.perf_counter() - begin, time.perf_counter()
    for _ in range(new_tokens - 1):
        token = step.logits[:, -1:].argmax(-1)  # (1, 1)
        step = model(input_ids=token, cache=cache, use_cache=True, logits_to_keep=1)
    return prompt_seconds, time.perf_counter() - begin


@torch.inference_mode()
def score(model: torch.nn.Module, tokens: torch.Tensor, seq_len: int) -> tuple[float, float]:
    """Mean loss of all tokens (T) but the first, in windows of seq_len, and the seconds that it took."""
    begin, loss, count = time.perf_counter(), 0.0, len(tokens) - 1
    for at in range(0, count, seq_len):
        inputs, targets = tokens[at:min(at + seq_len, count)], tokens[at + 1:at + 1 + seq_len]
        window = model(input_ids=inputs[None], shift_labels=targets[None], labels=targets[None], use_cache=False)
        loss += window.loss.item() * len(targets)
    return loss / count, time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--prompt-tokens", type=int, default=256)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--scored-tokens", type=int, default=512)
    parser.add_argument("--seq-len", type=int, default=256)
    options = parser.parse_args()
    model = gemma3_270m(getattr(torch, options.dtype)).eval()
    vocabulary = model.config.vocab_size
    prompt = torch.randint(0, vocabulary, (1, options.prompt_tokens))
    generate(model, prompt, 2)
    prompt_seconds, decode_seconds = generate(model, prompt, options.new_tokens)
    loss, score_seconds = score(model, torch.randint(0, vocabulary, (options.scored_tokens + 1,)), options.seq_len)
    print(json.dumps({"prompt_tokens": options.prompt_tokens, "new_tokens": options.new_tokens,
                      "prompt_tokens_per_second": options.prompt_tokens / prompt_seconds,
                      "new_tokens_per_second": (options.new_tokens - 1) / decode_seconds,
                      "parameters": sum(parameter.numel() for parameter in model.parameters()),
                      "threads": torch.get_num_threads(), "loss": loss, "scored_tokens": options.scored_tokens,
                      "scored_tokens_per_second": options.scored_tokens / score_seconds,
                      "torch": torch.__version__, "transformers": transformers.__version__}))


if __name__ == "__main__":
    main()
