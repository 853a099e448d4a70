// SPDX-License-Identifier: Apache-2.0
// Functions that nvcc compiles for both sides, and any other compiler for its own: block math is written once.
#pragma once

#if defined(__CUDACC__)
#define RIDGELINE_HOST_DEVICE __host__ __device__ __forceinline__
#define RIDGELINE_UNROLL _Pragma("unroll")  // Registers have no addresses: their indices must be constants.
#define RIDGELINE_KEEP_ROLLED _Pragma("unroll 1")
#else
#define RIDGELINE_HOST_DEVICE inline
#define RIDGELINE_UNROLL
#define RIDGELINE_KEEP_ROLLED
#endif
