// SPDX-License-Identifier: Apache-2.0
// Products with packed weights against LibTorch's in float32, on the same threads: one input, as for a new token, and
// many, as for a prompt, in the shapes of Gemma's layers. Weights come from memory: there are as many copies of each
// matrix as no cache holds.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <vector>

#include "bench/copy_limit.h"
#include "bench/report.h"
#include "fmt/format.h"
#include "model/packed_weights.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

constexpr int64_t kBytesBeyondCaches = int64_t{192} << 20;
constexpr int64_t kPromptTokens = 128;

struct Shape {
  const char* name;
  int64_t rows, features;
};
constexpr Shape kShapes[] = {{"270M gate", 2048, 640}, {"1B gate", 6912, 1152}, {"4B gate", 10240, 2560}};

struct Case {
  const char* name;
  QuantizerSpec weight, input;
};

QuantizerSpec Spec(const char* estimator, Format format, Scheme scheme, int64_t block) {
  QuantizerSpec spec{.estimator = estimator, .format = format, .scheme = scheme, .block = block};
  if (spec.estimator == "ridge_trust") spec.grid = GridStatistics::kGaussian;
  return spec;
}

std::vector<Case> Cases() {
  const QuantizerSpec a8 = Spec("ste", Format::kInt8, Scheme::kLinear, 128);
  QuantizerSpec sparse = Spec("ste", Format::kInt1, Scheme::kLinear, 128);
  sparse.sparsity = {1, 4};
  const auto trust = [](Format format) { return Spec("ridge_trust", format, Scheme::kLinear, 128); };
  return {{"W8A8", Spec("ste", Format::kInt8, Scheme::kLinear, 128), a8},
          {"W4A8", Spec("ste", Format::kInt4, Scheme::kAffine, 128), a8},
          {"W4", Spec("ste", Format::kInt4, Scheme::kAffine, 128), {}},
          {"W4A4", trust(Format::kInt4), trust(Format::kInt4)},
          {"W2A2", trust(Format::kInt2), trust(Format::kInt2)},
          {"ternary A8", trust(Format::kTernary), a8},
          {"W1A1", trust(Format::kInt1), trust(Format::kInt1)},
          {"W1 1:4 A8", sparse, a8}};
}

// Calls work(i) for i = 0, 1, .. in turn, in each call the next.
std::function<void()> InTurn(size_t count, const std::function<void(size_t)>& work) {
  return [count, work, next = size_t{0}]() mutable { work(next++ % count); };
}

BenchRow Measure(const Case& of, const Shape& shape, int64_t tokens, double read_limit) {
  const at::Tensor w = at::randn({shape.rows, shape.features}) * 0.02, x = at::randn({tokens, shape.features});
  const PackedTensor packed = Encode(of.weight, std::span(w.const_data_ptr<float>(), static_cast<size_t>(w.numel())),
                                     shape.rows, shape.features)
                                  .value();
  const int64_t bytes = packed.layout.total_bytes(), float_bytes = w.numel() * 4;
  std::vector<PackedMatrix> matrices;
  for (int64_t i = 0; i < std::max<int64_t>(1, kBytesBeyondCaches / bytes); ++i)
    matrices.push_back(PackedMatrix::Create(packed, of.input).value());
  std::vector<at::Tensor> floats;
  for (int64_t i = 0; i < std::max<int64_t>(1, kBytesBeyondCaches / float_bytes); ++i) floats.push_back(w.clone());
  const PairedSeconds seconds =
      MeasurePaired(InTurn(matrices.size(), [&](size_t i) { Product(x, matrices[i]); }),
                    InTurn(floats.size(), [&](size_t i) { at::matmul(x, floats[i].t()); }), tokens == 1 ? 41 : 7);
  const double products = static_cast<double>(w.numel() * tokens) * 1e-9;
  BenchRow row{.work = fmt::format("{} {} {}", tokens == 1 ? "token" : "prompt", shape.name, of.name),
               .ours = products / seconds.ours,
               .peer = products / seconds.peer,
               .peer_name = "LibTorch float32",
               .unit = "G products/s"};
  if (tokens == 1) row.limit = read_limit / (static_cast<double>(bytes) / static_cast<double>(w.numel())) * 1e-9;
  return row;
}

absl::Status Run(const std::string& out_dir) {
  at::NoGradGuard no_grad;
  const double read_limit = ReadBandwidth();
  fmt::print("{} threads read {:.1f} GB/s\n", at::get_num_threads(), read_limit * 1e-9);
  std::vector<BenchRow> rows;
  for (const int64_t tokens : {int64_t{1}, kPromptTokens})
    for (const Shape& shape : kShapes)
      for (const Case& of : Cases()) rows.push_back(Measure(of, shape, tokens, read_limit));
  return Report(out_dir, "packed", rows);
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) {
  const absl::Status status = ridgeline::Run(argc > 1 ? argv[1] : "out/bench");
  if (status.ok()) return 0;
  fmt::print(stderr, "packed_bench: {}\n", status.ToString());
  return 1;
}
