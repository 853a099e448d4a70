// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>

#include "bench/copy_limit.h"
#include "bench/shard_parts.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/ops/ops.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

constexpr int64_t kRows = 4'096, kFeatures = 4'096, kNumbers = kRows * kFeatures;  // Fits no cache.

struct Dtype {
  GradientDtype dtype;
  const char* name;
};
constexpr Dtype kDtypes[] = {
    {GradientDtype::kFloat32, "float32"}, {GradientDtype::kBfloat16, "bfloat16"}, {GradientDtype::kInt8, "int8"}};

double BestOf(const std::function<void()>& work) {
  double best = 1e9;
  for (int round = 0; round < 10; ++round) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

// Of what has arrived: the root of the mean squared error over that of the mean square.
double RelativeError(const at::Tensor& sent, const at::Tensor& arrived) {
  const at::Tensor exact = sent.to(at::kDouble);
  return std::sqrt(((arrived.to(at::kDouble) - exact).square().sum() / exact.square().sum()).item<double>());
}

// Gaussian numbers in `type` through the wire and back.
std::vector<std::string> RowOf(const Dtype& wire_type, at::ScalarType type, double copy_bandwidth) {
  const at::Tensor sent = at::randn({kNumbers}).to(type);
  at::Tensor sum = at::zeros({kNumbers});
  at::Tensor wire = at::empty({WireBytes(wire_type.dtype, kNumbers)}, at::kByte);
  const double encode = BestOf([&] { CpuOps().EncodeGradient(wire_type.dtype, sent, 1, wire); });
  const double decode = BestOf([&] { CpuOps().DecodeGradient(wire_type.dtype, wire, Arrival::kAdds, sum); });
  CpuOps().DecodeGradient(wire_type.dtype, wire, Arrival::kReplaces, sum);
  const double wire_bytes = static_cast<double>(wire.nbytes());
  const double encode_bandwidth = (static_cast<double>(sent.nbytes()) + wire_bytes) / encode;
  const double decode_bandwidth = (2 * static_cast<double>(sum.nbytes()) + wire_bytes) / decode;
  return {type == at::kFloat ? "float32" : "bfloat16",
          wire_type.name,
          fmt::format("{:.3f}", 8 * wire_bytes / static_cast<double>(kNumbers)),
          fmt::format("{:.3f}", encode * 1e9 / static_cast<double>(kNumbers)),
          fmt::format("{:.1f}", encode_bandwidth / 1e9),
          fmt::format("{:.0f}", 100 * encode_bandwidth / copy_bandwidth),
          fmt::format("{:.3f}", decode * 1e9 / static_cast<double>(kNumbers)),
          fmt::format("{:.1f}", decode_bandwidth / 1e9),
          fmt::format("{:.0f}", 100 * decode_bandwidth / copy_bandwidth),
          fmt::format("{:.5f}", RelativeError(sent, sum))};
}

}  // namespace

absl::StatusOr<BenchTable> MeasureGradients(Communicator& ranks) {
  BenchTable table{{"source", "wire", "bits", "encode_ns", "encode_GB/s", "encode_%_of_copy", "add_ns", "add_GB/s",
                    "add_%_of_copy", "rms_error"},
                   {}};
  if (ranks.rank() == 0) {
    at::set_num_threads(1);
    const double copy_bandwidth = CopyBandwidth(kRows, kFeatures, at::kFloat);
    for (at::ScalarType type : {at::kFloat, at::kBFloat16})
      for (const Dtype& dtype : kDtypes) table.rows.push_back(RowOf(dtype, type, copy_bandwidth));
  }
  std::string done;
  RETURN_IF_ERROR(ranks.AwaitRoot(&done, "gradients"));  // The others wait without keeping a core busy.
  return table;
}

}  // namespace ridgeline
