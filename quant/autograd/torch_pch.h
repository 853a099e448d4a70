// SPDX-License-Identifier: Apache-2.0
// Precompiled: a LibTorch header costs many seconds in every file that includes one.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#ifndef INTRA_OP_PARALLEL
#error "at::parallel_for would run on one thread: compile this file with what ridgeline_torch asks for (-fopenmp)"
#endif
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/variable.h>
