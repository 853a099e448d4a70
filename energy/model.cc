// SPDX-License-Identifier: Apache-2.0
#include "energy/model.h"

#include <cmath>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr double kPicojoule = 1e-12;
constexpr double kBytesPer64Bits = 8;

constexpr std::string_view kOperation = "pJ";
constexpr std::string_view kMoved = "pJ per 64 bits";
constexpr std::string_view kHorowitz = "Horowitz, ISSCC 2014, 45 nm";

// What the source prints for an operation, without a band.
constexpr EnergyCoefficient Printed(std::string_view name, double picojoules, std::string_view unit) {
  return {name, picojoules, picojoules, picojoules, unit, kHorowitz};
}

// Of a band that the source prints, the central value is the mean of its ends.
constexpr EnergyCoefficient Band(std::string_view name, double low, double high, std::string_view unit) {
  return {name, low, (low + high) / 2, high, unit, kHorowitz};
}

constexpr EnergyCoefficient kInt8Multiply = Printed("int8 multiply", 0.2, kOperation);
constexpr EnergyCoefficient kInt32Add = Printed("int32 add", 0.1, kOperation);
constexpr EnergyCoefficient kFloat32Multiply = Printed("float32 multiply", 3.7, kOperation);
constexpr EnergyCoefficient kFloat32Add = Printed("float32 add", 0.9, kOperation);
constexpr EnergyCoefficient kDram = Band("DRAM", 1300, 2600, kMoved);

constexpr EnergyCoefficient kTable[] = {
    Printed("int8 add", 0.03, kOperation),
    kInt8Multiply,
    kInt32Add,
    Printed("float16 add", 0.4, kOperation),
    Printed("float16 multiply", 1.1, kOperation),
    kFloat32Add,
    kFloat32Multiply,
    Printed("8 KB cache", 10, kMoved),
    Printed("32 KB cache", 20, kMoved),
    Printed("1 MB cache", 100, kMoved),
    kDram,
};

absl::Status Check(const TokenWork& work, const PowerAtRest& rest) {
  for (const auto& [name, value] :
       {std::pair("integer_products", work.integer_products), std::pair("float_products", work.float_products),
        std::pair("dram_bytes", work.dram_bytes), std::pair("watts at rest", rest.watts),
        std::pair("seconds at rest", rest.seconds)})
    if (!(value >= 0 && std::isfinite(value)))
      return absl::InvalidArgumentError(fmt::format("modelled energy: {} is {}, not a number from 0", name, value));
  return absl::OkStatus();
}

// With one end of each band, or its middle.
double Joules(const TokenWork& work, const PowerAtRest& rest, double EnergyCoefficient::*end) {
  const double picojoules = work.integer_products * (kInt8Multiply.*end + kInt32Add.*end) +
                            work.float_products * (kFloat32Multiply.*end + kFloat32Add.*end) +
                            work.dram_bytes / kBytesPer64Bits * (kDram.*end);
  return picojoules * kPicojoule + rest.watts * rest.seconds;
}

}  // namespace

std::span<const EnergyCoefficient> EnergyCoefficients() { return kTable; }

absl::StatusOr<ModelledEnergy> ModelEnergy(const TokenWork& work, const PowerAtRest& rest) {
  RETURN_IF_ERROR(Check(work, rest));
  return ModelledEnergy{Joules(work, rest, &EnergyCoefficient::central), Joules(work, rest, &EnergyCoefficient::low),
                        Joules(work, rest, &EnergyCoefficient::high)};
}

}  // namespace ridgeline
