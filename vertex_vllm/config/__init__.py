"""Deployments: what a file in `configs/` says, checked; and the pipeline parameters that follow from it."""

from vertex_vllm.config.catalogue_check import Fault, check_against_catalog
from vertex_vllm.config.config_file import load_deployment, located, parse_deployment
from vertex_vllm.config.deployment import Deployment, Thresholds
from vertex_vllm.project_names import default_bucket, runs_bucket, secret_version_name

__all__ = [
    "Deployment",
    "Fault",
    "Thresholds",
    "check_against_catalog",
    "default_bucket",
    "load_deployment",
    "located",
    "parse_deployment",
    "runs_bucket",
    "secret_version_name",
]
