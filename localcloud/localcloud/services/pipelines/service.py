"""Registration of Vertex AI's pipeline jobs and schedules, served at Vertex AI's hosts."""

from localcloud.core.registration import Registration
from localcloud.services.pipelines import job_schedules, pipeline_jobs
from localcloud.services.pipelines.runs import PipelineRuns
from localcloud.services.pipelines.scheduler import Scheduler

SERVICE = Registration(
    api="vertex", handlers=(pipeline_jobs.service, job_schedules.service), parts=(PipelineRuns, Scheduler)
)
