// SPDX-License-Identifier: Apache-2.0
// Ids of short parts of text that came before: in natural text most words have.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/synchronization/mutex.h"

namespace ridgeline {

// Of one thread at a time. Forgets all when it is full.
class ChunkCache {
 public:
  // Appends the ids of the chunk, if they are known.
  bool Append(std::string_view chunk, std::vector<uint32_t>* ids) const;
  void Add(std::string_view chunk, std::span<const uint32_t> ids);

 private:
  absl::flat_hash_map<std::string, absl::InlinedVector<uint32_t, 4>> known_;
};

// Those that no thread uses now. Thread-safe.
class ChunkCaches {
 public:
  // A cache for one call; comes back when it is destroyed.
  class Lease {
   public:
    explicit Lease(const ChunkCaches* caches) : caches_(caches), cache_(caches->Take()) {}
    Lease(const Lease&) = delete;
    ~Lease() { caches_->GiveBack(std::move(cache_)); }
    ChunkCache& operator*() const { return *cache_; }

   private:
    const ChunkCaches* const caches_;
    std::unique_ptr<ChunkCache> cache_;
  };

 private:
  std::unique_ptr<ChunkCache> Take() const;
  void GiveBack(std::unique_ptr<ChunkCache> cache) const;

  mutable absl::Mutex mutex_;
  mutable std::vector<std::unique_ptr<ChunkCache>> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ridgeline
