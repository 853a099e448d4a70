// SPDX-License-Identifier: Apache-2.0
#include "data/sentencepiece_model.h"

#include <dlfcn.h>

#include <filesystem>

namespace ridgeline {
namespace {

// DEEPBIND makes the module prefer its own symbols; sanitizers cannot live with it.
#ifdef RIDGELINE_SANITIZED
constexpr int kOpenFlags = RTLD_NOW | RTLD_LOCAL;
#else
constexpr int kOpenFlags = RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
#endif

// The module lies beside the programs; tests lie in a folder next to them.
SentencePieceEntry OpenModule(std::string* error) {
  std::error_code ignored;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const std::filesystem::path& path : {folder / kSentencePieceModule, folder / "../bin" / kSentencePieceModule})
    if (void* module = ::dlopen(path.c_str(), kOpenFlags))
      return reinterpret_cast<SentencePieceEntry>(::dlsym(module, kSentencePieceEntry));
  const char* why = ::dlerror();
  *error = std::string("cannot load the SentencePiece module that belongs beside the program: ") + (why ? why : "");
  return nullptr;
}

}  // namespace

std::unique_ptr<SentencePieceModel> LoadSentencePieceModel(std::string_view serialized, std::string* error) {
  static std::string module_error;
  static const SentencePieceEntry entry = OpenModule(&module_error);
  if (entry == nullptr) {
    *error = module_error;
    return nullptr;
  }
  return std::unique_ptr<SentencePieceModel>(entry(serialized, error));
}

}  // namespace ridgeline
