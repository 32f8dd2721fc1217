"""The contexts of a pipeline job in its region's default metadata store, which its first job makes."""

from typing import Any

from localcloud.core.cloud import Cloud
from localcloud.services.ml_metadata.metadata_kinds import CONTEXT
from localcloud.services.ml_metadata.metadata_names import ensure_store
from localcloud.services.ml_metadata.metadata_nodes import put_node
from localcloud.services.pipelines.job import KFP_LOCATION


def record_contexts(cloud: Cloud, job: Any) -> None:
    """Writes the contexts of a new job. One that exists, as that of a pipeline that ran before, is only updated.

    A context of the same id and another schema, an experiment for example, stays as it is: a doubt, as no page says
    what Vertex AI does. Executions and artifacts of the tasks are not recorded.
    """
    location = str(job.name).rsplit("/", 2)[0]
    if location.endswith(f"/{KFP_LOCATION}"):
        return
    with cloud.store.transaction():
        ensure_store(cloud, f"{location}/metadataStores/default")
        for context in (job.job_detail.pipeline_context, job.job_detail.pipeline_run_context):
            earlier = cloud.store.get(CONTEXT.kind, context.name)
            if earlier is None:
                cloud.store.put(CONTEXT.kind, context.name, context)
            elif earlier.schema_title == context.schema_title:
                earlier.parent_contexts.extend(set(context.parent_contexts) - set(earlier.parent_contexts))
                put_node(cloud, CONTEXT, earlier)


def show_contexts(cloud: Cloud, job: Any) -> None:
    """Gives the details of a job its contexts as they are now: an experiment becomes a parent of the run's later."""
    for context in (job.job_detail.pipeline_context, job.job_detail.pipeline_run_context):
        now = cloud.store.get(CONTEXT.kind, context.name)
        if now is not None and now.schema_title == context.schema_title:
            context.CopyFrom(now)
