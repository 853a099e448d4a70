// SPDX-License-Identifier: Apache-2.0
#include "model/packed_weights.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <functional>
#include <span>
#include <vector>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/packed_description.h"
#include "model/packed_parts.h"
#include "model/weight_names.h"
#include "quant/autograd/torch_pch.h"
#include "weights/decode.h"
#include "weights/safetensors_writer.h"

namespace ridgeline {
namespace {

// A tensor of the file: its bytes, or what to encode them from.
struct FileTensor {
  TensorDeclaration declaration;
  std::string_view bytes;
  at::Tensor values;
};

std::span<const float> NumbersOf(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<float>(), static_cast<size_t>(tensor.numel())};
}

absl::StatusOr<PackedTensor> EncodeParameter(const Parameter& parameter) {
  const at::Tensor master = parameter.master.cpu().contiguous();
  at::Tensor scale;
  if (parameter.quantizer.scale != nullptr) scale = parameter.quantizer.scale->master.cpu().contiguous();
  return Encode(parameter.quantizer.spec, NumbersOf(master), master.size(0), master.size(1),
                scale.defined() ? NumbersOf(scale) : std::span<const float>());
}

absl::StatusOr<PackedWeights> EncodeAll(const std::vector<const Parameter*>& parameters) {
  std::vector<absl::StatusOr<PackedTensor>> encoded(parameters.size(), absl::UnknownError("not encoded"));
  at::parallel_for(0, static_cast<int64_t>(parameters.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      encoded[i] = EncodeParameter(*parameters[i]);
  });
  PackedWeights packed;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!encoded[i].ok())
      return absl::Status(encoded[i].status().code(),
                          fmt::format("{}: {}", parameters[i]->name, std::string(encoded[i].status().message())));
    packed.emplace(parameters[i]->name, *std::move(encoded[i]));
  }
  return packed;
}

// What the file has of a parameter that is not packed.
FileTensor PlainTensor(const Parameter& parameter, Dtype dtype) {
  if (parameter.of_quantizer)
    return {{parameter.name, Dtype::kF32, parameter.master.sizes().vec()}, {}, parameter.master};
  const StoredName& stored = StoredNameOf(*parameter.shape, WeightNaming::kHuggingFace);
  const at::Tensor values = parameter.quantizer.spec.enabled() ? parameter.Values() : parameter.master;
  const at::Tensor tensor = stored.is_transposed ? values.t() : values;
  return {{stored.name, dtype, tensor.sizes().vec()}, {}, tensor};
}

// Readers may ask that a tensor begins at a multiple of its element: wide ones come first.
void OrderByWidth(std::vector<FileTensor>* tensors) {
  const auto width = [](const FileTensor& tensor) {
    constexpr int64_t kOne = 1;
    return BytesOfShape(tensor.declaration.dtype, std::span(&kOne, 1)).value_or(0);
  };
  std::stable_sort(tensors->begin(), tensors->end(),
                   [&](const FileTensor& a, const FileTensor& b) { return width(a) > width(b); });
}

absl::Status AppendValues(const FileTensor& tensor, SafetensorsWriter* writer) {
  const at::Tensor values = tensor.values.to(at::kFloat).contiguous();
  std::string bytes;
  RETURN_IF_ERROR(EncodeFromFloat(tensor.declaration.dtype, NumbersOf(values), &bytes));
  return writer->Append(tensor.declaration.name, bytes);
}

std::vector<const Parameter*> QuantizedOf(const LanguageModel& model) {
  std::vector<const Parameter*> quantized;
  for (const Parameter& parameter : model.parameters())
    if (parameter.quantizer.spec.quantizes()) quantized.push_back(&parameter);
  return quantized;
}

}  // namespace

absl::StatusOr<PackedWeights> EncodeWeights(const LanguageModel& model) {
  at::NoGradGuard no_grad;
  return EncodeAll(QuantizedOf(model));
}

absl::Status WritePackedWeights(const LanguageModel& model, Dtype dtype, const std::string& path) {
  at::NoGradGuard no_grad;
  std::vector<FileTensor> tensors;
  for (const Parameter& parameter : model.parameters())
    if (parameter.shape->kind != ParameterKind::kWeightScale && !parameter.quantizer.spec.quantizes())
      tensors.push_back(PlainTensor(parameter, dtype));
  const std::vector<const Parameter*> quantized = QuantizedOf(model);
  ASSIGN_OR_RETURN(const PackedWeights packed, EncodeAll(quantized));
  for (const Parameter* parameter : quantized) {
    const std::string& name = StoredNameOf(*parameter->shape, WeightNaming::kHuggingFace).name;
    for (PackedPart& part : PartsOf(name, packed.at(parameter->name)))
      tensors.push_back({std::move(part.declaration), part.bytes, {}});
  }
  OrderByWidth(&tensors);
  std::vector<TensorDeclaration> declarations;
  for (const FileTensor& tensor : tensors) declarations.push_back(tensor.declaration);
  const SafetensorsWriter::Options writing{
      .metadata = {{kQuantizationKey, QuantizersText(QuantizersOf(model.options()))}}};
  ASSIGN_OR_RETURN(const auto writer, SafetensorsWriter::Create(path, declarations, writing));
  for (const FileTensor& tensor : tensors)
    RETURN_IF_ERROR(tensor.values.defined() ? AppendValues(tensor, writer.get())
                                            : writer->Append(tensor.declaration.name, tensor.bytes));
  return writer->Finish();
}

namespace {

at::Tensor ProductWith(const PreparedInputs& inputs, const PackedMatrix& weight) {
  constexpr int64_t kProductsPerThread = 16 * 1024;
  const int64_t rows = weight.rows();
  at::Tensor y = at::empty({inputs.view.count, rows}, at::kFloat);
  float* products = y.mutable_data_ptr<float>();
  const int64_t grain = std::max<int64_t>(1, kProductsPerThread / std::max<int64_t>(1, weight.features()));
  at::parallel_for(0, rows, grain,
                   [&](int64_t begin, int64_t end) { weight.Multiply(inputs, begin, end, products, rows); });
  return y;
}

}  // namespace

at::Tensor Product(const at::Tensor& x, const PackedMatrix& weight) {
  const at::Tensor numbers = x.to(at::kFloat).contiguous();
  const int64_t count = numbers.size(0);
  if (x.scalar_type() == at::kFloat && !weight.quantizes_inputs()) {
    const auto [rounded, rest] = weight.PrepareFloats(NumbersOf(numbers), count);
    return ProductWith(rounded, weight).add_(ProductWith(rest, weight));
  }
  return ProductWith(weight.Prepare(NumbersOf(numbers), count), weight).to(x.scalar_type());
}

void DecodeInto(const PackedView& packed, at::Tensor& master) {
  float* numbers = master.mutable_data_ptr<float>();
  const int64_t features = packed.layout.features;
  at::parallel_for(0, packed.layout.rows, 64, [&](int64_t begin, int64_t end) {
    DecodeRows(packed, begin, end, Rotated::kBack, numbers + begin * features);
  });
}

}  // namespace ridgeline
