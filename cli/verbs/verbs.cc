// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/verbs.h"

namespace ridgeline {

void AddVerbs(CLI::App* app, Session* session) {
  AddUpVerb(app, session);
  AddDownVerb(app, session);
  AddStatusVerb(app, session);
  AddSubmitVerb(app, session);
  AddValidateVerb(app, session);
  AddExplainVerb(app, session);
  AddPlanVerb(app, session);
  AddListVerb(app, session);
  AddGetVerb(app, session);
  AddWhyVerb(app, session);
  AddWatchVerb(app, session);
  AddLogsVerb(app, session);
  AddWaitVerb(app, session);
  AddCompareVerb(app, session);
  AddCancelVerb(app, session);
  AddRetryVerb(app, session);
  AddPauseVerb(app, session);
  AddResumeVerb(app, session);
  AddPriorityVerb(app, session);
  AddLabelVerb(app, session);
  AddDataVerb(app, session);
  AddModelVerb(app, session);
  AddGenerateVerb(app, session);
  AddEvalVerb(app, session);
  AddExportVerb(app, session);
  AddFrontierVerb(app, session);
  AddArtifactVerb(app, session);
  AddCheckpointVerb(app, session);
  AddQueueVerb(app, session);
  AddWorkerVerb(app, session);
  AddAdminVerb(app, session);
  AddDoctorVerb(app, session);
  AddCompletionVerb(app, session);
  AddVersionVerb(app, session);
  AddSuperviseVerb(app, session);
}

}  // namespace ridgeline
