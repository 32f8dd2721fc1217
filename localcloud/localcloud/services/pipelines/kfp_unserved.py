"""Methods of the Kubeflow Pipelines API that the local one does not implement: the refusal names the method."""

import re

# https://www.kubeflow.org/docs/components/pipelines/reference/api/kubeflow-pipeline-api-spec/ (v2beta1, as in
# kfp-server-api 2.17.0, read in November 2026). A star matches one part of a path.
_METHODS = {
    "GET /auth": "AuthService.Authorize",
    "POST /experiments/*:archive": "ExperimentService.ArchiveExperiment",
    "POST /experiments/*:unarchive": "ExperimentService.UnarchiveExperiment",
    "DELETE /experiments/*": "ExperimentService.DeleteExperiment",
    "GET /pipelines": "PipelineService.ListPipelines",
    "POST /pipelines": "PipelineService.CreatePipeline",
    "POST /pipelines/create": "PipelineService.CreatePipelineAndVersion",
    "GET /pipelines/names/*": "PipelineService.GetPipelineByName",
    "POST /pipelines/upload": "PipelineUploadService.UploadPipeline",
    "POST /pipelines/upload_version": "PipelineUploadService.UploadPipelineVersion",
    "GET /pipelines/*": "PipelineService.GetPipeline",
    "PATCH /pipelines/*": "PipelineService.UpdatePipeline",
    "DELETE /pipelines/*": "PipelineService.DeletePipeline",
    "GET /pipelines/*/versions": "PipelineService.ListPipelineVersions",
    "POST /pipelines/*/versions": "PipelineService.CreatePipelineVersion",
    "GET /pipelines/*/versions/*": "PipelineService.GetPipelineVersion",
    "PATCH /pipelines/*/versions/*": "PipelineService.UpdatePipelineVersion",
    "DELETE /pipelines/*/versions/*": "PipelineService.DeletePipelineVersion",
    "GET /recurringruns": "RecurringRunService.ListRecurringRuns",
    "POST /recurringruns": "RecurringRunService.CreateRecurringRun",
    "POST /recurringruns/*:enable": "RecurringRunService.EnableRecurringRun",
    "POST /recurringruns/*:disable": "RecurringRunService.DisableRecurringRun",
    "GET /recurringruns/*": "RecurringRunService.GetRecurringRun",
    "DELETE /recurringruns/*": "RecurringRunService.DeleteRecurringRun",
    "POST /runs/*:archive": "RunService.ArchiveRun",
    "POST /runs/*:unarchive": "RunService.UnarchiveRun",
    "POST /runs/*:retry": "RunService.RetryRun",
    "GET /runs/*/nodes/*/artifacts/*:read": "RunService.ReadArtifact",
    "POST /scheduledworkflows": "ReportService.ReportScheduledWorkflow",
    "POST /workflows": "ReportService.ReportWorkflow",
    "POST /visualizations/*": "VisualizationService.CreateVisualizationV1",
}
_PATTERNS = [(re.compile(re.escape(request).replace(r"\*", "[^/:]+")), method) for request, method in _METHODS.items()]


def refusal(verb: str, path: str) -> str:
    """The message that refuses a request. `path` begins after `/apis/v2beta1`."""
    request = f"{verb} {path.rstrip('/')}"
    method = next((method for pattern, method in _PATTERNS if pattern.fullmatch(request)), request)
    return (
        f"The local Kubeflow Pipelines does not support {method}. It has experiments and runs: submit a spec as a run."
    )
