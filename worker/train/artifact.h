// SPDX-License-Identifier: Apache-2.0
// What a finished job leaves beside its frontier point: its model as a folder that `ridgeline generate`, `eval` and
// `export` and transformers read.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "model/language_model.h"
#include "ridgeline/v1/job.pb.h"

namespace ridgeline {

// Whether export.weights is a form that holds codes, with bfloat16 of all else: packed, gguf.
bool KeepsCodes(const std::string& weights);

// Writes `work_dir`/jobs/`job_id`/artifacts/model: config.json, model.safetensors with the values that layers compute
// with (on the grid where a quantizer is, pruned where a pattern is, float32 so that none is rounded again), and the
// dataset's tokenizer, with the files that `model_path` has for the same one. `weights` is export.weights: packed is
// codes in place of values, and bfloat16 of all that is not quantized (docs/formats.md#packed-models); gguf is those
// codes in model.gguf alone, with metadata and tokenizer of the GGUF at `model_path`. The folder (of gguf the file
// in it) appears when all of it is on the disk; an earlier one of that name is replaced. `dataset_path` is where
// `dataset` was opened, `model_path` empty or what model.path resolves to. RESOURCE_EXHAUSTED when the disk is full.
absl::StatusOr<v1::Artifact> WriteModelArtifact(LanguageModel* model, const std::string& weights,
                                                const std::string& model_path, const Dataset& dataset,
                                                const std::string& dataset_path, const std::string& work_dir,
                                                const std::string& job_id);

// The folder that it writes.
std::string ModelArtifactFolder(const std::string& work_dir, const std::string& job_id);

// Rounds what no quantizer is for, as a file with codes has it.
void RoundToBfloat16(LanguageModel* model);

// The artifact's file of weights; null if it has none.
const v1::Artifact::File* WeightsOf(const v1::Artifact& artifact);

// Everything that a job of another life left under that id.
void RemoveArtifacts(const std::string& work_dir, const std::string& job_id);

}  // namespace ridgeline
