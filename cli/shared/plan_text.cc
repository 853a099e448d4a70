// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/plan_text.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/shared/table.h"

namespace ridgeline {
namespace {

using Json = nlohmann::ordered_json;

std::string Count(int64_t value) { return HumanCount(static_cast<double>(value)); }
std::string Bytes(double value) { return HumanBytes(value); }
std::string Bytes(int64_t value) { return HumanBytes(static_cast<double>(value)); }

std::string RateAssumption(const Device& device) {
  if (device.sustained_flops > 0)
    return fmt::format("step time: matrix products and attention at {:.0f} GFLOP/s a rank, as --gflops says",
                       device.sustained_flops / 1e9);
  if (device.bfloat16_flops == 0) return "step time: not known for cpu; --gflops gives the rate that a rank keeps up";
  return fmt::format(
      "step time: matrix products and attention at {:.0f}% of {}'s peak ({:.0f} TFLOP/s float32 without "
      "TF32, {:.0f} bfloat16)",
      100 * kSustainedShare, device.name, device.float32_flops / 1e12, device.bfloat16_flops / 1e12);
}

std::vector<std::string> Assumptions(const Device& device) {
  return {
      "every rank holds weights, gradients, optimizer and teacher whole (data parallel): more ranks shrink only "
      "its share of the batch, and with it activations (and gradients, where one bfloat16 pass then makes them all)",
      fmt::format("memory: {} for program and libraries; without evaluation, checkpoint writing and what the "
                  "allocator keeps in reserve",
                  Bytes(device.runtime_bytes)),
      fmt::format("wire: one ring all-reduce of float32 gradients a step, after the backward pass and not hidden by "
                  "it, at {:.4g} GB/s a rank",
                  device.link_bytes_per_second / 1e9),
      RateAssumption(device) + "; quantizers, norms and the optimizer are not counted"};
}

Json MemoryJson(const Plan& plan, const Device& device) {
  const MemoryPlan& memory = plan.memory;
  return {{"masters", memory.masters_bytes},
          {"compute_copies", memory.copies_bytes},
          {"gradients", memory.gradients_bytes},
          {"optimizer", memory.optimizer_bytes},
          {"teacher", memory.teacher_bytes},
          {"activations", memory.activations_bytes},
          {"working", memory.working_bytes},
          {"runtime", static_cast<int64_t>(device.runtime_bytes)},
          {"peak", static_cast<int64_t>(plan.needed_bytes(device))}};
}

Json PlanJson(const Plan& plan, const Device& device) {
  Json json = {{"name", plan.name},
               {"model", plan.model},
               {"ranks", plan.ranks},
               {"idle_ranks", plan.idle_ranks},
               {"sequences_per_rank", plan.batch.sequences_per_rank},
               {"sequences_per_pass", plan.batch.sequences_per_pass},
               {"parameters",
                {{"total", plan.parameters.total},
                 {"embedding", plan.parameters.embeddings},
                 {"linear", plan.parameters.linears},
                 {"quantized", plan.parameters.quantized},
                 {"learned", plan.parameters.learned}}},
               {"memory_bytes", MemoryJson(plan, device)},
               {"fits", plan.fits(device)},
               {"storage_bytes", plan.cost.storage_bytes},
               {"bits_per_element", plan.cost.bits_per_element},
               {"energy_proxy", plan.cost.energy_proxy},
               {"flops_per_step", plan.work.flops},
               {"wire_bytes_per_step", plan.work.wire_bytes},
               {"wire_seconds", plan.work.wire_seconds}};
  if (plan.work.step_seconds() > 0) {  // What is not known is absent.
    json["compute_seconds"] = plan.work.compute_seconds;
    json["step_seconds"] = plan.work.step_seconds();
  }
  return json;
}

std::string StepTime(const WorkPlan& work) {
  return work.step_seconds() > 0 ? fmt::format("{:.3g} s", work.step_seconds()) : "";
}

std::string Fits(const Plan& plan, const Device& device) {
  return fmt::format("{}, {:.0f}% of {}", plan.fits(device) ? "yes" : "no",
                     100 * plan.needed_bytes(device) / device.memory_bytes, Bytes(device.memory_bytes));
}

std::string Ranks(const Plan& plan) {
  const std::string idle = plan.idle_ranks > 0 ? fmt::format(", of which {} have no sequence", plan.idle_ranks) : "";
  return fmt::format("{}{}; {} sequences of a step on each, {} at once", plan.ranks, idle,
                     plan.batch.sequences_per_rank, plan.batch.sequences_per_pass);
}

// Every figure of one plan, by its name.
std::vector<std::pair<std::string, std::string>> Lines(const Plan& plan, const Device& device) {
  const MemoryPlan& memory = plan.memory;
  const ParameterCounts& counts = plan.parameters;
  return {
      {"job", plan.name},
      {"model", plan.model},
      {"ranks", Ranks(plan)},
      {"parameters",
       fmt::format("{} ({}): {} embedding{}, {} in linear layers, {} of them quantized or pruned{}", counts.total,
                   Count(counts.total), Count(counts.embeddings), counts.has_quantized_embedding ? " (quantized)" : "",
                   Count(counts.linears), Count(counts.quantized),
                   counts.learned > 0 ? fmt::format(", {} learned by quantizers", Count(counts.learned)) : "")},
      {"memory of a rank",
       fmt::format("{} on {}; fits: {}", Bytes(plan.needed_bytes(device)), device.name, Fits(plan, device))},
      {"  masters", Bytes(memory.masters_bytes)},
      {"  compute copies", Bytes(memory.copies_bytes)},
      {"  gradients", Bytes(memory.gradients_bytes)},
      {"  optimizer", Bytes(memory.optimizer_bytes)},
      {"  teacher", Bytes(memory.teacher_bytes)},
      {"  activations", Bytes(memory.activations_bytes)},
      {"  working", Bytes(memory.working_bytes)},
      {"  runtime", Bytes(device.runtime_bytes)},
      {"wire", fmt::format("{} sent by each rank in a step", Bytes(plan.work.wire_bytes))},
      {"work", fmt::format("{}FLOP of a rank in a step", HumanCount(plan.work.flops))},
      {"step time", StepTime(plan.work)},
      {"stored", Bytes(plan.cost.storage_bytes)},
      {"bits an element", fmt::format("{:.3f}", plan.cost.bits_per_element)},
      {"energy proxy", HumanCount(plan.cost.energy_proxy)}};
}

std::string DetailText(const Plan& plan, const Device& device, const Style& style) {
  std::string text;
  for (const auto& [name, value] : Lines(plan, device))
    text += fmt::format("{}  {}\n", Paint(PadRight(name, 17), Color::kBold, style), value.empty() ? "-" : value);
  return text;
}

std::string TableText(const PlanReport& report, const Style& style) {
  Table table({{"NAME"},
               {"RANKS", true},
               {"PARAMS", true},
               {"WEIGHTS", true},
               {"GRADS", true},
               {"OPTIM", true},
               {"ACTIV", true},
               {"WORK", true},
               {"PEAK", true},
               {"FITS"},
               {"WIRE", true},
               {"STEP", true},
               {"STORED", true},
               {"BPE", true},
               {"ENERGY", true}});
  for (const Plan& plan : report.plans) {
    const MemoryPlan& memory = plan.memory;
    table.AddRow({plan.name, fmt::format("{}", plan.ranks), Count(plan.parameters.total),
                  Bytes(memory.masters_bytes + memory.copies_bytes + memory.teacher_bytes),
                  Bytes(memory.gradients_bytes), Bytes(memory.optimizer_bytes), Bytes(memory.activations_bytes),
                  Bytes(memory.working_bytes), Bytes(plan.needed_bytes(report.device)),
                  plan.fits(report.device) ? "yes" : "no", Bytes(plan.work.wire_bytes), StepTime(plan.work),
                  Bytes(plan.cost.storage_bytes), fmt::format("{:.3f}", plan.cost.bits_per_element),
                  HumanCount(plan.cost.energy_proxy)});
  }
  return table.ToString(style);
}

}  // namespace

Json PlanReportJson(const PlanReport& report) {
  const Device& device = report.device;
  Json plans = Json::array();
  for (const Plan& plan : report.plans) plans.push_back(PlanJson(plan, device));
  return {{"device", {{"name", std::string(device.name)}, {"memory_bytes", device.memory_bytes}}},
          {"plans", plans},
          {"assumptions", Assumptions(device)}};
}

std::string PlanReportText(const PlanReport& report, const Style& style) {
  std::string text =
      report.plans.size() == 1 ? DetailText(report.plans.front(), report.device, style) : TableText(report, style);
  text += "\n";
  for (const std::string& assumption : Assumptions(report.device)) text += fmt::format("- {}\n", assumption);
  return text;
}

}  // namespace ridgeline
