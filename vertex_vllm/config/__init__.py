"""Deployments: what a file in `configs/` says, checked; and the pipeline parameters that follow from it."""

from vertex_vllm.config.catalogue_check import Fault, check_against_catalog
from vertex_vllm.config.config_file import load_deployment, located, parse_deployment
from vertex_vllm.config.deployment import Deployment
from vertex_vllm.config.evaluation_section import Thresholds

__all__ = [
    "Deployment",
    "Fault",
    "Thresholds",
    "check_against_catalog",
    "load_deployment",
    "located",
    "parse_deployment",
]
