// SPDX-License-Identifier: Apache-2.0
#include "data/chunk_cache.h"

#include <utility>

#include "absl/strings/string_view.h"

namespace ridgeline {
namespace {

constexpr size_t kMaxChunks = size_t{1} << 16;
constexpr size_t kMaxChunkBytes = 48;  // Longer ones seldom come again.

}  // namespace

bool ChunkCache::Append(std::string_view chunk, std::vector<uint32_t>* ids) const {
  if (chunk.size() > kMaxChunkBytes) return false;
  const auto found = known_.find(absl::string_view(chunk.data(), chunk.size()));
  if (found == known_.end()) return false;
  ids->insert(ids->end(), found->second.begin(), found->second.end());
  return true;
}

void ChunkCache::Add(std::string_view chunk, std::span<const uint32_t> ids) {
  if (chunk.size() > kMaxChunkBytes) return;
  if (known_.size() >= kMaxChunks) known_.clear();
  known_.try_emplace(std::string(chunk), ids.begin(), ids.end());
}

std::unique_ptr<ChunkCache> ChunkCaches::Take() const {
  absl::MutexLock lock(&mutex_);
  if (idle_.empty()) return std::make_unique<ChunkCache>();
  std::unique_ptr<ChunkCache> cache = std::move(idle_.back());
  idle_.pop_back();
  return cache;
}

void ChunkCaches::GiveBack(std::unique_ptr<ChunkCache> cache) const {
  absl::MutexLock lock(&mutex_);
  idle_.push_back(std::move(cache));
}

}  // namespace ridgeline
