"""Checks of `make test-cloud` for selection and budget; the local cloud is in the place of the real project."""

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from localcloud.daemon import Connection
from tests.prepared import prepared
from tests.real_cloud import RealProject, RefusedError, ceiling_usd, check_budget, chosen
from tests.vertex_vllm.cli.documented_commands import commands_in, vertex_vllm
from vertex_vllm.catalog import load_catalog

ROOT = Path(__file__).resolve().parent.parent


def run_pytest(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
        cwd=ROOT,
    )


def test_the_local_cloud_is_what_tests_run_on_unless_a_project_is_named() -> None:
    assert chosen({}) is None
    named = {"VERTEX_VLLM_TEST_PROJECT": "team", "VERTEX_VLLM_TEST_REGION": "", "VERTEX_VLLM_TEST_BUDGET_USD": "5"}
    assert chosen(named) == RealProject("team", "us-central1", 5.0)
    assert chosen({**named, "VERTEX_VLLM_TEST_BUDGET_USD": "much"}) == RealProject("team", "us-central1", None)


def test_the_ceiling_is_the_catalogue_s_price_for_the_hours() -> None:
    price = load_catalog().machines["g2-standard-8"].price(False)
    assert price is not None
    assert ceiling_usd(2.5, "us-central1") == pytest.approx(2.5 * price)
    with pytest.raises(RefusedError, match="No price of g2-standard-8 in europe-west4"):
        ceiling_usd(1, "europe-west4")


@pytest.mark.parametrize("budget", [None, 0.5, -1.0, float("nan")])
def test_without_a_budget_that_is_enough_nothing_starts(budget: float | None) -> None:
    with pytest.raises(RefusedError, match=r"may cost|budget is"):
        check_budget(RealProject("team", "us-central1", budget), 1.0)


@pytest.mark.slow
def test_the_tests_are_refused_before_one_of_them_starts() -> None:
    answer = run_pytest(
        "tests/e2e/test_deploy_pipeline.py", VERTEX_VLLM_TEST_PROJECT="team", VERTEX_VLLM_TEST_BUDGET_USD="0.01"
    )
    assert answer.returncode == pytest.ExitCode.USAGE_ERROR
    assert "the budget is 0.01 USD" in answer.stderr + answer.stdout


@pytest.mark.slow
def test_a_body_runs_on_a_project_that_is_named(cloud: Connection) -> None:
    named = {"VERTEX_VLLM_TEST_PROJECT": f"real-{uuid.uuid4().hex[:8]}", "VERTEX_VLLM_TEST_BUDGET_USD": "20"}
    prepared(named["VERTEX_VLLM_TEST_PROJECT"])
    answer = run_pytest("tests/e2e/test_failures.py", "-k", "before_anything_is_made and secret", "-s", **named)
    assert answer.returncode == 0, answer.stdout
    assert "1 passed" in answer.stdout
    assert f"On {named['VERTEX_VLLM_TEST_PROJECT']} in us-central1, at most 0.00 USD" in answer.stdout


PAGE = (ROOT / "docs" / "test-cloud.md").read_text()


@pytest.mark.slow
def test_the_page_s_budget_is_enough_and_its_figures_are_those_of_the_tests() -> None:
    """The budget of the page's own command, with nothing started: pytest refuses a lower one at once."""
    (told,) = re.findall(r"make test-cloud PROJECT=PROJECT BUDGET_USD=(\d+)", PAGE)
    named = {"VERTEX_VLLM_TEST_PROJECT": "team", "VERTEX_VLLM_TEST_BUDGET_USD": told}
    answer = run_pytest("tests/e2e", "--collect-only", "-s", **named)
    assert answer.returncode == 0, answer.stdout
    (ceiling, hours) = re.findall(r"at most ([\d.]+) USD: ([\d.]+) h of g2-standard-8", answer.stdout)[0]
    assert f"at most {ceiling} USD for machines ({float(hours):g} hours of one `g2-standard-8`" in PAGE
    assert "14/" in answer.stdout, "the page says that fourteen tests run"


@pytest.mark.slow
def test_the_page_s_commands_work_in_their_order(cloud: Connection, project: str) -> None:
    commands = commands_in("test-cloud.md", PROJECT=project)
    assert [words[1] for words in commands] == ["plan", "bootstrap", "bootstrap", "inventory", "sweep", "bootstrap"]
    for words in commands:
        answer = vertex_vllm(*words[1:])
        assert answer.returncode == 0, (words, answer.stderr)
