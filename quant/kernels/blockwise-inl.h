// SPDX-License-Identifier: Apache-2.0
// From block functions to kernels on matrices: blocks are widened, rotated and pruned on their way in, rotated back and
// narrowed on their way out, all within the cache. Compiled once for each instruction set; include only from files that
// use foreach_target.
#if defined(RIDGELINE_QUANT_KERNELS_BLOCKWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGELINE_QUANT_KERNELS_BLOCKWISE_INL_H_
#undef RIDGELINE_QUANT_KERNELS_BLOCKWISE_INL_H_
#else
#define RIDGELINE_QUANT_KERNELS_BLOCKWISE_INL_H_
#endif

#include <new>
#include <type_traits>
#include <utility>

#include "method/hadamard_sign.h"
#include "quant/kernels/block-inl.h"
#include "quant/kernels/hadamard-inl.h"
#include "quant/kernels/kernel_table.h"
#include "quant/kernels/narrow.h"
#include "quant/kernels/prune-inl.h"
#include "quant/kernels/workspace.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

// What blocks of X are computed in.
template <typename X>
using Computed = std::conditional_t<std::is_same_v<X, double>, double, float>;

// Blocks are worked on a few at a time, as long as all of them fit into the innermost cache.
inline constexpr int kMostBlocksAtOnce = 4;
inline constexpr int64_t kLargestOfSeveral = 256;
HWY_INLINE int BlocksAtOnce(int64_t block) { return block <= kLargestOfSeveral ? kMostBlocksAtOnce : 1; }

// A block's place in a matrix (rows, features).
struct Place {
  int64_t at;      // Of its first number.
  int64_t column;  // Of that within its row.
  int64_t n;
};

// The workspace of one call, and the way of its blocks in and out.
template <typename T>
class Workspace {
 public:
  HWY_INLINE Workspace(const ResolvedSpec& spec, int64_t features)
      : spec_(spec),
        block_(BlockLength(spec, features)),
        rotation_factor_(RotationFactor<T>(block_)),
        narrow_(NarrowFunctions().front()) {
    const int64_t vector = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
    room_ = (block_ + vector - 1) / vector * vector;
    shared_ = BlocksAtOnce(block_) * kOwnBuffers * room_;
    signs_ = shared_ + kSharedBuffers * room_ + 2 * kLargestSparsityGroup;
    numbers_ = WorkspaceOf<T>(signs_ + (spec.hadamard_signs ? features : 0));
    for (int64_t i = 0; spec.hadamard_signs && i < features; ++i)
      numbers_[signs_ + i] = static_cast<T>(HadamardSign(i));
    if (spec.sparsity.is_sparse()) GroupPlaces(block_, spec.sparsity.m, Shared(kPlaces));
  }

  int64_t block() const { return block_; }

  // To the block here, which is the `slot`-th of those that are worked on at once.
  HWY_INLINE void MoveTo(int slot, const Place& place) {
    own_ = slot * kOwnBuffers * room_;
    column_ = place.column;
  }

  // Of x, n numbers.
  template <typename X>
  HWY_INLINE Block<T> Load(const X* x, int64_t n) {
    const T* numbers = Widened(x, n, Own(kX));
    Block<T> block{numbers, numbers, nullptr, n, static_cast<T>(n), Own(kCodes)};
    if (spec_.hadamard) {
      block.unrotated = WithSigns(numbers, n, Own(kX));
      block.x = block.x_kept = numbers = Own(kRotated);
      Rotate(block.unrotated, n, rotation_factor_, Own(kRotated));
    }
    if (!spec_.sparsity.is_sparse()) return block;
    Prune(spec_.sparsity, numbers, Shared(kPlaces), n, Shared(kSizes) + kLargestSparsityGroup, Own(kMask), Own(kKept));
    block.x_kept = Own(kKept);
    block.mask = Own(kMask);
    block.kept_count = static_cast<T>(n / spec_.sparsity.m * spec_.sparsity.n);
    return block;
  }

  template <typename V>
  HWY_INLINE const T* LoadGradient(const V* v, int64_t n) {
    const T* numbers = Widened(v, n, Shared(kGradient));
    if (!spec_.hadamard || spec_.stays_rotated) return numbers;
    Rotate(WithSigns(numbers, n, Shared(kGradient)), n, rotation_factor_, Shared(kGradient));
    return Shared(kGradient);
  }

  // Where a block function writes what StoreValues or StoreGradient hands out: `to` itself if nothing is to be done,
  // and if that is not what the function still `reads` when it has begun to write.
  template <typename To>
  HWY_INLINE T* RoomForValues(const T* reads, To* to) {
    return Room(reads, to, RotatesValuesBack());
  }
  template <typename To>
  HWY_INLINE T* RoomForGradient(const T* reads, To* to) {
    return Room(reads, to, spec_.hadamard);
  }
  template <typename To>
  HWY_INLINE void StoreValues(T* x_hat, int64_t n, To* to) {
    Store(x_hat, n, RotatesValuesBack(), to);
  }
  template <typename To>
  HWY_INLINE void StoreGradient(T* dx, int64_t n, To* to) {
    Store(dx, n, spec_.hadamard, to);
  }

 private:
  enum { kX, kRotated, kCodes, kKept, kMask, kOwnBuffers };      // Of each block that is worked on.
  enum { kGradient, kResult, kPlaces, kSizes, kSharedBuffers };  // kSizes is longer: it is the last.

  T* Own(int which) const { return numbers_ + own_ + which * room_; }
  T* Shared(int which) const { return numbers_ + shared_ + which * room_; }
  bool RotatesValuesBack() const { return spec_.hadamard && !spec_.stays_rotated; }

  // Numbers in T: `from` itself if nothing is to be done.
  template <typename From>
  HWY_INLINE const T* Widened(const From* from, int64_t n, T* buffer) {
    if constexpr (std::is_same_v<From, T>)
      return from;
    else
      ConvertNumbers<T>(from, n, buffer);
    return buffer;
  }
  // D x for the signs D of a rotation, H D x: x itself without signs.
  HWY_INLINE const T* WithSigns(const T* x, int64_t n, T* buffer) {
    if (!spec_.hadamard_signs) return x;
    FlipSigns(x, Signs(), n, buffer);
    return buffer;
  }

  template <typename To>
  HWY_INLINE T* Room(const T* reads, To* to, bool rotates_back) {
    if constexpr (std::is_same_v<To, T>)
      if (!rotates_back && to != reads) return to;
    return Shared(kResult);
  }

  template <typename To>
  HWY_INLINE void Store(T* result, int64_t n, bool rotates_back, To* to) {
    if constexpr (std::is_same_v<To, T>) {
      if (rotates_back)
        RotateBack(result, n, to);
      else if (result != to)
        Copy(result, n, to);
    } else {
      if (rotates_back) RotateBack(result, n, result);
      narrow_(result, n, to);
    }
  }
  const T* Signs() const { return numbers_ + signs_ + column_; }

  // x = D H y.
  HWY_INLINE void RotateBack(const T* y, int64_t n, T* x) {
    Rotate(y, n, rotation_factor_, x);
    if (spec_.hadamard_signs) FlipSigns(x, Signs(), n, x);
  }

  const ResolvedSpec& spec_;
  int64_t block_, room_;
  int64_t own_ = 0, shared_, signs_;  // Where in numbers_ they begin; signs_ are those of a row.
  int64_t column_ = 0;
  T rotation_factor_;
  NarrowFunction narrow_;
  T* numbers_;
};

// Calls function(places, count) for the blocks of a (rows, features) matrix, a few at a time, in their order.
template <typename Function>
HWY_INLINE void ForEachBlocks(int64_t rows, int64_t features, int64_t block, const Function& function) {
  Place places[kMostBlocksAtOnce];
  const int at_once = BlocksAtOnce(block);
  int count = 0;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < features; column += block) {
      places[count++] = {row * features + column, column, Min(block, features - column)};
      if (count < at_once) continue;
      function(places, count);
      count = 0;
    }
  if (count > 0) function(places, count);
}

// SR-STE: pruned numbers decay.
template <typename T>
HWY_INLINE void AddMaskDecay(const Block<T>& block, T decay, T* dx) {
  ForEachVector<T>(block.n, [&](auto d, int64_t i) HWY_ATTR {
    const auto pruned = hn::Sub(hn::LoadU(d, block.x + i), hn::LoadU(d, block.x_kept + i));
    hn::StoreU(hn::MulAdd(hn::Set(d, decay), pruned, hn::LoadU(d, dx + i)), d, dx + i);
  });
}

// What the forward pass saves of blocks for the backward pass, or, if it encodes, of what levels come to; one after the
// other.
template <typename T>
class SavedOfBlocks {
 public:
  // `saved` may be null, and is nothing where SavedBytes of the spec are none.
  HWY_INLINE SavedOfBlocks(const ResolvedSpec& spec, uint8_t* saved)
      : passes_fit_(spec.backward == BackwardPass::kFit),
        next_(passes_fit_ || spec.backward == BackwardPass::kTrusted ? saved : nullptr),
        statistics_(spec.encodes ? reinterpret_cast<BlockStatistics*>(saved) : nullptr) {}

  HWY_INLINE void PointAtSaved(Block<T>* block) {
    if (statistics_ != nullptr) block->statistics = statistics_++;
    if (statistics_ != nullptr || next_ == nullptr) return;
    if (passes_fit_)
      block->fit = reinterpret_cast<SavedFit<T>*>(next_);
    else
      block->trusted = next_;
    next_ += passes_fit_ ? static_cast<int64_t>(sizeof(SavedFit<T>)) : (block->n + 7) / 8;
  }

 private:
  const bool passes_fit_;
  uint8_t* next_;
  BlockStatistics* statistics_;
};

// Asks for a block of those that come after the ones which are worked on: it is then in the cache when its turn comes.
// Addresses behind the end do no harm. Long blocks need no help, since the machine sees for itself where they go on.
template <typename X>
HWY_INLINE void Prefetch(const X* next, int64_t n) {
  const auto ask_for = [next](int64_t length) RIDGELINE_ALWAYS_INLINE {
    for (int64_t i = 0; i < length; i += 64 / sizeof(X)) __builtin_prefetch(next + i);
  };
  if (n == kUsualBlock)
    ask_for(kUsualBlock);  // Without a look at the end after each line.
  else if (n <= kLargestOfSeveral)
    ask_for(n);
}

// A few blocks and what was measured of them, or is restored from what the forward pass saved. Both are made in their
// places: copies in vectors would wait until the numbers they consist of have left for the cache. All are measured
// before the first of them goes on: what follows from a block's sums is waited for, and those of others can be made
// meanwhile.
template <class Blocks, typename T>
struct MeasuredBlocks {
  using Measured = decltype(Blocks::Measure(std::declval<const ResolvedSpec&>(), std::declval<const Block<T>&>()));

  Block<T> blocks[kMostBlocksAtOnce];
  Measured measured[kMostBlocksAtOnce];

  template <bool kRestores, typename X>
  HWY_INLINE void Load(const ResolvedSpec& spec, const X* x, const Place* places, int count, SavedOfBlocks<T>* saved,
                       Workspace<T>* workspace) {
    for (int i = 0; i < count; ++i) {
      workspace->MoveTo(i, places[i]);
      Prefetch(x + places[i].at + count * places[i].n, places[i].n);
      new (&blocks[i]) Block<T>(workspace->Load(x + places[i].at, places[i].n));
      saved->PointAtSaved(&blocks[i]);
      if constexpr (kRestores)
        new (&measured[i]) Measured(Blocks::Restore(spec, blocks[i]));
      else
        new (&measured[i]) Measured(Blocks::Measure(spec, blocks[i]));
    }
  }
};

template <class Blocks, typename X, typename V>
void ForwardMatrix(const ResolvedSpec& spec, const X* x, int64_t rows, int64_t features, V* x_hat, uint8_t* saved) {
  using T = Computed<X>;
  Workspace<T> workspace(spec, features);
  SavedOfBlocks<T> saved_of_blocks(spec, saved);
  ForEachBlocks(rows, features, workspace.block(), [&](const Place* places, int count) HWY_ATTR {
    MeasuredBlocks<Blocks, T> taken;
    taken.template Load</*kRestores=*/false>(spec, x, places, count, &saved_of_blocks, &workspace);
    const auto write = [&](int i) HWY_ATTR {
      workspace.MoveTo(i, places[i]);
      Prefetch(x_hat + places[i].at + count * places[i].n, places[i].n);
      T* result = workspace.RoomForValues(taken.blocks[i].x, x_hat + places[i].at);
      Blocks::Forward(spec, taken.measured[i], taken.blocks[i], result);
      workspace.StoreValues(result, places[i].n, x_hat + places[i].at);
    };
    for (int i = 0; i < count; ++i) {  // Each is written when the next one is fitted.
      Blocks::Fit(spec, taken.blocks[i], &taken.measured[i]);
      if (i > 0) write(i - 1);
    }
    write(count - 1);
  });
}

template <class Blocks, typename X, typename V>
void BackwardMatrix(const ResolvedSpec& spec, const X* x, const uint8_t* saved, const V* v, int64_t rows,
                    int64_t features, V* dx) {
  using T = Computed<X>;
  Workspace<T> workspace(spec, features);
  const bool decays = spec.sparsity.is_sparse() && spec.mask_decay > 0;
  SavedOfBlocks<T> saved_of_blocks(spec, const_cast<uint8_t*>(saved));  // Only read.
  ForEachBlocks(rows, features, workspace.block(), [&](const Place* places, int count) HWY_ATTR {
    MeasuredBlocks<Blocks, T> taken;
    taken.template Load</*kRestores=*/true>(spec, x, places, count, &saved_of_blocks, &workspace);
    for (int i = 0; i < count; ++i) {
      const auto [at, column, n] = places[i];
      workspace.MoveTo(i, places[i]);
      Prefetch(v + at + count * n, n);
      const T* gradient = workspace.LoadGradient(v + at, n);
      T* result = workspace.RoomForGradient(gradient, dx + at);
      Blocks::Backward(spec, taken.measured[i], taken.blocks[i], gradient, result);
      if (decays) AddMaskDecay(taken.blocks[i], static_cast<T>(spec.mask_decay), result);
      workspace.StoreGradient(result, n, dx + at);
    }
  });
}

// Of `Blocks`, which has the static templates
//   Measure(spec, block), Fit(spec, block, &measured) and Forward(spec, measured, block, x_hat);
//   Restore(spec, block) and Backward(spec, measured, block, v, dx).
template <class Blocks, typename X, typename V>
constexpr MatrixKernels<X, V> MatrixKernelsOf() {
  return {&ForwardMatrix<Blocks, X, V>, &BackwardMatrix<Blocks, X, V>};
}
template <class Blocks>
constexpr KernelTable KernelTableOf() {
  return {MatrixKernelsOf<Blocks, float, float>(), MatrixKernelsOf<Blocks, double, double>(),
          MatrixKernelsOf<Blocks, BFloat16, BFloat16>(), MatrixKernelsOf<Blocks, float, BFloat16>()};
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#endif  // RIDGELINE_QUANT_KERNELS_BLOCKWISE_INL_H_
