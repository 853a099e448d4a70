# SPDX-License-Identifier: Apache-2.0
# nvcc, through the same cache as other compilers, for data-centre GPUs from compute capability 8.0 on; CUDAARCHS in the
# environment or CMAKE_CUDA_ARCHITECTURES choose others.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES AND NOT DEFINED ENV{CUDAARCHS})
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100)
endif()
if(CMAKE_CXX_COMPILER_LAUNCHER AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
enable_language(CUDA)
set(CMAKE_CUDA_STANDARD 17)  # The latest that CMake 3.25 knows of nvcc.
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
