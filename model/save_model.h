// SPDX-License-Identifier: Apache-2.0
// A network to files that others read: a Hugging Face folder, or a GGUF. Weights are streamed: at most one matrix
// exists twice.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/config_json.h"
#include "model/language_model.h"
#include "model/packed_weights.h"
#include "weights/dtype.h"
#include "weights/gguf.h"

namespace ridgeline {

enum class SavedValues {
  kMasters,    // What training goes on from.
  kQuantized,  // What layers compute with: on the grid where a quantizer is, masters elsewhere.
};

struct SaveOptions {
  Dtype dtype = Dtype::kF32;
  SavedValues values = SavedValues::kMasters;
};

// Writes config.json and model.safetensors (shards of 5 GB with an index, if it is larger) in Hugging Face's names, and
// `other_files` (name to content: the tokenizer's). The folder appears when all of it is on the disk; one that was
// there is replaced. dtype: F32, F16 or BF16. RESOURCE_EXHAUSTED when the disk is full.
absl::Status SaveHuggingFace(const LanguageModel& model, const SaveOptions& options, const TextBounds& bounds,
                             const std::map<std::string, std::string>& other_files, const std::string& folder);

// The model packed (docs/formats.md#packed-models): codes of each matrix that a quantizer is for, `dtype` (F32, F16 or
// BF16) of everything else, and config.json with the quantizers. Noise estimators are rounded. Holds all codes at once.
// Where nothing is quantized it is all of it in `dtype`. Errors as SaveHuggingFace.
absl::Status SavePacked(const LanguageModel& model, Dtype dtype, const TextBounds& bounds,
                        const std::map<std::string, std::string>& other_files, const std::string& folder);

// What SaveGgufWithCodes wrote.
struct GgufCodes {
  std::map<Dtype, int64_t> elements;   // Of the matrices that have codes, by type.
  std::vector<std::string> as_floats;  // "NAME: why": matrices that are F32, which holds their values.
};

// As SaveGguf, but with the codes of these matrices as blocks that decode to the same numbers (model/gguf_image.h), and
// `dtype` (F32, F16 or BF16) of the others. INVALID_ARGUMENT as GgufImageOf; a matrix with a scale that its type has
// not is F32. Holds all blocks at once.
absl::StatusOr<GgufCodes> SaveGgufWithCodes(const LanguageModel& model, Dtype dtype, const PackedWeights& codes,
                                            const GgufFile& source, const std::string& path);

// Gemma 3 alone. Metadata and tokenizer are those of `source`, a GGUF of the same shape (INVALID_ARGUMENT if not).
// dtype: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, of the matrices; norms are F32, and the embedding, which is the
// head too, is never less than Q8_0.
absl::Status SaveGguf(const LanguageModel& model, const SaveOptions& options, const GgufFile& source,
                      const std::string& path);

}  // namespace ridgeline
