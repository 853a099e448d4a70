# SPDX-License-Identifier: Apache-2.0
"""Gemma 3 270M in transformers, with random weights: the peer that whole models are timed against."""

import torch
import transformers


def gemma3_270m(dtype: torch.dtype) -> torch.nn.Module:
    config = transformers.Gemma3TextConfig(
        vocab_size=262144, hidden_size=640, intermediate_size=2048, num_hidden_layers=18, num_attention_heads=4,
        num_key_value_heads=1, head_dim=256, sliding_window=512, query_pre_attn_scalar=256,
        max_position_embeddings=32768, use_cache=False, attn_implementation="sdpa", dtype=dtype)
    torch.manual_seed(1)
    return transformers.Gemma3ForCausalLM(config).to(dtype)
