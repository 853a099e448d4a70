// SPDX-License-Identifier: Apache-2.0
// Times products with packed weights beside LibTorch's in float32 and bfloat16, on the same threads and in turn: one
// input, as for a new token, and many, as for a prompt, in the shapes of Gemma's layers. Weights come from memory:
// there are as many copies of each matrix as no cache holds. Prints one JSON object; bench/packed.py makes rows of it.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <vector>

#include "bench/copy_limit.h"
#include "bench/product_limit.h"
#include "bench/report.h"
#include "fmt/format.h"
#include "model/packed_weights.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

using Seconds = std::chrono::duration<double>;

struct Options {
  std::vector<std::string> shapes;  // Beginnings of names; none: all.
  std::vector<std::string> cases;   // And of peers; none: all.
  std::vector<int64_t> tokens = {1, 128, 512};
  int64_t rounds = 7;
  double seconds = 20;  // Of one shape at one number of tokens; fewer rounds, at least 3, where they take longer.
};

// y = x w^t with w (rows, features).
struct Shape {
  const char* name;
  int64_t rows, features;
};
constexpr Shape kShapes[] = {
    {"270M q", 1024, 640},      {"270M k,v", 256, 640},      {"270M o", 640, 1024},    {"270M gate,up", 2048, 640},
    {"270M down", 640, 2048},   {"1B q", 1024, 1152},        {"1B k,v", 256, 1152},    {"1B o", 1152, 1024},
    {"1B gate,up", 6912, 1152}, {"1B down", 1152, 6912},     {"4B q", 2048, 2560},     {"4B k,v", 1024, 2560},
    {"4B o", 2560, 2048},       {"4B gate,up", 10240, 2560}, {"4B down", 2560, 10240}, {"4096 cubed", 4096, 4096}};

struct Case {
  const char* name;
  QuantizerSpec weight, input;
  const char* instructions;  // Whose peak bounds many inputs: a key of "peaks".
};

QuantizerSpec Spec(const char* estimator, Format format, Scheme scheme) {
  QuantizerSpec spec{.estimator = estimator, .format = format, .scheme = scheme, .block = 128};
  if (spec.estimator == "ridge_trust") spec.grid = GridStatistics::kGaussian;
  return spec;
}

std::vector<Case> Cases() {
  const QuantizerSpec a8 = Spec("ste", Format::kInt8, Scheme::kLinear);
  const auto trust = [](Format format) { return Spec("ridge_trust", format, Scheme::kLinear); };
  const auto sparse = [](int n) {
    QuantizerSpec spec = Spec("ste", Format::kInt1, Scheme::kLinear);
    spec.sparsity = {n, 4};
    return spec;
  };
  return {{"W8A8", Spec("ste", Format::kInt8, Scheme::kLinear), a8, "int16_pairs"},
          {"W4", Spec("ste", Format::kInt4, Scheme::kAffine), {}, "int16_pairs"},
          {"A8W4", Spec("ste", Format::kInt4, Scheme::kAffine), a8, "byte_pairs"},
          {"A4W4", trust(Format::kInt4), trust(Format::kInt4), "byte_pairs"},
          {"A8 ternary", trust(Format::kTernary), a8, "byte_pairs"},
          {"A1W1", trust(Format::kInt1), trust(Format::kInt1), "one_bit"},
          {"A8W1", Spec("ste", Format::kInt1, Scheme::kLinear), a8, "byte_pairs"},
          {"A8W1 2:4", sparse(2), a8, "byte_pairs"},
          {"A8W1 1:4", sparse(1), a8, "byte_pairs"}};
}

bool IsWanted(const std::vector<std::string>& wanted, const std::string& name) {
  return wanted.empty() ||
         std::any_of(wanted.begin(), wanted.end(), [&](const auto& begin) { return name.starts_with(begin); });
}

// So many that weights which are used in turn come from memory.
int64_t BytesBeyondCaches() {
  constexpr int64_t kLeast = int64_t{64} << 20, kMost = int64_t{256} << 20;
  return std::clamp<int64_t>(2 * sysconf(_SC_LEVEL3_CACHE_SIZE), kLeast, kMost);
}

int64_t CopiesOf(int64_t bytes, int64_t tokens) {
  return tokens == 1 ? std::max<int64_t>(1, BytesBeyondCaches() / bytes) : 1;  // A prompt uses weights many times.
}

// One of those that take turns: `work` with the next copy of its matrix, as often as fills a timer.
class Contender {
 public:
  Contender(std::string name, int64_t bytes, int64_t copies, std::function<void(size_t)> work)
      : name_(std::move(name)), bytes_(bytes), copies_(static_cast<size_t>(copies)), work_(std::move(work)) {}

  // Warms up; what a round takes.
  double Calibrate() {
    constexpr double kLeastSeconds = 3e-3;
    Time();
    const double once = Time();
    repeats_ = std::max<int64_t>(1, static_cast<int64_t>(kLeastSeconds / once));
    return once * static_cast<double>(repeats_);
  }
  void Run() { seconds_.push_back(Time()); }

  const std::string& name() const { return name_; }
  int64_t bytes() const { return bytes_; }
  const std::vector<double>& seconds() const { return seconds_; }

 private:
  double Time() {
    const auto begin = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < repeats_; ++i) work_(next_++ % copies_);
    return Seconds(std::chrono::steady_clock::now() - begin).count() / static_cast<double>(repeats_);
  }

  std::string name_;
  int64_t bytes_;
  size_t copies_, next_ = 0;
  int64_t repeats_ = 1;
  std::function<void(size_t)> work_;
  std::vector<double> seconds_;
};

Contender Ours(const Case& of, const at::Tensor& w, const at::Tensor& x) {
  const std::span<const float> numbers(w.const_data_ptr<float>(), static_cast<size_t>(w.numel()));
  const PackedTensor packed = Encode(of.weight, numbers, w.size(0), w.size(1)).value();
  const int64_t bytes = packed.layout.total_bytes(), copies = CopiesOf(bytes, x.size(0));
  const auto matrices = std::make_shared<std::vector<PackedMatrix>>();
  for (int64_t i = 0; i < copies; ++i) matrices->push_back(PackedMatrix::Create(packed, of.input).value());
  // Inputs that are not quantized come as layers of bfloat16 have them.
  const at::Tensor inputs = of.input.quantizes() ? x : x.to(at::kBFloat16);
  return {of.name, bytes, copies, [matrices, inputs](size_t i) { Product(inputs, (*matrices)[i]); }};
}

Contender Peer(const char* name, const at::Tensor& w, const at::Tensor& x, at::ScalarType type) {
  const at::Tensor narrow = w.to(type), inputs = x.to(type);
  const auto bytes = static_cast<int64_t>(narrow.nbytes()), copies = CopiesOf(bytes, x.size(0));
  std::vector<at::Tensor> matrices;
  for (int64_t i = 0; i < copies; ++i) matrices.push_back(narrow.clone());
  return {name, bytes, copies, [matrices, inputs](size_t i) { at::matmul(inputs, matrices[i].t()); }};
}

nlohmann::ordered_json Measure(const Shape& shape, int64_t tokens, const Options& options) {
  const at::Tensor w = at::randn({shape.rows, shape.features}) * 0.02, x = at::randn({tokens, shape.features});
  std::vector<Contender> contenders;
  for (const Case& of : Cases())
    if (IsWanted(options.cases, of.name)) contenders.push_back(Ours(of, w, x));
  const auto add_peer = [&](const char* name, at::ScalarType type) {
    if (IsWanted(options.cases, name)) contenders.push_back(Peer(name, w, x, type));
  };
  add_peer("LibTorch float32", at::kFloat);
  add_peer("LibTorch bfloat16", at::kBFloat16);
  double seconds_a_round = 0;
  for (Contender& contender : contenders) seconds_a_round += contender.Calibrate();
  const int64_t rounds = std::clamp<int64_t>(static_cast<int64_t>(options.seconds / seconds_a_round), 3,
                                             std::max<int64_t>(3, options.rounds));
  for (int64_t round = 0; round < rounds; ++round) {
    for (Contender& contender : contenders) contender.Run();
    std::reverse(contenders.begin(), contenders.end());
  }
  nlohmann::ordered_json sides = nlohmann::ordered_json::object();
  for (const Contender& contender : contenders)
    sides[contender.name()] = {{"bytes", contender.bytes()}, {"seconds", contender.seconds()}};
  return {{"shape", shape.name}, {"rows", shape.rows},        {"features", shape.features}, {"tokens", tokens},
          {"rounds", rounds},    {"sides", std::move(sides)}, {"clock_hz", MeasuredClock()}};
}

nlohmann::ordered_json Run(const Options& options) {
  at::NoGradGuard no_grad;
  const ProductPeaks peaks = MeasureProductPeaks();
  nlohmann::ordered_json result = {{"threads", at::get_num_threads()},
                                   {"read_bytes_per_second", ReadBandwidth()},
                                   {"peaks",
                                    {{"floats", peaks.floats},
                                     {"int16_pairs", peaks.int16_pairs},
                                     {"byte_pairs", peaks.byte_pairs},
                                     {"one_bit", peaks.one_bit}}},
                                   {"instructions", nlohmann::ordered_json::object()},
                                   {"cells", nlohmann::ordered_json::array()}};
  for (const Case& of : Cases()) result["instructions"][of.name] = of.instructions;
  for (const int64_t tokens : options.tokens)
    for (const Shape& shape : kShapes) {
      if (!IsWanted(options.shapes, shape.name)) continue;
      fmt::print(stderr, "  {} x {} ({} x {})\n", tokens, shape.name, shape.rows, shape.features);
      result["cells"].push_back(Measure(shape, tokens, options));
    }
  return result;
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) {
  CLI::App app("Times products with packed matrices beside LibTorch");
  ridgeline::Options options;
  app.add_option("--shapes", options.shapes, "Beginnings of their names, such as 1B; none: all");
  app.add_option("--cases", options.cases, "Beginnings of their names, such as A1W1; none: all");
  app.add_option("--tokens", options.tokens, "Rows of inputs")->check(CLI::PositiveNumber);
  app.add_option("--rounds", options.rounds)->check(CLI::PositiveNumber);
  app.add_option("--seconds", options.seconds, "Of one shape: fewer rounds, at least 3, where they take longer");
  CLI11_PARSE(app, argc, argv);
  try {
    return ridgeline::PrintJson(ridgeline::Run(options));
  } catch (const std::exception& error) {  // LibTorch's.
    return ridgeline::PrintJson(absl::InternalError(error.what()));
  }
}
