# SPDX-License-Identifier: Apache-2.0
# Sanitizers, where RIDGELINE_SANITIZE names some. Every report ends the program with a failure: undefined behaviour
# would be printed and passed over otherwise.
list(JOIN RIDGELINE_SANITIZE "," sanitizers)
add_compile_options(-fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1 -O1)
add_link_options(-fsanitize=${sanitizers})

# Their run-time options are part of each program, also of those that tests start.
add_library(ridgeline_sanitizer_options STATIC "${CMAKE_SOURCE_DIR}/common/sanitizer_options.cc")
target_link_libraries(ridgeline_options INTERFACE ridgeline_sanitizer_options)
foreach(sanitizer asan lsan tsan ubsan)
  # -u: nothing in a program calls these functions, only the sanitizers' libraries do.
  target_link_options(ridgeline_options INTERFACE "-Wl,-u,__${sanitizer}_default_options")
endforeach()

if(RIDGELINE_SANITIZE STREQUAL "thread")
  include(Tsan)
endif()

# A fault of each kind, which has to fail: called from CMakeLists.txt once tests are enabled.
function(ridgeline_planted_faults)
  add_executable(planted_fault "${CMAKE_SOURCE_DIR}/common/planted_fault.cc")
  target_link_libraries(planted_fault PRIVATE ridgeline_options Threads::Threads)
  set(faults overflow cast beyond leak)
  if(RIDGELINE_SANITIZE STREQUAL "thread")
    set(faults race)
  endif()
  add_test(NAME sanitizer.WithoutAFaultTheProgramSucceeds COMMAND planted_fault)
  set_tests_properties(sanitizer.WithoutAFaultTheProgramSucceeds PROPERTIES LABELS unit)
  foreach(fault IN LISTS faults)
    add_test(NAME sanitizer.APlantedFaultFails/${fault} COMMAND planted_fault ${fault})
    set_tests_properties(sanitizer.APlantedFaultFails/${fault} PROPERTIES LABELS unit WILL_FAIL ON)
  endforeach()
endfunction()
