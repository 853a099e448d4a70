# SPDX-License-Identifier: Apache-2.0
# nvcc, through the same cache as other compilers, for data-centre GPUs from compute capability 8.0 on; CUDAARCHS in the
# environment chooses others, each time that CMake runs.
set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100)
if(DEFINED ENV{CUDAARCHS})
  set(CMAKE_CUDA_ARCHITECTURES $ENV{CUDAARCHS})
endif()
if(CMAKE_CXX_COMPILER_LAUNCHER AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
if(RIDGELINE_TORCH)
  set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)  # LibTorch's: a process holds one.
endif()
enable_language(CUDA)
set(CMAKE_CUDA_STANDARD 17)  # The latest that CMake 3.25 knows of nvcc.
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
find_package(CUDAToolkit REQUIRED)
