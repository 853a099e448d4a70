// SPDX-License-Identifier: Apache-2.0
#include "model/attention.h"

#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// x: (B, K, T, D), appended to what `kept` holds.
at::Tensor Append(std::vector<at::Tensor>* kept, size_t layer, const at::Tensor& x) {
  if (kept->size() <= layer) kept->resize(layer + 1);
  at::Tensor& slot = (*kept)[layer];
  slot = slot.defined() ? at::cat({slot, x}, 2) : x;
  return slot;
}

// (queries, keys), true where a query may look; the queries are the last positions.
at::Tensor WindowMask(int64_t queries, int64_t keys, int64_t window, const at::Device& device) {
  const at::TensorOptions options = at::TensorOptions(at::kLong).device(device);
  const at::Tensor query = at::arange(keys - queries, keys, options).unsqueeze(1);
  const at::Tensor key = at::arange(keys, options).unsqueeze(0);
  const at::Tensor distance = query - key;
  return distance.ge(0).logical_and(distance.lt(window));
}

}  // namespace

at::Tensor CausalAttention(const Ops& ops, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                           const AttentionOptions& options, KvCache* cache, size_t layer) {
  at::Tensor q = query.transpose(1, 2), k = key.transpose(1, 2), v = value.transpose(1, 2);  // (B, heads, T, D)
  if (cache != nullptr) {
    k = Append(&cache->keys, layer, k);
    v = Append(&cache->values, layer, v);
  }
  const int64_t queries = q.size(2), keys = k.size(2), groups = q.size(1) / k.size(1);
  const std::vector<int64_t> shape = q.sizes().vec();
  if (queries == 1) {  // Heads that share keys are queries at one place: nothing is repeated for a new token.
    q = q.reshape({q.size(0), k.size(1), groups, q.size(3)});
  } else if (groups > 1) {
    k = k.repeat_interleave(groups, 1);
    v = v.repeat_interleave(groups, 1);
  }
  const int64_t window = options.window > 0 ? options.window : keys;
  std::optional<at::Tensor> mask;
  const bool whole = queries == keys && window >= keys;  // Plain causal attention.
  const bool sees_all = queries == 1 && window >= keys;  // One new token.
  if (!whole && !sees_all) mask = WindowMask(queries, keys, window, q.device());
  const at::Tensor mixed = ops.Attention(q, k, v, mask, /*is_causal=*/whole && queries > 1, options.scale);
  return mixed.reshape(shape).transpose(1, 2);
}

}  // namespace ridgeline
