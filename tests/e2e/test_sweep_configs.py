"""Variants of a config tried on the local cloud with the small model server, and runs compared."""

import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.demo_project import REGION, ROOT, DemoProject
from tests.vertex_vllm.served_models import TAGGED_IMAGE
from vertex_vllm.cli import vertex_vllm
from vertex_vllm.config import load_deployment
from vertex_vllm.vertex_ai.clients import endpoint_client, model_client

pytestmark = pytest.mark.parity("local cloud only")

CONFIG = """\
name: {name}
model: {{id: {model}}}
serving:
  machine_type: g2-standard-12
  image: {image}
  max_model_len: 1024  # as the demo's
evaluation:
  suite: text-small
  baseline: none
  concurrency: 2
  load:
    answer_tokens: fixed(3)
    requests: 6
    max_minutes: 1
"""
OVER = ("--over", "serving.max_num_seqs=4,8")


@pytest.fixture
def config(small_project: DemoProject, tmp_path: Path) -> Path:
    path = tmp_path / "tried.yaml"
    name = f"tried-{uuid.uuid4().hex[:6]}"
    path.write_text(CONFIG.format(name=name, model=small_project.small_model, image=TAGGED_IMAGE))
    return path


def command(project: DemoProject, config: Path, *arguments: str) -> list[str]:
    return ["sweep-configs", str(config), "--project", project.id, *OVER, *arguments]


def invoked(*arguments: str) -> Result:
    return CliRunner().invoke(vertex_vllm, list(arguments))


def left_of(project: DemoProject, config: Path) -> list[str]:
    """Endpoints and models of any variant that still exist."""
    prefix, parent = load_deployment(config).name, f"projects/{project.id}/locations/{REGION}"
    found = [*endpoint_client(REGION).list_endpoints(parent=parent), *model_client(REGION).list_models(parent=parent)]
    return [each.name for each in found if each.labels.get("vertex-vllm-deployment", "").startswith(prefix)]


def test_a_dry_run_shows_the_price_of_each_variant_and_which_do_not_fit(
    small_project: DemoProject, config: Path
) -> None:
    told = invoked(*command(small_project, config, "--budget-usd", "0.6", "--hours", "9", "--dry-run"))
    assert told.exit_code == 0, told.output
    header, first, second = told.stdout.splitlines()
    assert header.split() == ["variant", "machine", "USD/h", "hours", "USD", "at", "most"]
    assert first.split()[:3] == ["1", "max_num_seqs=4", "g2-standard-12"]
    assert first.endswith("fits")
    assert "needs up to" in second
    assert left_of(small_project, config) == []


def test_nothing_is_tried_where_no_variant_fits(small_project: DemoProject, config: Path) -> None:
    told = invoked(*command(small_project, config, "--budget-usd", "0.01", "--hours", "9"))
    assert (told.exit_code, "no variant can be tried" in told.output) == (1, True)
    assert left_of(small_project, config) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--budget-usd", "nan", "--hours", "9"), "--budget-usd: not a number"),
        (("--budget-usd", "9", "--hours", "nan"), "--hours: not a number"),
        (("--budget-usd", "9", "--hours", "9", "--output", "missing/best.yaml"), "not a file in an existing folder"),
    ],
)
def test_options_are_refused_before_anything_is_rented(config: Path, options: tuple[str, ...], told: str) -> None:
    swept = invoked("sweep-configs", str(config), *OVER, *options)
    assert (swept.exit_code, told in str(swept.exception)) == (1, True)


@pytest.mark.slow
def test_variants_are_deployed_ranked_and_torn_down(small_project: DemoProject, config: Path) -> None:
    swept = invoked(*command(small_project, config, "--budget-usd", "10", "--hours", "9"))
    assert swept.exit_code == 0, swept.output
    table = [line.split() for line in swept.stdout.splitlines() if line.split()[0] in ("rank", "1", "2")][-3:]
    assert table[0][:2] == ["rank", "variant"]
    assert {row[0] for row in table[1:]} == {"1", "2"}
    best = load_deployment(config.with_suffix(".best.yaml"))
    assert f"max_num_seqs={best.serving.max_num_seqs}" == table[1][1]
    assert "# as the demo's" in config.with_suffix(".best.yaml").read_text()
    assert left_of(small_project, config) == []
    runs = [row[-1] for row in table[1:]]
    compared = invoked("compare", *runs, "--project", small_project.id)
    assert compared.exit_code == 0, compared.output
    rows = {line.split("   ")[0]: line.split()[-2:] for line in compared.stdout.splitlines()}
    assert sorted(rows["max_num_seqs"]) == ["4", "8"]
    assert all(float(value) > 0 for value in rows["output tokens/s"])
    document = json.loads(invoked("compare", *runs, "--project", small_project.id, "--json").stdout)
    assert [run["state"] for run in document["runs"]] == ["SUCCEEDED", "SUCCEEDED"]


@pytest.mark.slow
def test_an_interrupted_sweep_tears_its_run_down(small_project: DemoProject, config: Path) -> None:
    program = [
        sys.executable,
        "-m",
        "vertex_vllm",
        *command(small_project, config, "--budget-usd", "9", "--hours", "9"),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as sweep:
        assert sweep.stderr is not None
        said = []
        for line in sweep.stderr:
            said.append(line)
            if line.split()[:2] == ["upload-model", "SUCCEEDED"]:
                sweep.send_signal(signal.SIGTERM)
        code = sweep.wait()
    assert code == 130, "".join(said)
    assert any("the sweep was interrupted" in line for line in said)
    assert left_of(small_project, config) == []


def test_one_run_cannot_be_compared_and_an_unknown_one_is_named(small_project: DemoProject) -> None:
    alone = invoked("compare", "run-1", "--project", small_project.id)
    assert "Name two or more" in str(alone.exception)
    unknown = invoked("compare", "run-1", "run-2", "--project", small_project.id)
    assert "there is no such run" in str(unknown.exception)
