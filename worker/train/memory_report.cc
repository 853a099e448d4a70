// SPDX-License-Identifier: Apache-2.0
#include "worker/train/memory_report.h"

#include <utility>
#include <vector>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

int64_t BytesOf(const at::Tensor& tensor) { return tensor.defined() ? static_cast<int64_t>(tensor.nbytes()) : 0; }

std::string Text(int64_t bytes) {
  constexpr double kMebibyte = 1 << 20, kGibibyte = 1 << 30;
  const auto count = static_cast<double>(bytes);
  if (count >= kGibibyte) return fmt::format("{:.2f} GiB", count / kGibibyte);
  return fmt::format("{:.1f} MiB", count / kMebibyte);
}

// Those that are there, as "name 1.0 MiB, ...".
std::string List(const std::vector<std::pair<const char*, int64_t>>& kinds) {
  std::vector<std::string> parts;
  for (const auto& [name, bytes] : kinds)
    if (bytes > 0) parts.push_back(fmt::format("{} {}", name, Text(bytes)));
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

KeptMemory KeptMemoryOf(const LanguageModel& model, const Strategy& strategy, const LanguageModel* teacher) {
  KeptMemory kept;
  for (const Parameter& parameter : model.parameters()) {
    kept.masters += BytesOf(parameter.master);
    kept.copies += BytesOf(parameter.quantizer.saved);
    if (!parameter.computes_with_master()) kept.copies += BytesOf(parameter.compute);
  }
  const StrategyMemory own = strategy.Memory();
  kept.gradients = own.gradient_bytes;
  kept.optimizer = own.optimizer_bytes;
  if (teacher == nullptr) return kept;
  for (const Parameter& parameter : teacher->parameters())
    kept.teacher += BytesOf(parameter.master) + (parameter.computes_with_master() ? 0 : BytesOf(parameter.compute));
  return kept;
}

std::string MemoryLine(const KeptMemory& kept, const MemoryPlan& planned) {
  const std::string there = List({{"masters", kept.masters},
                                  {"what layers compute with", kept.copies},
                                  {"gradients", kept.gradients},
                                  {"optimizer", kept.optimizer},
                                  {"teacher", kept.teacher}});
  const std::string comes = List({{"gathered units", planned.gathered_bytes},
                                  {"gradients under way", planned.in_flight_bytes},
                                  {"activations", planned.activations_bytes},
                                  {"what comes and goes", planned.working_bytes}});
  return fmt::format("memory of a rank: {} ({} in all); planned beside it: {}", there, Text(kept.total()), comes);
}

}  // namespace ridgeline
