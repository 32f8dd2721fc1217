"""The environment variables of a pipeline's tasks, like those of a Vertex AI worker."""

import json
from collections.abc import Mapping
from pathlib import Path

from localcloud.core.cache import CACHE_VARIABLE, cache_directory
from localcloud.services.pipelines.job import Job
from localcloud.services.pipelines.run_directory import RunDirectory

# The only variables that tasks get from the shell of the local cloud: no token, key or home directory.
_PASSED_ON = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH")
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


def worker_environment(
    job: Job, *, cloud: Mapping[str, str], daemon: Mapping[str, str], labels: Mapping[str, str], interpreter: str
) -> dict[str, str]:
    """Variables of a job's tasks. `cloud`: those that lead clients to the local cloud; `daemon`: the daemon's own."""
    directory = RunDirectory(Path(job.run_directory))
    search_path = [str(directory.programs), str(Path(interpreter).parent), daemon.get("PATH", _DEFAULT_PATH)]
    return {
        **common_environment(cloud, daemon),
        # Pods of Kubeflow have no variable with the project.
        **({} if job.kfp_run_name else _project(job)),
        "PATH": ":".join(search_path),
        "HOME": str(directory.home),
        "TMPDIR": str(directory.temporary),
        # The cache keeps environments for packages of steps: the default, below HOME, would belong to this run only.
        CACHE_VARIABLE: str(cache_directory()),
        # google-cloud-pipeline-components labels what it creates with these.
        "VERTEX_AI_PIPELINES_RUN_LABELS": json.dumps(dict(labels)),
    }


def common_environment(cloud: Mapping[str, str], daemon: Mapping[str, str]) -> dict[str, str]:
    """Environment variables of all tasks of all jobs."""
    return {**{name: daemon[name] for name in _PASSED_ON if name in daemon}, **cloud, "PYTHONUNBUFFERED": "1"}


def _project(job: Job) -> dict[str, str]:
    return {
        "GOOGLE_CLOUD_PROJECT": job.project,
        "GCLOUD_PROJECT": job.project,
        "CLOUDSDK_CORE_PROJECT": job.project,
        "GOOGLE_CLOUD_REGION": job.location,
        "GOOGLE_CLOUD_LOCATION": job.location,
        "CLOUD_ML_PROJECT_ID": job.project_number,
        "CLOUD_ML_REGION": job.location,
        "CLOUD_ML_JOB_ID": job.uid,
    }
