// SPDX-License-Identifier: Apache-2.0
#include "inference/options.h"

#include "common/number_option.h"

namespace ridgeline {
namespace {

void DeclareModel(CLI::App* verb, std::string* model) {
  verb->add_option("--model", *model, "An imported model, a GGUF file, or a Hugging Face folder")
      ->required()
      ->type_name("NAME|PATH");
}

void DeclareTokenizer(CLI::App* verb, std::string* tokenizer) {
  verb->add_option("--tokenizer", *tokenizer, "Where the tokenizer is, if not with the model")->type_name("PATH");
}

// Either, and not both. CLI11's option groups would show neither in completions.
void RequireOneOf(CLI::App* verb, CLI::Option* a, CLI::Option* b) {
  a->excludes(b);
  verb->parse_complete_callback([a, b] {
    if (a->count() + b->count() == 0) throw CLI::RequiredError(a->get_name() + " or " + b->get_name());
  });
}

void DeclareDtype(CLI::App* verb, std::string* dtype) {
  verb->add_option("--dtype", *dtype, "float32 (default) or bfloat16: what is computed in")
      ->check(CLI::IsMember({"float32", "bfloat16"}))
      ->type_name("TYPE");
}

void DeclareFormat(CLI::App* verb, std::string* format, const char* plain, const std::string& help) {
  verb->add_option("-o,--output", *format, help)->check(CLI::IsMember({plain, "json"}))->type_name("FORMAT");
}

}  // namespace

void DeclareGenerate(CLI::App* verb, GenerateOptions* options) {
  DeclareModel(verb, &options->model);
  CLI::Option* prompt = verb->add_option("--prompt", options->prompt, "The text to continue")->type_name("TEXT");
  RequireOneOf(verb, prompt,
               verb->add_option("--prompt-file", options->prompt_file, "A file with it; - reads standard input")
                   ->type_name("FILE"));
  DeclareTokenizer(verb, &options->tokenizer);
  verb->add_option("--max-new-tokens", options->max_new_tokens, "Tokens to write, at most (default 128)")
      ->check(IntegerFrom(1, int64_t{1} << 30))
      ->type_name("N");
  verb->add_option("--temperature", options->temperature,
                   "0: the most probable token always; 1 (default): as probable as the model says")
      ->check(NumberFrom(0, 100))
      ->type_name("T");
  verb->add_option("--top-k", options->top_k, "Choose among the K most probable tokens; 0 (default): among all")
      ->check(IntegerFrom(0, int64_t{1} << 30))
      ->type_name("K");
  verb->add_option("--seed", options->seed, "Of the choices; the same seed, the same text (default 0)")
      ->check(IntegerFrom(0))
      ->type_name("N");
  DeclareDtype(verb, &options->dtype);
  verb->add_option("--stop-at-eos", options->stop_at_eos, "End where the model ends its text (default true)")
      ->type_name("true|false");
  DeclareFormat(verb, &options->format, "text", "text (default), as it comes; or json, at the end");
}

void DeclareEval(CLI::App* verb, EvalOptions* options) {
  DeclareModel(verb, &options->model);
  CLI::Option* text =
      verb->add_option("--text", options->text_file, "UTF-8 text to score; - reads standard input")->type_name("FILE");
  RequireOneOf(verb, text,
               verb->add_option("--dataset", options->dataset, "A prepared dataset, whose held-out part is scored")
                   ->type_name("DIR"));
  DeclareTokenizer(verb, &options->tokenizer);
  verb->add_option("--seq-len", options->seq_len,
                   "Tokens of text that are scored together (default: 2048, or the model's longest)")
      ->check(IntegerFrom(1, int64_t{1} << 30))
      ->type_name("N");
  verb->add_option("--batch", options->batch, "Such windows computed at once (default: as many as make 2048 tokens)")
      ->check(IntegerFrom(1, int64_t{1} << 20))
      ->type_name("N");
  DeclareDtype(verb, &options->dtype);
  DeclareFormat(verb, &options->format, "table", "table (default) or json");
}

void DeclareExport(CLI::App* verb, ExportOptions* options) {
  DeclareModel(verb, &options->model);
  verb->add_option("--format", options->format,
                   "safetensors (default): a folder that transformers loads; gguf: one file for llama.cpp; packed: a "
                   "folder with codes in place of weights")
      ->check(CLI::IsMember({"safetensors", "gguf", "packed"}))
      ->type_name("FORMAT");
  verb->add_option("--dtype", options->dtype,
                   "f32, f16, bf16 (default); for gguf also q8_0, q4_0, q4_1, q5_0, q5_1. Without it a packed "
                   "model keeps its codes in gguf")
      ->check(CLI::IsMember({"f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1"}, CLI::ignore_case))
      ->type_name("TYPE");
  verb->add_option("--out", options->out, "Folder to write, or file.gguf")->required()->type_name("DIR|FILE");
  verb->add_option("--weight-format", options->weight_format, "For packed: int1 to int8, ternary, fp4, mxfp4, ...")
      ->type_name("FORMAT");
  verb->add_option(
          "--activation-format", options->activation_format,
          "For packed: what inputs of layers are rounded to at work, such as int8, linear and in blocks of the "
          "weights' (default none)")
      ->type_name("FORMAT");
  verb->add_option("--embedding-format", options->embedding_format,
                   "For packed: of the embedding, which is the head (default none: as --dtype)")
      ->check(CLI::IsMember({"none", "int2", "int3", "int4", "int5", "int6", "int7", "int8"}))
      ->type_name("FORMAT");
  verb->add_option("--estimator", options->estimator, "For packed: how weights are rounded (default ste)")
      ->type_name("NAME");
  verb->add_option("--scheme", options->scheme,
                   "For packed: linear or affine (default: affine for integers, if the estimator has it)")
      ->check(CLI::IsMember({"linear", "affine"}))
      ->type_name("SCHEME");
  verb->add_option("--scales", options->scales,
                   "For packed: float16 (default), or int8 in steps of a row, which is half as large")
      ->check(CLI::IsMember({"float16", "int8"}))
      ->type_name("SCALES");
  verb->add_option("--block", options->block, "For packed: numbers that share a scale (default 128)")
      ->check(IntegerFrom(2, int64_t{1} << 20))
      ->type_name("N");
  verb->add_option("--metadata-from", options->metadata_from,
                   "For gguf, if the model is none: a GGUF of the same shape, for metadata and tokenizer")
      ->type_name("NAME|FILE");
}

}  // namespace ridgeline
