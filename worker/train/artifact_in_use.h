// SPDX-License-Identifier: Apache-2.0
// A finished job's packed model, run as it lies on the disk: what its frontier point says is what that file does.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/language_model.h"
#include "model/speed.h"
#include "ridgeline/v1/frontier.pb.h"
#include "ridgeline/v1/job.pb.h"

namespace ridgeline {

// Of an artifact with packed weights, in `dtype` ("float32", "bfloat16") where it is not packed. Errors as
// LoadModelInUse; one of a missing file says that all ranks need the work folder.
absl::StatusOr<std::unique_ptr<LanguageModel>> OpenArtifact(const std::string& folder, const std::string& dtype);

// Size and hash of the artifact's file of weights.
void SetFile(const v1::Artifact& artifact, v1::FrontierPoint* point);

// Joules of a new token: counted where this machine counts them (docs/energy.md), else modelled, also when
// `cancelled` has ended a measurement, which takes ten seconds and more. Returns a line for the log.
absl::StatusOr<std::string> SetEnergy(LanguageModel* model, const Speed& speed, const std::function<bool()>& cancelled,
                                      v1::FrontierPoint* point);

// Speeds on this CPU, and on how many of its threads.
void SetSpeed(const Speed& speed, v1::FrontierPoint* point);

}  // namespace ridgeline
