// SPDX-License-Identifier: Apache-2.0
#include "worker/train/exceptions.h"

#include <new>
#include <stdexcept>

#include "quant/autograd/torch_pch.h"
#include "worker/parallel/status_error.h"
#include "worker/train/attempt_test.h"

namespace ridgeline {
namespace {

absl::Status Thrown(const std::function<void()>& work) {
  return ConvertExceptions([&] {
    work();
    return absl::OkStatus();
  });
}

TEST(ExceptionsTest, LackOfMemoryOfHostAndDeviceIsToldAsSuchWithARemedy) {
  const std::vector<absl::Status> lacks = {
      Thrown([] { throw std::bad_alloc(); }),
      Thrown([] { at::empty({int64_t{1} << 60}, at::kByte); }),
      Thrown([] { TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory. Tried to allocate 2 GiB"); }),
      Thrown([] { TORCH_CHECK(false, "CUDA error: out of memory"); }),
      Thrown([] { TORCH_CHECK(false, "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"); }),
      Thrown([] { throw std::runtime_error("mmap: Cannot allocate memory"); })};
  for (const absl::Status& lack : lacks) {
    EXPECT_TRUE(absl::IsResourceExhausted(lack)) << lack;
    EXPECT_EQ(std::string(lack.message()).find("out of memory; lower"), 0u) << lack;
  }
}

TEST(ExceptionsTest, WhatLibTorchCannotDoIsUnimplementedAndTheRestInternal) {
  EXPECT_TRUE(absl::IsUnimplemented(Thrown([] { TORCH_CHECK_NOT_IMPLEMENTED(false, "no such kernel"); })));
  EXPECT_TRUE(absl::IsInternal(Thrown([] { TORCH_CHECK(false, "sizes differ"); })));
  EXPECT_TRUE(absl::IsInternal(Thrown([] { throw std::logic_error("anything"); })));
  EXPECT_EQ(Thrown([] { throw StatusError(absl::DataLossError("torn")); }), absl::DataLossError("torn"));
}

class IncompatibleTest : public AttemptTest {};

TEST_F(IncompatibleTest, ARecipeThatTheGroupCannotDoIsUnimplementedAndNamesTheKey) {
  v1::Assign assignment = Assignment();
  assignment.mutable_recipe()->mutable_parallelism()->set_shard_degree(2);
  Recorder recorder;
  const absl::Status ranks = Run(assignment, 3, recorder).status();
  EXPECT_TRUE(absl::IsUnimplemented(ranks)) << ranks;
  EXPECT_NE(std::string(ranks.message()).find("parallelism.shard_degree"), std::string::npos) << ranks;
  assignment = Assignment();
  assignment.mutable_recipe()->mutable_quant()->set_estimator("of a later version");
  const absl::Status estimator = Run(assignment, 1, recorder).status();
  EXPECT_TRUE(absl::IsUnimplemented(estimator)) << estimator;
}

TEST_F(IncompatibleTest, ADatasetThatIsNotThereOrDoesNotFitIsNoneOfThat) {
  v1::Assign assignment = Assignment();
  assignment.mutable_recipe()->mutable_training()->set_seq_len(1 << 20);
  Recorder recorder;
  EXPECT_TRUE(absl::IsInvalidArgument(Run(assignment, 1, recorder).status()));
  assignment.mutable_recipe()->mutable_dataset()->set_path("/nowhere");
  EXPECT_TRUE(absl::IsNotFound(Run(assignment, 2, recorder).status()));
}

}  // namespace
}  // namespace ridgeline
