// SPDX-License-Identifier: Apache-2.0
// Times whole training steps (forward, backward, quantizers, clipping, AdamW) of one configuration, and prints one JSON
// object. A process a configuration: peak memory is the process's own. bench/train_step.py runs it beside its peers,
// bench/tax.py with --tax, in which steps with and without quantizers take turns.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <set>

#include "bench/copy_limit.h"
#include "bench/random_model.h"
#include "bench/report.h"
#include "comm/threads/thread_communicator.h"
#include "method/estimator_traits.h"
#include "model/training_pass.h"
#include "quant/autograd/torch_pch.h"
#include "worker/parallel/gradient_norm.h"
#include "worker/parallel/gradients.h"
#include "worker/parallel/optimizer.h"
#include "worker/parallel/runs_of_rows.h"
#include "worker/train/freed_memory.h"
#include "worker/train/threads.h"

namespace ridgeline {
namespace {

struct Options {
  RandomModelOptions model;
  std::string quant = "none";
  std::string estimator = "ridge";
  std::string dtype = "float32";
  int64_t batch = 1;
  int steps = 3;
  bool recompute = false;
  bool hadamard = false;
  bool tax = false;
};

QuantizerSpec Spec(const Options& options, Format format) {
  const std::string& estimator = options.estimator;
  QuantizerSpec spec{.estimator = estimator, .format = format, .hadamard = options.hadamard};
  if (const EstimatorTraits* traits = FindEstimatorTraits(estimator)) {
    spec.grid = traits->grid.value_or(spec.grid);
    spec.scheme = traits->scheme.value_or(spec.scheme);
    spec.grid_gradient = traits->grid_gradient.value_or(spec.grid_gradient);
  }
  return spec;
}

ModelOptions ModelOptionsOf(const Options& options) {
  ModelOptions result{.compute_dtype = DtypeOf(options.dtype), .recompute_activations = options.recompute};
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

double PeakGib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / (1024.0 * 1024.0);
}

struct StepSeconds {
  double pass = 0, rest = 0;
  double total() const { return pass + rest; }
};

// A model in training on tokens that stay the same.
class Training {
 public:
  static absl::StatusOr<std::unique_ptr<Training>> Create(const Options& options) {
    absl::StatusOr<std::unique_ptr<LanguageModel>> model = RandomModel(options.model, ModelOptionsOf(options));
    if (!model.ok()) return model.status();
    return std::unique_ptr<Training>(new Training(*std::move(model), options));
  }

  absl::StatusOr<StepSeconds> Step() {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point begin = Clock::now();
    gradients_.Clear();
    const HeadSums pass =
        AccumulateGradients(model_.get(), inputs_, targets_, 1.0 / static_cast<double>(token_count()));
    const Clock::time_point passed = Clock::now();
    if (absl::Status summed = gradients_.Sum(*communicator_); !summed.ok()) return summed;
    const double norm = std::sqrt(PassThroughQuantizers(model_.get(), runs_).whole.item<double>());
    optimizer_.Step(1e-6, norm > 1 ? 1 / norm : 1);
    const Clock::time_point end = Clock::now();
    if (!first_loss_) first_loss_ = pass.loss() / static_cast<double>(token_count());
    return StepSeconds{Seconds(passed - begin), Seconds(end - passed)};
  }

  int64_t token_count() const { return targets_.numel(); }
  double first_loss() const { return *first_loss_; }  // REQUIRES: a step was taken.
  const LanguageModel& model() const { return *model_; }

 private:
  Training(std::unique_ptr<LanguageModel> model, const Options& options)
      : model_(std::move(model)),
        gradients_(Parameters(model_.get()),
                   model_->options().compute_dtype == at::kBFloat16 ? GradientSums::kBfloat16 : GradientSums::kFloat32,
                   1),
        optimizer_(model_.get(), Adamw()) {
    const at::Tensor tokens = at::randint(model_->vocab_size(), {options.batch, options.model.seq_len + 1}, at::kLong);
    inputs_ = tokens.narrow(1, 0, options.model.seq_len), targets_ = tokens.narrow(1, 1, options.model.seq_len);
  }

  static v1::Optimizer Adamw() {
    v1::Optimizer adamw;
    adamw.set_beta1(0.9), adamw.set_beta2(0.95), adamw.set_eps(1e-8), adamw.set_weight_decay(0.01);
    return adamw;
  }
  static std::vector<Parameter*> Parameters(LanguageModel* model) {
    std::vector<Parameter*> parameters;
    for (Parameter& parameter : model->parameters()) parameters.push_back(&parameter);
    return parameters;
  }
  static double Seconds(std::chrono::steady_clock::duration duration) {
    return std::chrono::duration<double>(duration).count();
  }

  std::unique_ptr<LanguageModel> model_;
  std::unique_ptr<Communicator> communicator_ = std::move(MakeThreadCommunicators(1)[0]);
  const std::vector<RunOfRows> runs_ = RunsOfRows(*model_);
  Gradients gradients_;
  AdamW optimizer_;
  at::Tensor inputs_, targets_;  // (batch, seq_len)
  std::optional<double> first_loss_;
};

nlohmann::ordered_json About(const Training& training) {
  return {{"tokens", training.token_count()},
          {"loss", training.first_loss()},
          {"parameters", ParameterCount(training.model())},
          {"quantized_layers", training.model().QuantizedNames().size()},
          {"threads", at::get_num_threads()}};
}

// What a step's quantizers read and write beside what a step without them does, at the speed of a plain pass over the
// largest input.
double LeastSeconds(const Training& training) {
  const ModelOptions& model_options = training.model().options();
  const auto bytes_of = [](at::ScalarType type) { return static_cast<double>(c10::elementSize(type)); };
  const double dtype_bytes = bytes_of(model_options.compute_dtype), master_bytes = bytes_of(at::kFloat);
  const int64_t tokens = training.token_count();
  double bytes = 0;
  int64_t most_features = 1;
  std::set<const InputQuantizer*> inputs;  // Layers may share one.
  for (const Parameter& weight : training.model().parameters()) {
    if (!weight.quantizer.spec.enabled() || weight.of_quantizer) continue;
    const int64_t features = weight.master.size(1);
    // Without quantizers masters are computed with, or converted: read and written as well.
    const double forward = dtype_bytes == master_bytes ? ForwardBytes({master_bytes, dtype_bytes}) : 0;
    bytes += static_cast<double>(weight.master.numel()) *
             (forward + BackwardBytes(weight.quantizer.spec, features, {master_bytes, dtype_bytes}));
    if (!inputs.insert(weight.input).second) continue;
    const NumberBytes number{dtype_bytes, dtype_bytes};
    bytes += static_cast<double>(tokens * features) *
             (ForwardBytes(number) + BackwardBytes(model_options.activation, features, number));
    most_features = std::max(most_features, features);
  }
  return bytes / std::max(CopyBandwidth(tokens, most_features, model_options.compute_dtype),
                          InPlaceBandwidth(tokens, most_features, model_options.compute_dtype));
}

// The number that a share of the sorted numbers do not exceed, between two of them where that falls there.
double Quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const size_t below = static_cast<size_t>(place), above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], place - static_cast<double>(below));
}

absl::StatusOr<nlohmann::ordered_json> TimeSteps(const Options& options) {
  absl::StatusOr<std::unique_ptr<Training>> training = Training::Create(options);
  if (!training.ok()) return training.status();
  std::vector<StepSeconds> seconds;
  for (int step = 0; step <= options.steps; ++step) {
    const absl::StatusOr<StepSeconds> taken = (*training)->Step();
    if (!taken.ok()) return taken.status();
    if (step > 0) seconds.push_back(*taken);  // The first one warms caches and allocators.
  }
  std::sort(seconds.begin(), seconds.end(), [](const auto& a, const auto& b) { return a.total() < b.total(); });
  const StepSeconds median = seconds[seconds.size() / 2];
  nlohmann::ordered_json result = {{"seconds", median.total()}, {"pass_seconds", median.pass}, {"peak_gib", PeakGib()}};
  result["tokens_per_second"] = static_cast<double>((*training)->token_count()) / median.total();
  result.update(About(**training));
  return result;
}

// Steps with quantizers and without take turns, the first of a pair alternating: a machine whose speed changes within
// seconds changes both of a pair.
absl::StatusOr<nlohmann::ordered_json> TimeTax(const Options& options) {
  Options without = options;
  without.quant = "none";
  absl::StatusOr<std::unique_ptr<Training>> quantized = Training::Create(options), plain = Training::Create(without);
  if (!quantized.ok()) return quantized.status();
  if (!plain.ok()) return plain.status();
  std::vector<double> taxes, quantized_seconds, plain_seconds;
  for (int pair = 0; pair <= options.steps; ++pair) {
    double seconds[2];
    for (int turn = 0; turn < 2; ++turn) {
      const int side = (pair + turn) % 2;
      const absl::StatusOr<StepSeconds> taken = (side == 0 ? *quantized : *plain)->Step();
      if (!taken.ok()) return taken.status();
      seconds[side] = taken->total();
    }
    if (pair == 0) continue;
    taxes.push_back(seconds[0] / seconds[1]);
    quantized_seconds.push_back(seconds[0]), plain_seconds.push_back(seconds[1]);
  }
  for (std::vector<double>* numbers : {&taxes, &quantized_seconds, &plain_seconds})
    std::sort(numbers->begin(), numbers->end());
  nlohmann::ordered_json result = {{"seconds", Quantile(quantized_seconds, 0.5)},
                                   {"plain_seconds", Quantile(plain_seconds, 0.5)},
                                   {"tax", Quantile(taxes, 0.5)},
                                   {"tax_quartiles", {Quantile(taxes, 0.25), Quantile(taxes, 0.75)}},
                                   {"pairs", taxes.size()},
                                   {"least_quantizer_seconds", LeastSeconds(**quantized)}};
  result.update(About(**quantized));
  return result;
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) {
  ridgeline::KeepFreedMemory();  // As the worker does.
  CLI::App app("Times training steps of one configuration");
  ridgeline::Options options;
  app.add_option("--model", options.model.name, ridgeline::kRandomModelNames);
  app.add_option("--quant", options.quant)->check(CLI::IsMember({"none", "a1w1", "a4w4", "a8w4"}));
  app.add_option("--estimator", options.estimator);
  app.add_option("--dtype", options.dtype)->check(CLI::IsMember({"float32", "bfloat16"}));
  app.add_option("--seq-len", options.model.seq_len);
  app.add_option("--batch", options.batch);
  app.add_option("--layers", options.model.layers, "Of a Gemma shape; 0: as the shape has");
  app.add_option("--steps", options.steps, "Timed steps (--tax: pairs of them), after one that is not")
      ->check(CLI::Range(1, 1000000));
  app.add_flag("--hadamard", options.hadamard, "Quantize rotated blocks");
  app.add_flag("--tax", options.tax, "Each step beside one without quantization, in one process");
  app.add_flag("--recompute", options.recompute, "Activation checkpointing");
  CLI11_PARSE(app, argc, argv);
  if (options.tax && options.quant == "none")
    return std::fprintf(stderr, "train_step_bench: --tax is what --quant costs, and --quant is none: set it\n"), 2;
  ridgeline::UseComputeThreads(1);
  return ridgeline::PrintJson(options.tax ? ridgeline::TimeTax(options) : ridgeline::TimeSteps(options));
}
