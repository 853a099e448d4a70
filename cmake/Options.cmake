# SPDX-License-Identifier: Apache-2.0
# Warnings and sanitizers for our own code, and the two functions by which rooms declare themselves.
add_library(ridgeline_options INTERFACE)
target_compile_options(ridgeline_options INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-Wall;-Wextra;-Wno-unused-parameter;
  -Wno-missing-field-initializers;$<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>>)
target_include_directories(ridgeline_options INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_definitions(ridgeline_options INTERFACE RIDGELINE_VERSION="${PROJECT_VERSION}")
if(RIDGELINE_SANITIZE)
  include(Sanitize)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  # What ABSL_GUARDED_BY and its kin say; GCC does not check it.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wthread-safety>)
endif()

# ridgeline_library(NAME SOURCES a.cc b.cc DEPS other ...)
function(ridgeline_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ridgeline_options ${ARG_DEPS})
endfunction()

# ridgeline_test(NAME LABEL unit SOURCES x_test.cc DEPS room [TIMEOUT seconds])
# One GoogleTest binary; each of its tests becomes a ctest test with the label.
function(ridgeline_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT RIDGELINE_TESTS)
    return()
  endif()
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)  # What is still running then hangs, also on a machine with much else to do.
  endif()
  if(RIDGELINE_SANITIZE)  # Several times slower.
    math(EXPR ARG_TIMEOUT "3 * ${ARG_TIMEOUT}")
  endif()
  add_executable(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  target_link_libraries(${name} PRIVATE ridgeline_options ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  # Parameters have names of their own; gtest would print their bytes, addresses included.
  gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 NO_PRETTY_VALUES
    PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT "OMP_WAIT_POLICY=passive")
endfunction()

# ridgeline_cuda_sources(a.cc ...): these files of the calling room see CUDA's headers, and RIDGELINE_WITH_CUDA as 1, in
# a build for GPUs (RIDGELINE_CUDA with LibTorch). Files apart, and no target's options: all others compile to the same
# objects in both builds. So unity builds leave them out in both, and libraries of kernels are linked as
# $<LINK_ONLY:ridgeline_quant_cuda>.
function(ridgeline_cuda_sources)
  set_property(SOURCE ${ARGN} PROPERTY SKIP_UNITY_BUILD_INCLUSION ON)
  if(RIDGELINE_CUDA AND RIDGELINE_TORCH)
    set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_DEFINITIONS RIDGELINE_WITH_CUDA=1)
    foreach(folder IN LISTS CUDAToolkit_INCLUDE_DIRS)
      set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS -isystem "${folder}")
    endforeach()
  endif()
endfunction()

# ridgeline_fuzz(NAME SOURCE x_fuzz.cc CORPUS folder DEPS room): the target's corpus is replayed by the unit test
# NAME_test in every build; with RIDGELINE_FUZZ (clang) NAME is a libFuzzer program, built by the target `fuzz`, and a
# line of fuzz.txt in the build folder, from which tools/fuzz.sh runs it.
function(ridgeline_fuzz name)
  cmake_parse_arguments(ARG "" "SOURCE;CORPUS" "DEPS" ${ARGN})
  ridgeline_test(${name}_test SOURCES "${CMAKE_SOURCE_DIR}/common/fuzz_replay_test.cc" ${ARG_SOURCE}
    DEPS ridgeline_common ${ARG_DEPS})
  if(TARGET ${name}_test)
    target_compile_definitions(${name}_test PRIVATE RIDGELINE_CORPUS="${CMAKE_CURRENT_SOURCE_DIR}/${ARG_CORPUS}")
  endif()
  if(RIDGELINE_FUZZ)
    add_executable(${name} ${ARG_SOURCE})
    target_link_libraries(${name} PRIVATE ${ARG_DEPS} -fsanitize=fuzzer)
    foreach(room ridgeline_common ${ARG_DEPS})  # What the fuzzer follows.
      target_compile_options(${room} PRIVATE -fsanitize=fuzzer-no-link)
    endforeach()
    if(NOT TARGET fuzz)
      add_custom_target(fuzz)
    endif()
    add_dependencies(fuzz ${name})
    set_property(GLOBAL APPEND PROPERTY ridgeline_fuzz_targets "${name} ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_CORPUS}")
  endif()
endfunction()
