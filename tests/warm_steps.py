"""What the steps of tests' pipelines are forked with: all that they import, and what each would read and work out anew.

A fork server imports it (`localcloud.daemon.up(…, warm_modules=["tests.warm_steps"])`). It opens no connection.
"""

import importlib
import pkgutil

import vertex_vllm
from tests.vertex_vllm.planning.planned import OTHER, plan
from vertex_vllm.evaluation.asking import Reply
from vertex_vllm.evaluation.evaluate import Evaluation, Thresholds, judge
from vertex_vllm.evaluation.load import Load
from vertex_vllm.evaluation.quality import load_questions
from vertex_vllm.evaluation.report import render
from vertex_vllm.planning.page import plan_page

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
_NOT_OF_STEPS = ("vertex_vllm.cli", "vertex_vllm.bootstrap", "vertex_vllm.publishing", "vertex_vllm.__main__")

for _name in _PACKAGES:
    importlib.import_module(_name)
for _module in pkgutil.walk_packages(vertex_vllm.__path__, "vertex_vllm."):
    if not _module.name.startswith(_NOT_OF_STEPS):
        importlib.import_module(_module.name)


def _plan() -> None:
    """A page of a plan: all tables of the planner are read for it, and its template is compiled."""
    plan_page(plan(OTHER))


def _report() -> None:
    """A report: matplotlib looks for its fonts, and reads them, with the first figure."""
    names = [question.id for question in load_questions()]
    answers = tuple(judge(question, Reply("no", 0.4, 0.2, 0.4, 3), chat=True) for question in load_questions())
    load = Load(4, tuple(Reply(name, 0.3 + number / 70, 0.1, 0.3, 9) for number, name in enumerate(names)), 1.0)
    render(Evaluation("endpoint", "chaos", True, "", Thresholds(), answers, load))


_plan()
_report()
