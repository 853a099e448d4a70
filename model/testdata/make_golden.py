#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the golden models beside it with transformers: python3 make_golden.py (needs torch, transformers, safetensors).

Each folder is a small random model as transformers saves it (config.json, model.safetensors) and golden.safetensors:
tokens, logits and mean loss in float32 and bfloat16, and the gradient of the float32 loss for every parameter.
"""
import pathlib

import torch
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent


def gemma3(**changes):
    sizes = dict(vocab_size=61, hidden_size=16, intermediate_size=24, num_hidden_layers=7, num_attention_heads=4,
                 num_key_value_heads=2, head_dim=8, sliding_window=5, max_position_embeddings=64,
                 query_pre_attn_scalar=8, initializer_range=0.3)
    sizes.update(changes)
    return transformers.Gemma3ForCausalLM(transformers.Gemma3TextConfig(**sizes))


def gpt2():
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=61, n_embd=16, n_layer=2, n_head=4, n_positions=32, initializer_range=0.2, resid_pdrop=0.0,
        embd_pdrop=0.0, attn_pdrop=0.0))


MODELS = {
    # Sliding and global layers, grouped heads, both RoPE bases.
    "gemma3-270m-like": lambda: gemma3(),
    # The 4B's features: positions of the global layers divided by 8, other bases, every third layer global.
    "gemma3-4b-like": lambda: gemma3(num_hidden_layers=4, num_key_value_heads=1, sliding_window=4, layer_types=[
        "sliding_attention", "sliding_attention", "full_attention", "sliding_attention"], rope_parameters={
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e5},
            "sliding_attention": {"rope_type": "default", "rope_theta": 5e3}}),
    "gpt2-like": gpt2,
}


def make(name, build):
    torch.manual_seed(7)
    model = build().eval()
    with torch.no_grad():  # Norms that are not the identity, biases that are not zero.
        for parameter_name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    folder = HERE / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    tokens = torch.randint(1, 61, (2, 13))
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    logits = model(input_ids=inputs, use_cache=False).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
    loss.backward()
    golden = {"tokens": tokens, "logits": logits.detach().contiguous(), "loss": loss.detach()}
    for parameter_name, parameter in model.named_parameters():
        golden["gradient." + parameter_name] = parameter.grad.clone()
    half = model.to(torch.bfloat16)
    golden["logits_bfloat16"] = half(input_ids=inputs, use_cache=False).logits.detach().float().contiguous()
    save_file(golden, folder / "golden.safetensors",
              metadata={"made_by": f"transformers {transformers.__version__}, torch {torch.__version__}"})


if __name__ == "__main__":
    for name, build in MODELS.items():
        make(name, build)
