# SPDX-License-Identifier: Apache-2.0
# ThreadSanitizer beside installed libraries that are not compiled for it: included where RIDGELINE_SANITIZE is thread.

# Headers of Protobuf and Abseil would lay out classes otherwise than the libraries do.
add_compile_options(-U__SANITIZE_THREAD__ -D_GLIBCXX_TSAN=1)

# Its locks are seen through common/tsan_mutex.cc.
find_path(ABSL_INCLUDE absl/base/options.h REQUIRED)
file(STRINGS "${ABSL_INCLUDE}/absl/base/options.h" namespace REGEX "define ABSL_OPTION_INLINE_NAMESPACE_NAME ")
string(REGEX REPLACE ".* ([a-z0-9_]+)$" "\\1" namespace "${namespace}")
string(LENGTH "${namespace}" length)
set(prefix "_ZN4absl${length}${namespace}")
add_library(ridgeline_tsan_mutex STATIC "${CMAKE_SOURCE_DIR}/common/tsan_mutex.cc")
target_compile_definitions(ridgeline_tsan_mutex PRIVATE RIDGELINE_ABSL="${prefix}")
find_package(absl REQUIRED)
target_link_libraries(ridgeline_tsan_mutex PUBLIC absl::synchronization)
target_link_libraries(ridgeline_options INTERFACE ridgeline_tsan_mutex)
foreach(name 5Mutex4LockEv 5Mutex6UnlockEv 5Mutex10ReaderLockEv 5Mutex12ReaderUnlockEv 7CondVar4WaitEPNS0_5MutexE
        7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE)
  # -u: also where none of our own code calls it.
  target_link_options(ridgeline_options INTERFACE "-Wl,--wrap=${prefix}${name}" "-Wl,-u,__wrap_${prefix}${name}")
endforeach()
