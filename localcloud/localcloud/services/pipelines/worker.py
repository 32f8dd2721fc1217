"""The environment of a pipeline's tasks: that of a Vertex AI worker, as far as a process can have it."""

import json
from collections.abc import Mapping
from pathlib import Path

from localcloud.core.cache import CACHE_VARIABLE, cache_directory
from localcloud.services.pipelines.job import Job
from localcloud.services.pipelines.run_directory import RunDirectory

# All that tasks get from the shell that started the local cloud. No token, key or home directory is among it.
_PASSED_ON = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH")
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


def worker_environment(
    job: Job, *, cloud: Mapping[str, str], daemon: Mapping[str, str], labels: Mapping[str, str], interpreter: str
) -> dict[str, str]:
    """`cloud`: what brings clients to the local cloud; `daemon`: the daemon's own environment."""
    directory = RunDirectory(Path(job.run_directory))
    search_path = [str(directory.programs), str(Path(interpreter).parent), daemon.get("PATH", _DEFAULT_PATH)]
    return {
        **common_environment(cloud, daemon),
        # A pod of Kubeflow's has no such variable.
        **({} if job.kfp_run_name else _project(job)),
        "PATH": ":".join(search_path),
        "HOME": str(directory.home),
        "TMPDIR": str(directory.temporary),
        # Environments for the packages of steps are kept there; by HOME it would be this run's own.
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
