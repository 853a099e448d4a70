# SPDX-License-Identifier: Apache-2.0
# Every third-party library, found once. Debian 12 packages, and LibTorch from the PyPI wheel (tools/deps.sh).
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(yaml-cpp CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(LibArchive REQUIRED)
find_package(SQLite3 REQUIRED)

if(RIDGELINE_TORCH)
  find_package(MPI REQUIRED COMPONENTS C)
  if(NOT EXISTS "${RIDGELINE_LIBTORCH}/lib/libtorch_cpu.so")
    message(FATAL_ERROR "LibTorch is not at ${RIDGELINE_LIBTORCH}: run tools/deps.sh, or configure with "
      "-DRIDGELINE_TORCH=OFF")
  endif()
  # TorchConfig.cmake insists on CUDA, so the target is declared here. RPATH points at the wheel's own
  # libgomp, so that a process holds one OpenMP runtime. at::parallel_for is a template of LibTorch's headers that uses
  # one thread, and says nothing, in files that are not compiled for OpenMP.
  add_library(ridgeline_torch INTERFACE)
  target_include_directories(ridgeline_torch SYSTEM INTERFACE
    "${RIDGELINE_LIBTORCH}/include" "${RIDGELINE_LIBTORCH}/include/torch/csrc/api/include")
  target_compile_options(ridgeline_torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
  target_link_libraries(ridgeline_torch INTERFACE
    "${RIDGELINE_LIBTORCH}/lib/libtorch_cpu.so" "${RIDGELINE_LIBTORCH}/lib/libc10.so"
    "${RIDGELINE_LIBTORCH}/lib/libgomp.so.1"
    "-Wl,-rpath,${RIDGELINE_LIBTORCH}/lib" "-Wl,-rpath-link,${RIDGELINE_LIBTORCH}/lib" "-Wl,--allow-shlib-undefined")
  if(RIDGELINE_CUDA)
    # LibTorch's kernels register themselves: nothing refers to them. Compile options stay as they are without CUDA, so
    # that most objects are those of the other build (ridgeline_cuda_sources has the rest).
    foreach(library torch_cuda c10_cuda)
      if(NOT EXISTS "${RIDGELINE_LIBTORCH}/lib/lib${library}.so")
        message(FATAL_ERROR "LibTorch's lib${library}.so is not at ${RIDGELINE_LIBTORCH}: run tools/deps.sh --cuda")
      endif()
      list(APPEND torch_cuda "${RIDGELINE_LIBTORCH}/lib/lib${library}.so")
    endforeach()
    list(JOIN torch_cuda "," torch_cuda)
    # RPATH and not RUNPATH: what libtorch_cuda.so needs of CUDA is looked for there, too.
    target_link_libraries(ridgeline_torch INTERFACE "-Wl,--push-state,--no-as-needed,${torch_cuda},--pop-state"
      "${CUDA_cudart_LIBRARY}" "-Wl,--disable-new-dtags" "-Wl,-rpath,${CUDAToolkit_LIBRARY_DIR}")
  endif()
endif()
