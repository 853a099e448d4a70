// SPDX-License-Identifier: Apache-2.0
// How the sanitizers behave in every program that is built with them (cmake/Sanitize.cmake): a report ends the program
// with a failure. ASAN_OPTIONS and its kin in the environment come on top.

// The sanitizers' libraries look these names up.
extern "C" {
const char* __asan_default_options();
const char* __lsan_default_options();
const char* __tsan_default_options();
const char* __ubsan_default_options();
const char* __lsan_default_suppressions();
const char* __tsan_default_suppressions();
}

const char* __asan_default_options() { return "halt_on_error=1:detect_leaks=1:detect_stack_use_after_return=1"; }
const char* __lsan_default_options() { return "exitcode=23:print_suppressions=0"; }
const char* __tsan_default_options() { return "halt_on_error=1:exitcode=66:second_deadlock_stack=1"; }
const char* __ubsan_default_options() { return "halt_on_error=1:print_stacktrace=1"; }

// c-ares, by which gRPC looks up names, keeps ten bytes of each address for good.
const char* __lsan_default_suppressions() { return "leak:libcares.so\n"; }

// Debian's gRPC, Abseil and spdlog are not instrumented: how they order their own accesses is not seen, and whatever
// they do to memory would be a race with itself. What is left out is what they do, not what is done in functions that
// they call: handlers have libgrpc++ below them, and are looked at.
const char* __tsan_default_suppressions() {
  return "called_from_lib:libgrpc.so\n"
         "called_from_lib:libgrpc++.so\n"
         "called_from_lib:libgpr.so\n"
         "race:libgrpc.so\n"
         "race_top:libgrpc++\n"
         "race_top:libgpr\n"
         "race_top:grpc::internal::\n"
         "race:grpc::internal::CallOp\n"
         "race:grpc::Server::CallbackRequest\n"
         "race_top:spdlog::\n"
         "race:libabsl_\n";
}
