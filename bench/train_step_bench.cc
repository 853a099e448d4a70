// SPDX-License-Identifier: Apache-2.0
// Times whole training steps (forward, backward, quantizers, clipping, AdamW) of one configuration, and prints one JSON
// object. A process a configuration: peak memory is the process's own. bench/train_step.py runs it beside its peers,
// bench/tax.py with and without quantizers.
#include <CLI/CLI.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "model/gemma3.h"
#include "model/gpt.h"
#include "model/training_pass.h"
#include "quant/autograd/torch_pch.h"
#include "worker/comm/communicator.h"
#include "worker/train/gradients.h"
#include "worker/train/optimizer.h"
#include "worker/train/threads.h"

namespace ridgeline {
namespace {

struct Options {
  std::string model = "gemma3-270m";
  std::string quant = "none";
  std::string estimator = "ridge";
  std::string dtype = "float32";
  int64_t seq_len = 256;
  int64_t batch = 1;
  int64_t layers = 0;
  int steps = 3;
  bool recompute = false;
  bool hadamard = false;
};

QuantizerSpec Spec(const Options& options, Format format) {
  const std::string& estimator = options.estimator;
  QuantizerSpec spec{.estimator = estimator, .format = format, .hadamard = options.hadamard};
  if (estimator == "quest" || estimator == "ridge_trust") spec.grid = GridStatistics::kGaussian;
  if (estimator == "quest") spec.scheme = Scheme::kLinear;
  return spec;
}

ModelOptions ModelOptionsOf(const Options& options) {
  ModelOptions result{.compute_dtype = options.dtype == "bfloat16" ? at::kBFloat16 : at::kFloat,
                      .recompute_activations = options.recompute};
  if (options.quant == "a4w4") result.weight = result.activation = Spec(options, Format::kInt4);
  if (options.quant == "a1w1") result.weight = result.activation = Spec(options, Format::kInt1);
  if (options.quant == "a8w4") {
    result.weight = Spec(options, Format::kInt4);
    result.activation = Spec(options, Format::kInt8);
    if (options.estimator == "torchao") {  // int8 a token, asymmetric; int4 a group of 128, symmetric.
      result.weight.scheme = Scheme::kLinear;
      result.activation.granularity = Granularity::kRow;
    }
  }
  return result;
}

absl::StatusOr<std::unique_ptr<LanguageModel>> Build(const Options& options) {
  if (options.model.starts_with("gemma3")) {
    absl::StatusOr<Gemma3Config> config = Gemma3Shape(options.model);
    if (!config.ok()) return config.status();
    if (options.layers > 0) config->n_layers = options.layers, config->slides.resize(static_cast<size_t>(options.layers));
    return Gemma3::Create(*config, ModelOptionsOf(options), 1);
  }
  absl::StatusOr<GptConfig> config = GptShape(options.model);
  if (!config.ok()) return config.status();
  config->seq_len = options.seq_len;
  if (config->vocab_size == 0) config->vocab_size = 70;
  return Gpt::Create(*config, ModelOptionsOf(options), 1);
}

double PeakGib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / (1024.0 * 1024.0);
}

int64_t ParameterCount(const LanguageModel& model) {
  int64_t count = 0;
  for (const Parameter& parameter : model.parameters()) count += parameter.master.numel();
  return count;
}

struct StepSeconds {
  double pass = 0, rest = 0;
  double total() const { return pass + rest; }
};

int Run(const Options& options) {
  UseComputeThreads(1);
  absl::StatusOr<std::unique_ptr<LanguageModel>> built = Build(options);
  if (!built.ok()) return std::fprintf(stderr, "%s\n", built.status().ToString().c_str()), 2;
  LanguageModel& model = **built;
  std::unique_ptr<Communicator> communicator = std::move(MakeFakeCommunicators(1)[0]);
  Gradients gradients(&model, /*accumulates=*/false, 1);
  v1::Optimizer adamw;
  adamw.set_beta1(0.9), adamw.set_beta2(0.95), adamw.set_eps(1e-8), adamw.set_weight_decay(0.01);
  AdamW optimizer(&model, adamw);
  const at::Tensor tokens = at::randint(model.vocab_size(), {options.batch, options.seq_len + 1}, at::kLong);
  const at::Tensor inputs = tokens.narrow(1, 0, options.seq_len), targets = tokens.narrow(1, 1, options.seq_len);
  std::vector<StepSeconds> seconds;
  double first_loss = 0;
  for (int step = 0; step <= options.steps; ++step) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point begin = Clock::now();
    gradients.Clear();
    const PassResult pass = AccumulateGradients(&model, inputs, targets, 1.0 / static_cast<double>(targets.numel()));
    const Clock::time_point passed = Clock::now();
    if (!gradients.Sum(*communicator).ok()) return 1;
    gradients.PassThroughQuantizers();
    const double norm = gradients.Norm();
    optimizer.Step(1e-6, norm > 1 ? 1 / norm : 1);
    const Clock::time_point end = Clock::now();
    if (step == 0) {  // Warms caches and allocators.
      first_loss = pass.score.loss / static_cast<double>(targets.numel());
      continue;
    }
    seconds.push_back({std::chrono::duration<double>(passed - begin).count(), std::chrono::duration<double>(end - passed).count()});
  }
  std::sort(seconds.begin(), seconds.end(), [](const auto& a, const auto& b) { return a.total() < b.total(); });
  const StepSeconds median = seconds[seconds.size() / 2];
  const nlohmann::ordered_json result = {{"seconds", median.total()}, {"pass_seconds", median.pass},
                                         {"peak_gib", PeakGib()}, {"tokens", targets.numel()},
                                         {"loss", first_loss}, {"parameters", ParameterCount(model)},
                                         {"quantized_layers", model.QuantizedNames().size()}, {"threads", at::get_num_threads()}};
  std::printf("%s\n", result.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) {
  CLI::App app("Times training steps of one configuration");
  ridgeline::Options options;
  app.add_option("--model", options.model, "gemma3-270m, gemma3-1b, gemma3-4b, gpt-nano, gpt-11m, gpt2");
  app.add_option("--quant", options.quant, "none, a1w1, a4w4, a8w4");
  app.add_option("--estimator", options.estimator);
  app.add_option("--dtype", options.dtype, "float32, bfloat16");
  app.add_option("--seq-len", options.seq_len);
  app.add_option("--batch", options.batch);
  app.add_option("--layers", options.layers, "Of a Gemma shape; 0: as the shape has");
  app.add_option("--steps", options.steps, "Timed steps, after one that is not");
  app.add_flag("--hadamard", options.hadamard, "Quantize rotated blocks");
  app.add_flag("--recompute", options.recompute, "Activation checkpointing");
  CLI11_PARSE(app, argc, argv);
  return ridgeline::Run(options);
}
