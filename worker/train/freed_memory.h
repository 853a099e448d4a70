// SPDX-License-Identifier: Apache-2.0
// What a process frees, and whether the system gets it back. A training step asks for the same tensors as the last one:
// pages that went back in between have to be mapped and cleared again, which takes a tenth of a step of gpt-11m.
#pragma once

namespace ridgeline {

// From now on what is freed stays with the process, but for allocations of 32 MiB and more, which come from the system
// and go back to it. Call first in main. Does nothing where the C library is not glibc.
void KeepFreedMemory();

// Gives back what is free now, for a process that will be idle.
void ReturnFreedMemory();

}  // namespace ridgeline
