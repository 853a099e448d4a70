// SPDX-License-Identifier: Apache-2.0
#include "worker/train/exceptions.h"

#include <new>

#include "fmt/format.h"
#include "quant/autograd/torch_pch.h"
#include "worker/parallel/status_error.h"

namespace ridgeline {
namespace {

absl::Status OutOfMemory(const std::string& what) {
  return absl::ResourceExhaustedError(
      fmt::format("out of memory; lower training.global_batch_size or training.seq_len, or use more ranks: {}", what));
}

// How allocators that throw plain errors report it: LibTorch's of CPUs, the system, CUDA, cuBLAS and cuDNN.
bool MeansOutOfMemory(const std::string& what) {
  for (const char* words : {"not enough memory", "can't allocate memory", "Cannot allocate memory", "out of memory",
                            "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"})
    if (what.find(words) != std::string::npos) return true;
  return false;
}

}  // namespace

absl::Status ConvertExceptions(const std::function<absl::Status()>& work) {
  try {
    return work();
  } catch (const StatusError& error) {
    return error.status();
  } catch (const c10::OutOfMemoryError& error) {
    return OutOfMemory(error.what_without_backtrace());
  } catch (const c10::NotImplementedError& error) {
    return absl::UnimplementedError(fmt::format("LibTorch: {}", error.what_without_backtrace()));
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    return MeansOutOfMemory(what) ? OutOfMemory(what) : absl::InternalError(fmt::format("LibTorch: {}", what));
  } catch (const std::bad_alloc& error) {
    return OutOfMemory(error.what());
  } catch (const std::exception& error) {
    return MeansOutOfMemory(error.what()) ? OutOfMemory(error.what()) : absl::InternalError(error.what());
  }
}

absl::Status AsIncompatible(const absl::Status& status) {
  return absl::IsInvalidArgument(status) ? absl::UnimplementedError(status.message()) : status;
}

}  // namespace ridgeline
