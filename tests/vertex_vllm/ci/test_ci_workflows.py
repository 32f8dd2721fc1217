"""The files that GitHub and Cloud Build read: pinned, with few permissions, and calling what docs/ci.md documents."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from vertex_vllm.cli.ci_command import PIPELINES, ci

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
# PyYAML reads the key `on` as true.
DEPLOYMENTS: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "deployments.yaml").read_text())
BUILD: dict[str, Any] = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())
CONCERNED = ["configs/**", "compiled/**", "vertex_vllm/**", "components/**"]


def steps(workflow: dict[Any, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def scripts() -> Iterator[str]:
    yield from (step["run"] for step in steps(DEPLOYMENTS) if "run" in step)
    yield from (step["script"] for step in BUILD["steps"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_commit(path: Path) -> None:
    used = [step["uses"] for step in steps(yaml.safe_load(path.read_text())) if "uses" in step]
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action)] == []


def test_no_job_may_do_more_than_it_needs() -> None:
    assert DEPLOYMENTS["permissions"] == {}
    assert {name: job["permissions"] for name, job in DEPLOYMENTS["jobs"].items()} == {
        "plan": {"contents": "read"},
        "comment": {"pull-requests": "write"},
        "changed": {"contents": "read"},
        "apply": {"contents": "read", "id-token": "write"},
    }
    text = (ROOT / ".github" / "workflows" / "deployments.yaml").read_text()
    assert "secrets." not in text
    assert "credentials_json" not in text
    assert text.count("persist-credentials: false") == text.count("actions/checkout@")


def test_the_job_that_may_write_runs_nothing_of_the_pull_request() -> None:
    comment = DEPLOYMENTS["jobs"]["comment"]
    assert comment["needs"] == "plan"
    assert [step for step in comment["steps"] if "uses" in step or set(step) != {"env", "run"}] == []
    assert DEPLOYMENTS["jobs"]["plan"]["outputs"] == {"plan": "${{ steps.plan.outputs.plan }}"}
    others = [job for name, job in DEPLOYMENTS["jobs"].items() if name != "comment"]
    assert not [step for job in others for step in job["steps"] if "GH_TOKEN" in step.get("env", {})]


@pytest.mark.parametrize("text", ["# Plan\n\n`$(id)` $HOME 'x' \\n\nplan<<EOF\nEOF", "é" * 40000])
def test_the_plan_comes_to_the_comment_as_it_is(tmp_path: Path, text: str) -> None:
    """Runs the scripts of the two jobs, with a `gh` that records its input."""
    (tmp_path / "comment.md").write_text(text)
    (tmp_path / "gh").write_text("#!/bin/sh\ncat > body\n")
    (tmp_path / "gh").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    (written,) = (step["run"] for step in DEPLOYMENTS["jobs"]["plan"]["steps"] if step.get("id") == "plan")
    output = tmp_path / "output"
    run = {"check": True, "cwd": tmp_path}
    subprocess.run(["bash", "-e", "-c", written], env={"PATH": path, "GITHUB_OUTPUT": str(output)}, **run)
    head, *lines, delimiter = output.read_text().splitlines()
    assert head == f"plan<<{delimiter}"
    (said,) = (step["run"] for step in DEPLOYMENTS["jobs"]["comment"]["steps"])
    given = {"PLAN": "\n".join(lines), "PULL_REQUEST": "1", "GITHUB_REPOSITORY": "o/n", "PATH": path}
    subprocess.run(["bash", "-e", "-c", said], env=given, **run)
    assert (tmp_path / "body").read_text() == f"{text[:30000]}\n"


def test_the_end_of_a_deployment_is_in_the_summary_with_its_diagnosis(tmp_path: Path) -> None:
    error = "deploy-model: The weights do not fit the GPU's memory (Vertex AI could not deploy)\n```\n# x"
    (tmp_path / "outcome.txt").write_text(f"deployment  run    state   error\nllama       run-1  FAILED  {error}\n")
    script = DEPLOYMENTS["jobs"]["apply"]["steps"][-1]["run"]
    environment = {"PATH": os.environ["PATH"], "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=tmp_path, env=environment, check=True)
    lines = (tmp_path / "summary.md").read_text().splitlines()
    assert "The weights do not fit the GPU's memory" in lines[1]
    assert [line for line in lines if not line.startswith("    ")] == []


def test_what_a_change_says_reaches_a_shell_only_by_the_environment() -> None:
    assert [script for script in scripts() if "${{" in script] == []


def test_a_deployment_has_one_run_at_a_time_and_none_is_broken_off() -> None:
    assert DEPLOYMENTS["jobs"]["apply"]["concurrency"] == {
        "group": "deployments-apply-${{ matrix.deployment }}",
        "cancel-in-progress": False,
    }


def test_the_workflow_starts_for_what_the_decision_looks_at() -> None:
    started = DEPLOYMENTS[True]
    assert started["pull_request"] == {"paths": CONCERNED}
    assert started["push"] == {"branches": ["main"], "paths": CONCERNED}


def test_known_vulnerabilities_and_licences_of_every_list_are_looked_for_when_it_changes_and_every_week() -> None:
    audit: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "audit.yaml").read_text())
    assert [step["run"] for step in steps(audit) if "run" in step] == [
        "make audit",
        ".venv/bin/python -m tools.read_vllm --missing",
    ]
    assert {paths for event in ("pull_request", "push") for paths in audit[True][event]["paths"]} == {
        "constraints/**",
        "pyproject.toml",
    }
    assert [rule["cron"].split()[2:] for rule in audit[True]["schedule"]] == [["*", "*", "1"]]
    recipe = subprocess.run(["make", "-n", "audit"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for listed in (ROOT / "constraints").glob("*.txt"):
        assert re.search(rf"pip-audit .*--requirement \S*{listed.name}$", recipe, re.MULTILINE), listed.name
    assert "tests/test_licences.py" in recipe


def test_every_call_is_a_command_with_its_options_and_documented() -> None:
    page = (ROOT / "docs" / "ci.md").read_text()
    calls = [line.strip() for script in scripts() for line in script.splitlines() if "vertex-vllm" in line]
    assert len(calls) == 4
    for call in calls:
        found = re.fullmatch(r'vertex-vllm ci (plan|apply|"\$_COMMAND") (.*)', call)
        assert found, call
        names = BUILD_COMMANDS if found[1].startswith('"') else (found[1],)
        for name in names:
            known = {option for parameter in ci.commands[name].params for option in parameter.opts}
            used = re.findall(r"(?<= )--[a-z-]+|^--[a-z-]+", found[2])
            assert set(used) <= known
            assert [option for option in used if option not in page] == []


BUILD_COMMANDS = ("plan", "apply")


def test_cloud_build_is_given_commands_that_exist() -> None:
    assert BUILD["substitutions"]["_COMMAND"] in BUILD_COMMANDS
    assert set(BUILD_COMMANDS) == set(ci.commands)
    assert BUILD["options"]["automapSubstitutions"]
    table = (ROOT / "docs" / "ci.md").read_text().partition("## Cloud Build")[2]
    assert re.findall(r"_COMMAND=(\w+)", table) == list(BUILD_COMMANDS)


@pytest.mark.parametrize("script", list(scripts()))
def test_every_script_is_one_that_bash_reads(script: str) -> None:
    assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False).stderr == ""


def test_the_pipelines_that_ci_runs_exist() -> None:
    assert [name for name in PIPELINES if not (ROOT / "compiled" / f"{name}.yaml").exists()] == []
