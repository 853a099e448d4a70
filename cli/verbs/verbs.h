// SPDX-License-Identifier: Apache-2.0
// The verbs of `ridgeline`, a file each: a new one is declared here and added in verbs.cc.
#pragma once

#include "cli/shared/verb.h"

namespace ridgeline {

// All of them, in the order in which --help lists them.
void AddVerbs(CLI::App* app, Session* session);

void AddUpVerb(CLI::App* app, Session* session);
void AddDownVerb(CLI::App* app, Session* session);
void AddStatusVerb(CLI::App* app, Session* session);
void AddSubmitVerb(CLI::App* app, Session* session);
void AddValidateVerb(CLI::App* app, Session* session);
void AddExplainVerb(CLI::App* app, Session* session);
void AddPlanVerb(CLI::App* app, Session* session);
void AddListVerb(CLI::App* app, Session* session);
void AddGetVerb(CLI::App* app, Session* session);
void AddWhyVerb(CLI::App* app, Session* session);
void AddWatchVerb(CLI::App* app, Session* session);
void AddLogsVerb(CLI::App* app, Session* session);
void AddWaitVerb(CLI::App* app, Session* session);
void AddCompareVerb(CLI::App* app, Session* session);
void AddCancelVerb(CLI::App* app, Session* session);
void AddRetryVerb(CLI::App* app, Session* session);
void AddPauseVerb(CLI::App* app, Session* session);
void AddResumeVerb(CLI::App* app, Session* session);
void AddPriorityVerb(CLI::App* app, Session* session);
void AddLabelVerb(CLI::App* app, Session* session);
void AddDataVerb(CLI::App* app, Session* session);
void AddModelVerb(CLI::App* app, Session* session);
void AddGenerateVerb(CLI::App* app, Session* session);
void AddEvalVerb(CLI::App* app, Session* session);
void AddExportVerb(CLI::App* app, Session* session);
void AddFrontierVerb(CLI::App* app, Session* session);
void AddArtifactVerb(CLI::App* app, Session* session);
void AddCheckpointVerb(CLI::App* app, Session* session);
void AddQueueVerb(CLI::App* app, Session* session);
void AddWorkerVerb(CLI::App* app, Session* session);
void AddAdminVerb(CLI::App* app, Session* session);
void AddDoctorVerb(CLI::App* app, Session* session);
void AddCompletionVerb(CLI::App* app, Session* session);
void AddVersionVerb(CLI::App* app, Session* session);
void AddSuperviseVerb(CLI::App* app, Session* session);

}  // namespace ridgeline
