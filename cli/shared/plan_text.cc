// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/plan_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
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

std::string LinkAssumption(const Device& device) {
  const std::string link = fmt::format("{:.4g} GB/s a rank", device.link_bytes_per_second / 1e9);
  if (device.ranks_per_node == 0) return link;
  return fmt::format("{}, {:.4g} GB/s among the {} of a node, who are neighbours", link,
                     device.node_bytes_per_second / 1e9, device.ranks_per_node);
}

constexpr const char* kWhole =
    "every rank holds weights, gradients, optimizer and teacher whole (data parallel): more ranks shrink only "
    "its share of the batch, and with it activations (and gradients, where one bfloat16 pass then makes them all)";
constexpr const char* kShared =
    "the ranks of a copy share weights, gradients and optimizer by rows; blocks are gathered while the one before "
    "computes, as codes where they are quantized, and gradients are sent while the next are formed; the rank that "
    "needs or sends most is shown, evaluation is not counted, and a teacher is whole on every rank";

std::vector<std::string> Assumptions(const PlanReport& report) {
  const Device& device = report.device;
  const auto is_shared = [](const Plan& plan) { return plan.is_shared(); };
  const int64_t shared = std::count_if(report.plans.begin(), report.plans.end(), is_shared);
  std::vector<std::string> assumptions;
  if (shared < std::ssize(report.plans)) assumptions.emplace_back(kWhole);
  if (shared > 0) assumptions.emplace_back(kShared);
  assumptions.push_back(
      fmt::format("memory: {} for program and libraries; without evaluation, checkpoint writing and what the "
                  "allocator keeps in reserve",
                  Bytes(device.runtime_bytes)));
  if (shared < std::ssize(report.plans))
    assumptions.push_back(fmt::format(
        "wire: one ring all-reduce of float32 gradients a step, after the backward pass and not hidden by it, at {}",
        LinkAssumption(device)));
  if (shared > 0)
    assumptions.push_back(
        fmt::format("wire of shared models: a rank sends its own part to each other rank of the copy, at {}; hidden is "
                    "what takes no longer than the block that computes meanwhile",
                    LinkAssumption(device)));
  assumptions.push_back(RateAssumption(device) + "; quantizers, norms and the optimizer are not counted");
  return assumptions;
}

Json MemoryJson(const Plan& plan, const Device& device) {
  const MemoryPlan& memory = plan.memory;
  return {{"masters", memory.masters_bytes},
          {"compute_copies", memory.copies_bytes},
          {"gradients", memory.gradients_bytes},
          {"optimizer", memory.optimizer_bytes},
          {"teacher", memory.teacher_bytes},
          {"gathered", memory.gathered_bytes},
          {"gradients_in_flight", memory.in_flight_bytes},
          {"activations", memory.activations_bytes},
          {"working", memory.working_bytes},
          {"runtime", static_cast<int64_t>(device.runtime_bytes)},
          {"peak", static_cast<int64_t>(plan.needed_bytes(device))}};
}

Json WireJson(const WorkPlan& work) {
  return {{"gathers", work.traffic.gathers}, {"gradients", work.traffic.gradients}, {"rest", work.traffic.rest}};
}

Json PlanJson(const Plan& plan, const Device& device) {
  Json json = {{"name", plan.name},
               {"model", plan.model},
               {"ranks", plan.ranks},
               {"shard_degree", plan.degrees.shard},
               {"replicate_degree", plan.degrees.replicate},
               {"idle_ranks", plan.idle_ranks},
               {"sequences_per_rank", plan.batch.sequences_per_rank},
               {"sequences_per_pass", plan.batch.sequences_per_pass},
               {"passes", plan.batch.passes()},
               {"parameters",
                {{"total", plan.parameters.total},
                 {"embedding", plan.parameters.embeddings},
                 {"linear", plan.parameters.linears},
                 {"quantized", plan.parameters.quantized},
                 {"learned", plan.parameters.learned}}},
               {"memory_bytes", MemoryJson(plan, device)},
               {"fits", plan.fits(device)},
               {"asked_memory_bytes", static_cast<int64_t>(plan.asked_bytes)},
               {"storage_bytes", plan.cost.storage_bytes},
               {"bits_per_element", plan.cost.bits_per_element},
               {"energy_proxy", plan.cost.energy_proxy},
               {"flops_per_step", plan.work.flops},
               {"wire_bytes_per_step", plan.work.traffic.total()},
               {"wire_bytes", WireJson(plan.work)},
               {"wire_seconds", plan.work.wire.all}};
  if (plan.is_shared()) json["fsdp_bfloat16_wire_bytes"] = plan.work.fsdp_bytes;
  if (plan.work.step_seconds() > 0) {  // What is not known is absent.
    json["compute_seconds"] = plan.work.compute_seconds;
    json["exposed_wire_seconds"] = plan.work.wire.exposed;
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
  const std::string shared = !plan.is_shared()             ? ""
                             : plan.degrees.replicate == 1 ? ", which share one copy"
                                                           : fmt::format(", {} share each of {} copies",
                                                                         plan.degrees.shard, plan.degrees.replicate);
  return fmt::format("{}{}{}; {} sequences of a step on each, {} at once", plan.ranks, shared, idle,
                     plan.batch.sequences_per_rank, plan.batch.sequences_per_pass);
}

using NamedFigures = std::vector<std::pair<std::string, std::string>>;

// What a rank has, moment by moment the same or, where ranks share, when it needs most.
NamedFigures MemoryLines(const Plan& plan, const Device& device) {
  const MemoryPlan& memory = plan.memory;
  NamedFigures lines = {{"memory of a rank", fmt::format("{} on {}; fits: {}", Bytes(plan.needed_bytes(device)),
                                                         device.name, Fits(plan, device))},
                        {"  masters", Bytes(memory.masters_bytes)},
                        {plan.is_shared() ? "  codes" : "  compute copies", Bytes(memory.copies_bytes)},
                        {"  gradients", Bytes(memory.gradients_bytes)},
                        {"  optimizer", Bytes(memory.optimizer_bytes)},
                        {"  teacher", Bytes(memory.teacher_bytes)}};
  if (plan.is_shared()) {
    lines.emplace_back("  gathered", Bytes(memory.gathered_bytes));
    lines.emplace_back("  in flight", fmt::format("{} of gradients", Bytes(memory.in_flight_bytes)));
  }
  lines.emplace_back("  activations", Bytes(memory.activations_bytes));
  lines.emplace_back("  working", Bytes(memory.working_bytes));
  lines.emplace_back("  runtime", Bytes(device.runtime_bytes));
  return lines;
}

NamedFigures WireLines(const Plan& plan) {
  const WorkPlan& work = plan.work;
  NamedFigures lines = {{"wire", fmt::format("{} sent by each rank in a step", Bytes(work.traffic.total()))}};
  if (!plan.is_shared()) return lines;
  lines.emplace_back("  gathers", fmt::format("{} in {} pass{}", Bytes(work.traffic.gathers), plan.batch.passes(),
                                              plan.batch.passes() == 1 ? "" : "es"));
  lines.emplace_back("  gradients", Bytes(work.traffic.gradients));
  lines.emplace_back("  rest",
                     fmt::format("{}, sums over copies and of what every rank holds", Bytes(work.traffic.rest)));
  lines.emplace_back("  beside FSDP", fmt::format("{:.2f} of the {} that it sends in bfloat16",
                                                  work.traffic.total() / work.fsdp_bytes, Bytes(work.fsdp_bytes)));
  if (work.compute_seconds > 0)
    lines.emplace_back("  hidden", fmt::format("{:.0f}% of {:.3g} s", 100 * work.hidden_share(), work.wire.all));
  return lines;
}

// Every figure of one plan, by its name.
NamedFigures Lines(const Plan& plan, const Device& device) {
  const ParameterCounts& counts = plan.parameters;
  NamedFigures lines = {
      {"job", plan.name},
      {"model", plan.model},
      {"ranks", Ranks(plan)},
      {"parameters",
       fmt::format("{} ({}): {} embedding{}, {} in linear layers, {} of them quantized or pruned{}", counts.total,
                   Count(counts.total), Count(counts.embeddings), counts.has_quantized_embedding ? " (quantized)" : "",
                   Count(counts.linears), Count(counts.quantized),
                   counts.learned > 0 ? fmt::format(", {} learned by quantizers", Count(counts.learned)) : "")}};
  const NamedFigures rest = {{"work", fmt::format("{}FLOP of a rank in a step", HumanCount(plan.work.flops))},
                             {"step time", StepTime(plan.work)},
                             {"stored", Bytes(plan.cost.storage_bytes)},
                             {"bits an element", fmt::format("{:.3f}", plan.cost.bits_per_element)},
                             {"energy proxy", HumanCount(plan.cost.energy_proxy)}};
  for (const NamedFigures& more : {MemoryLines(plan, device), WireLines(plan), rest})
    lines.insert(lines.end(), more.begin(), more.end());
  return lines;
}

std::string DetailText(const Plan& plan, const Device& device, const Style& style) {
  std::string text;
  for (const auto& [name, value] : Lines(plan, device))
    text += fmt::format("{}  {}\n", Paint(PadRight(name, 17), Color::kBold, style), value.empty() ? "-" : value);
  return text;
}

// "8x4": 4 copies, each on 8 ranks.
std::string Shares(const Plan& plan) { return fmt::format("{}x{}", plan.degrees.shard, plan.degrees.replicate); }

std::string TableText(const PlanReport& report, const Style& style) {
  Table table({{"NAME"},
               {"RANKS", true},
               {"SHARES", true},
               {"PARAMS", true},
               {"WEIGHTS", true},
               {"GRADS", true},
               {"OPTIM", true},
               {"UNITS", true},
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
    table.AddRow({plan.name, fmt::format("{}", plan.ranks), Shares(plan), Count(plan.parameters.total),
                  Bytes(memory.masters_bytes + memory.copies_bytes + memory.teacher_bytes),
                  Bytes(memory.gradients_bytes), Bytes(memory.optimizer_bytes),
                  Bytes(memory.gathered_bytes + memory.in_flight_bytes), Bytes(memory.activations_bytes),
                  Bytes(memory.working_bytes), Bytes(plan.needed_bytes(report.device)),
                  plan.fits(report.device) ? "yes" : "no", Bytes(plan.work.traffic.total()), StepTime(plan.work),
                  Bytes(plan.cost.storage_bytes), fmt::format("{:.3f}", plan.cost.bits_per_element),
                  HumanCount(plan.cost.energy_proxy)});
  }
  return table.ToString(style);
}

// Of jobs whose resources.memory a group can have and still be too small.
std::vector<std::string> Warnings(const PlanReport& report) {
  constexpr double kGibibyte = 1 << 30;
  std::vector<std::string> warnings;
  for (const Plan& plan : report.plans) {
    if (!plan.asks_too_little(report.device)) continue;
    const double needed_bytes = plan.needed_bytes(report.device);
    warnings.push_back(fmt::format(
        "{}, ranks {}: resources.memory asks for {:g} GiB a rank, and a rank needs {} on {}: set it to {:.0f}",
        plan.name, plan.ranks, plan.asked_bytes / kGibibyte, Bytes(needed_bytes), report.device.name,
        std::ceil(needed_bytes / kGibibyte)));
  }
  return warnings;
}

}  // namespace

Json PlanReportJson(const PlanReport& report) {
  const Device& device = report.device;
  Json plans = Json::array();
  for (const Plan& plan : report.plans) plans.push_back(PlanJson(plan, device));
  return {{"device", {{"name", std::string(device.name)}, {"memory_bytes", device.memory_bytes}}},
          {"plans", plans},
          {"warnings", Warnings(report)},
          {"assumptions", Assumptions(report)}};
}

std::string PlanReportText(const PlanReport& report, const Style& style) {
  std::string text =
      report.plans.size() == 1 ? DetailText(report.plans.front(), report.device, style) : TableText(report, style);
  text += "\n";
  for (const std::string& warning : Warnings(report))
    text += fmt::format("{} {}\n", Paint("warning:", Color::kYellow, style), warning);
  for (const std::string& assumption : Assumptions(report)) text += fmt::format("- {}\n", assumption);
  return text;
}

}  // namespace ridgeline
