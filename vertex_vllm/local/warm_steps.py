"""Modules and data that every pipeline step needs, loaded once: a local cloud forks its steps from a process with them.

A fork server imports this module (`Additions.warm_modules`). It opens no connection.
"""

import importlib
import pkgutil

import vertex_vllm
from vertex_vllm.catalog import load_catalog
from vertex_vllm.config.pipeline_parameters import deployment_from_parameters
from vertex_vllm.evaluation.asking import Reply
from vertex_vllm.evaluation.evaluate import Asking, Evaluation, Subject, Thresholds
from vertex_vllm.evaluation.evaluation_report import render
from vertex_vllm.evaluation.load import load_of
from vertex_vllm.evaluation.questioning import judge
from vertex_vllm.evaluation.suites.shipped_suites import shipped_suite
from vertex_vllm.load.samples import Sample
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.plan_page import plan_page
from vertex_vllm.planning.planner import plan_serving

_MODEL = "meta-llama/Llama-3.1-8B"  # any model of the catalogue
_PACKAGES = (
    "google.auth.compute_engine",
    "google.auth.transport.grpc",
    "google.auth.transport.requests",
    "google.cloud.aiplatform_v1",
    "google.cloud.aiplatform_v1beta1",
    "google.cloud.cloudquotas_v1",
    "google.cloud.secretmanager",
    "google.cloud.storage",
    "google.oauth2.credentials",
    "google.oauth2.reauth",
    "google_cloud_pipeline_components.types.artifact_types",
    "google_crc32c",
    "grpc._interceptor",
    "httpx2",
    "huggingface_hub.hf_api",
    "jinja2",
)
_NOT_OF_STEPS = tuple(f"vertex_vllm.{name}" for name in ("__main__", "bootstrap", "cli", "local", "publishing"))


def _load_modules() -> None:
    for name in _PACKAGES:
        importlib.import_module(name)
    for module in pkgutil.walk_packages(vertex_vllm.__path__, "vertex_vllm."):
        if not module.name.startswith(_NOT_OF_STEPS):
            importlib.import_module(module.name)


def _render_plan() -> None:
    """Renders a plan: reads every table of the planner, and compiles the page's template."""
    catalog = load_catalog()
    facts = catalog.facts(_MODEL)
    assert isinstance(facts, ModelFacts)
    plan_page(plan_serving(facts, deployment_from_parameters(deployment="warm", model_id=_MODEL), catalog))


def _render_report() -> None:
    """Renders a report: matplotlib searches and reads its fonts with the first figure."""
    suite = shipped_suite("text-small")
    answers = tuple(judge(item, Reply("no", 0.4, 0.2, 0.4, 3), chat=True) for item in suite.items)
    load = load_of([Sample(number, 0.0, 0.0, 0.1, 0.3, 0.3 + number / 70, 9, 32) for number in range(12)])
    render(Evaluation(Subject("endpoint", True), "", Thresholds(), Asking(suite), answers, load))


_load_modules()
_render_plan()
_render_report()
