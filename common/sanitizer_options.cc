// SPDX-License-Identifier: Apache-2.0
// How the sanitizers behave in every program that is built with them (cmake/Sanitize.cmake): a report ends the program
// with a failure. ASAN_OPTIONS and its kin in the environment come on top.

// The sanitizers' libraries look these names up.
extern "C" {
const char* __asan_default_options();
const char* __lsan_default_options();
const char* __tsan_default_options();
const char* __ubsan_default_options();
}

const char* __asan_default_options() { return "halt_on_error=1:detect_leaks=1:detect_stack_use_after_return=1"; }
const char* __lsan_default_options() { return "exitcode=23:print_suppressions=0"; }
const char* __tsan_default_options() { return "halt_on_error=1:exitcode=66:second_deadlock_stack=1"; }
const char* __ubsan_default_options() { return "halt_on_error=1:print_stacktrace=1"; }
