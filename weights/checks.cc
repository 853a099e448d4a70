// SPDX-License-Identifier: Apache-2.0
#include "weights/checks.h"

#include <algorithm>

#include "common/utf8.h"
#include "fmt/format.h"

namespace ridgeline {

bool IsUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t size = Utf8At(text, at).size;
    if (size == 0) return false;
    at += size;
  }
  return true;
}

bool IsCleanName(std::string_view name) {
  return !name.empty() && name.find('\0') == std::string_view::npos && IsUtf8(name);
}

absl::Status CheckLayout(std::string_view data, const std::vector<TensorView>& tensors, Gaps gaps) {
  std::vector<const TensorView*> placed;
  for (const TensorView& tensor : tensors)
    if (!tensor.bytes.empty()) placed.push_back(&tensor);
  std::sort(placed.begin(), placed.end(),
            [](const TensorView* a, const TensorView* b) { return a->bytes.data() < b->bytes.data(); });
  const char* end = data.data();  // Of the tensors so far
  for (const TensorView* tensor : placed) {
    if (tensor->bytes.data() < end)
      return absl::DataLossError(fmt::format("tensor '{}' overlaps another", tensor->name));
    if (tensor->bytes.data() > end && gaps == Gaps::kRefused)
      return absl::DataLossError(fmt::format("there is a gap before tensor '{}'", tensor->name));
    end = tensor->bytes.data() + tensor->bytes.size();
  }
  const size_t rest_bytes = static_cast<size_t>(data.data() + data.size() - end);
  if (rest_bytes > 0 && gaps == Gaps::kRefused)
    return absl::DataLossError(fmt::format("{} bytes follow the last tensor", rest_bytes));
  return absl::OkStatus();
}

}  // namespace ridgeline
