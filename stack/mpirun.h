// SPDX-License-Identifier: Apache-2.0
// How ranks are started on this machine and on no other, whatever environment we run in: that of a batch job, of a rank
// of another mpirun, or of a machine whose name is as long as names can be.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "stack/process.h"

namespace ridgeline {

// mpirun on PATH, in its real folder: started as /bin/mpirun, where /bin is a link, it takes the root folder for the
// place that it was installed in and ends. Empty if there is none.
std::string FindMpirun();

// Starts `program` (a path and its arguments) as `ranks` ranks, with OpenMP threads that share the cores. Variables by
// which batch systems and other launchers speak to mpirun are left out; MCA parameters that a person has set stay.
// REQUIRES: FindMpirun() is not empty.
SpawnSpec MpirunSpec(int ranks, const std::vector<std::string>& program);

// Whether MpirunSpec hides this variable of ours from mpirun.
bool IsOfAnotherLauncher(const std::string& variable);

// Starts two ranks of `program` for real. FAILED_PRECONDITION with what mpirun said and what to do, if they do not end
// well within `limit_ms`.
absl::Status TryMpirun(const std::vector<std::string>& program, int64_t limit_ms);

}  // namespace ridgeline
