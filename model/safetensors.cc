// SPDX-License-Identifier: Apache-2.0
#include "model/safetensors.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/weight_tensor.h"
#include "quant/autograd/torch_pch.h"
#include "weights/safetensors_writer.h"

namespace ridgeline {
namespace {

// Wide elements first: then each tensor begins at a multiple of its element.
absl::StatusOr<std::vector<TensorDeclaration>> Declare(const std::string& path, const SafetensorsFile& file) {
  std::vector<TensorDeclaration> tensors;
  for (const auto& [name, tensor] : file.tensors) {
    const std::optional<Dtype> dtype = DtypeOf(tensor.scalar_type());
    if (!dtype)
      return absl::InvalidArgumentError(
          fmt::format("{}: tensor '{}' is {}, which is not stored", path, name, c10::toString(tensor.scalar_type())));
    tensors.push_back({name, *dtype, tensor.sizes().vec()});
  }
  std::stable_sort(tensors.begin(), tensors.end(), [](const TensorDeclaration& a, const TensorDeclaration& b) {
    return BlockBytes(a.dtype) > BlockBytes(b.dtype);
  });
  return tensors;
}

}  // namespace

absl::Status WriteSafetensors(const std::string& path, const SafetensorsFile& file) {
  ASSIGN_OR_RETURN(const std::vector<TensorDeclaration> tensors, Declare(path, file));
  ASSIGN_OR_RETURN(std::unique_ptr<SafetensorsWriter> writer,
                   SafetensorsWriter::Create(path, tensors, {file.metadata}));
  for (const TensorDeclaration& declared : tensors) {
    const at::Tensor dense = file.tensors.at(declared.name).detach().cpu().contiguous();
    if (dense.nbytes() == 0) continue;
    RETURN_IF_ERROR(writer->Append(declared.name, {static_cast<const char*>(dense.const_data_ptr()), dense.nbytes()}));
  }
  return writer->Finish();
}

absl::StatusOr<SafetensorsFile> ReadSafetensors(const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<WeightFile> stored, OpenSafetensors(path));
  SafetensorsFile file;
  file.metadata = stored->metadata();
  for (const TensorView& view : stored->tensors()) {
    ASSIGN_OR_RETURN(file.tensors[view.name], CopyTensor(view));
  }
  return file;
}

}  // namespace ridgeline
