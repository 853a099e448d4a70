// SPDX-License-Identifier: Apache-2.0
// What ranks of an MPI job do for each other, measured: mpirun -n 2 build/bin/shard_bench [PART ...] [-o csv]
//   collectives  those of comm/ beside MPI's own, best of many rounds
//   gradients    gradients to and from what they travel in, beside a copy, and the digits that it costs
#include <mpi.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "bench/shard_parts.h"
#include "comm/mpi/mpi_communicator.h"
#include "fmt/format.h"
#include "worker/train/freed_memory.h"

namespace ridgeline {
namespace {

constexpr int64_t kTimeoutMs = 600'000;

struct Part {
  const char* name;
  absl::StatusOr<BenchTable> (*measure)(Communicator&);
};
constexpr Part kParts[] = {{"collectives", MeasureCollectives}, {"gradients", MeasureGradients}};

std::vector<std::string> PartNames() {
  std::vector<std::string> names;
  for (const Part& part : kParts) names.push_back(part.name);
  return names;
}

void PrintTable(const BenchTable& table) {
  std::vector<size_t> widths;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    widths.push_back(table.columns[i].size());
    for (const auto& row : table.rows) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto print = [&widths](const std::vector<std::string>& cells) {
    for (size_t i = 0; i < cells.size(); ++i)
      fmt::print("{:>{}}{}", cells[i], widths[i], i + 1 < cells.size() ? "  " : "\n");
  };
  print(table.columns);
  for (const auto& row : table.rows) print(row);
}

void PrintCsv(const BenchTable& table) {
  fmt::print("{}\n", fmt::join(table.columns, ","));
  for (const auto& row : table.rows) fmt::print("{}\n", fmt::join(row, ","));
}

// Returns the program's exit code.
int Run(Communicator& ranks, const std::vector<std::string>& names, bool csv) {
  for (const Part& part : kParts) {
    if (std::find(names.begin(), names.end(), part.name) == names.end()) continue;
    const absl::StatusOr<BenchTable> table = part.measure(ranks);
    if (!table.ok()) {
      fmt::print(stderr, "shard_bench: {}: {}\n", part.name, std::string(table.status().message()));
      return 1;
    }
    if (ranks.rank() != 0) continue;
    if (!csv) fmt::print("{} between {} ranks\n", part.name, ranks.size());
    csv ? PrintCsv(*table) : PrintTable(*table);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) {
  ridgeline::KeepFreedMemory();  // As the worker does.
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  CLI::App app("Measures what ranks do for each other; run it under mpirun");
  std::vector<std::string> parts = ridgeline::PartNames();
  std::string output = "table";
  app.add_option("PART", parts, "What to measure; all where none is named")
      ->check(CLI::IsMember(ridgeline::PartNames()));
  app.add_option("-o,--output", output)->check(CLI::IsMember({"table", "csv"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    MPI_Finalize();
    return code;
  }
  const auto ranks = ridgeline::MakeMpiCommunicator(ridgeline::kTimeoutMs, [] { return false; });
  const int code = ridgeline::Run(*ranks, parts, output == "csv");
  if (code != 0) MPI_Abort(MPI_COMM_WORLD, code);
  MPI_Finalize();
  return code;
}
