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

}  // namespace

absl::Status ConvertExceptions(const std::function<absl::Status()>& work) {
  try {
    return work();
  } catch (const StatusError& error) {
    return error.status();
  } catch (const c10::OutOfMemoryError& error) {
    return OutOfMemory(error.what_without_backtrace());
  } catch (const c10::Error& error) {
    // LibTorch's CPU allocator reports lack of memory as a plain error.
    const std::string what = error.what_without_backtrace();
    for (const char* lack : {"not enough memory", "can't allocate memory"})
      if (what.find(lack) != std::string::npos) return OutOfMemory(what);
    return absl::InternalError(fmt::format("LibTorch: {}", what));
  } catch (const std::bad_alloc& error) {
    return OutOfMemory(error.what());
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace ridgeline
