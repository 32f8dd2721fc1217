"""A smoke test and an evaluation that fail say why: in one line, in two artifacts, in `runs show` and in CI's table."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.cloud import storage

from localcloud.daemon import Connection
from tests.demo_project import REGION, ROOT, DemoProject, with_flags
from tests.vertex_vllm.cli.documented_commands import vertex_vllm
from vertex_vllm.cli.ci_deployment import failures
from vertex_vllm.project_names import runs_bucket
from vertex_vllm.runs.engine import Run, Step
from vertex_vllm.runs.vertex_engine import run_name

pytestmark = [pytest.mark.slow, pytest.mark.parity("local cloud only")]

SAMPLES = ROOT / "tests" / "vertex_vllm" / "diagnosis" / "samples"
NO_TEMPLATE = {
    # Answer of chat completions in vLLM 0.32.0, renderers/hf.py:797.
    "status": 400,
    "message": "As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat "
    "template if the tokenizer does not define one.",
    "chat": True,
}
ENGINE_KILLED = {
    # vLLM 0.32.0 on a CPU, whose engine was killed while it served.
    "status": 500,
    "message": "EngineCore encountered an issue. See stack trace (above) for the root cause.",
    "log": (SAMPLES / "run_engine_killed.log").read_text(),
    "unless": "What is a car?",  # the smoke test's question
}


def failed(run: Run) -> Step:
    return next(step for step in run.steps if step.state == "FAILED" and not step.name.endswith("-tests"))


def written(project: str, run: Run, step: str) -> dict[str, str]:
    """Texts of the files that a step of the run left in the bucket, by name."""
    blobs = storage.Client(project=project).list_blobs(runs_bucket(project, REGION))
    of_step = [blob for blob in blobs if f"/{run_name(run.name).id}/{step}_" in f"/{blob.name}"]
    return {blob.name.rpartition("/")[2]: blob.download_as_text() for blob in of_step}


@pytest.mark.parametrize(
    ("refusal", "step", "rule", "cause"),
    [
        (NO_TEMPLATE, "smoke-test-text", "chat_template_missing", "The model has no chat template"),
        (ENGINE_KILLED, "evaluate-endpoint", "host_out_of_memory", "A process was killed from outside"),
    ],
    ids=["smoke test", "evaluation"],
)
def test_a_step_that_asks_in_vain_ends_with_its_diagnosis(
    cloud: Connection,
    small_project: DemoProject,
    tmp_path: Path,
    refusal: dict[str, Any],
    step: str,
    rule: str,
    cause: str,
) -> None:
    file = tmp_path / "refusal.json"
    file.write_text(json.dumps(refusal))
    deployment = with_flags(cloud, small_project.own_deployment("diagnosed"), f"--refuse={file}")
    run = small_project.run("deploy", deployment)
    found = failed(run)
    assert (run.state, found.name) == ("FAILED", step)
    assert cause in found.error
    assert "\n" not in found.error
    assert any(cause in line for line in failures(run))
    shown = vertex_vllm("runs", "show", run.name)
    assert cause in shown.stdout
    files = written(small_project.id, run, step)
    assert [named["rule"] for named in json.loads(files["diagnosis"])["causes"]][:1] == [rule]
    assert cause in files["diagnosis_page"]
