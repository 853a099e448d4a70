// SPDX-License-Identifier: Apache-2.0
// What `generate`, `eval` and `export` take, declared once: `ridgeline` parses with it, for help, completion and quick
// errors, and so does ridgeline-inference, which does the work. No LibTorch.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

namespace ridgeline {

struct GenerateOptions {
  std::string model;      // Name in the store, or path
  std::string tokenizer;  // Path; empty: the model's own
  std::optional<std::string> prompt;
  std::string prompt_file;  // Instead; "-" reads standard input
  int64_t max_new_tokens = 128;
  double temperature = 1;  // 0: always the most probable token
  int64_t top_k = 0;       // Only that many most probable tokens; 0: all
  uint64_t seed = 0;
  std::string dtype = "float32";
  bool stop_at_eos = true;
  std::string format = "text";  // or json
};

struct EvalOptions {
  std::string model;
  std::string tokenizer;
  std::string text_file;  // "-" reads standard input
  std::string dataset;    // Instead: a prepared folder, whose held-out part is scored
  int64_t seq_len = 0;    // Tokens a window; 0: 2048, or the model's longest if that is less
  int64_t batch = 0;      // Windows at once; 0: as many as make 2048 tokens
  std::string dtype = "float32";
  std::string format = "table";  // or json
};

struct ExportOptions {
  std::string model;
  std::string format = "safetensors";  // or gguf, packed
  std::string dtype;                   // Empty: bf16; of a packed model in gguf, its codes, and bf16 of all else
  std::string out;                     // Folder, or file.gguf
  // For packed: how matrices are rounded. Empty and 0: ste, and what the estimator or the format has.
  std::string weight_format, activation_format, embedding_format, estimator, scheme, scales;
  int64_t block = 0;
  std::string metadata_from;  // GGUF of the same shape, whose metadata and tokenizer a GGUF takes over
};

// REQUIRES: `options` lives as long as `verb`.
void DeclareGenerate(CLI::App* verb, GenerateOptions* options);
void DeclareEval(CLI::App* verb, EvalOptions* options);
void DeclareExport(CLI::App* verb, ExportOptions* options);

}  // namespace ridgeline
