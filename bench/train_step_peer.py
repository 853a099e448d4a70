# SPDX-License-Identifier: Apache-2.0
"""Times training steps of Gemma 3 270M in transformers, plain or with torchao's QAT, and prints one JSON object.

The twin of bench/train_step_bench.cc: the same shape, random weights, clipping at norm 1, AdamW with the same numbers,
one untimed step first. bench/train_step.py runs both, a process each.
"""

import argparse
import json
import time

import torch
import torchao
import transformers
from torchao.quantization import quantize_
from torchao.quantization.qat import IntxFakeQuantizeConfig, QATConfig

from gemma3_peer import gemma3_270m


def is_quantized_layer(module: torch.nn.Module, name: str) -> bool:
    """The layers that Ridgeline quantizes: attention and MLP, not the head that is tied to the embedding."""
    return isinstance(module, torch.nn.Linear) and not name.endswith("lm_head")


def insert_a8w4(model: torch.nn.Module) -> int:
    """int8 a token, asymmetric; int4 a group of 128, symmetric. Returns how many layers have fake quantizers now."""
    activation = IntxFakeQuantizeConfig(torch.int8, "per_token", is_symmetric=False)
    weight = IntxFakeQuantizeConfig(torch.int4, group_size=128)
    quantize_(model, QATConfig(activation_config=activation, weight_config=weight, step="prepare"), is_quantized_layer)
    return sum(getattr(module, "weight_fake_quantizer", None) is not None for module in model.modules())


def timed_steps(model: torch.nn.Module, seq_len: int, steps: int) -> tuple[list[float], float]:
    """Seconds of each step after the first, and the first one's loss."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.01,
                                  fused=True)
    tokens = torch.randint(0, model.config.vocab_size, (1, seq_len + 1))
    inputs, targets = tokens[:, :-1], tokens[:, 1:].contiguous()
    seconds, first_loss = [], 0.0
    for step in range(steps + 1):
        begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = model(input_ids=inputs, shift_labels=targets, labels=targets).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seconds.append(time.perf_counter() - begin)
        first_loss = loss.item() if step == 0 else first_loss
    return seconds[1:], first_loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quant", choices=["none", "a8w4"], default="none")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--seq-len", type=int, default=256)
    parser.add_argument("--steps", type=int, default=2)
    options = parser.parse_args()
    model = gemma3_270m(getattr(torch, options.dtype)).train()
    parameters = sum(parameter.numel() for parameter in model.parameters())  # A tied head counts once.
    layers = insert_a8w4(model) if options.quant == "a8w4" else 0
    seconds, loss = timed_steps(model, options.seq_len, options.steps)
    median = sorted(seconds)[len(seconds) // 2]
    print(json.dumps({"seconds": median, "tokens": options.seq_len, "tokens_per_second": options.seq_len / median,
                      "loss": loss, "parameters": parameters, "quantized_layers": layers,
                      "threads": torch.get_num_threads(), "torch": torch.__version__,
                      "transformers": transformers.__version__,
                      "torchao": torchao.__version__}))


if __name__ == "__main__":
    main()
