"""A dry run, and the commands of docs/bootstrap.md."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud.daemon import Connection
from pipelines.compile import PIPELINES
from tests.vertex_vllm.bootstrap.test_bootstrap_command import (
    GITHUB,
    GITHUB_OPTIONS,
    REGION,
    ROOT,
    TOKEN,
    bootstrap,
    bootstrap_all,
    session,
)
from vertex_vllm.bootstrap.making import is_missing, project_number
from vertex_vllm.bootstrap.required_setup import APIS, FEDERATION_APIS, Settings, wanted
from vertex_vllm.bootstrap.session import Session
from vertex_vllm.bootstrap.setup_steps import Grant
from vertex_vllm.project_names import sources_bucket
from vertex_vllm.publishing.image_sources import read_sources

__all__ = ["session"]  # a fixture


def test_a_dry_run_prints_the_requests_and_sends_none(cloud: Connection, session: Session, project: str) -> None:
    answer = bootstrap(project, "--dry-run", *GITHUB_OPTIONS)
    settings = Settings(project, project_number(session, project), REGION, *GITHUB)
    printed = json.loads(answer.stdout)
    creates = [entry["create"] for entry in printed if "create" in entry]
    assert [create["url"] for create in creates] == [
        step.create.url for step in wanted(settings) if not isinstance(step, Grant)
    ]
    assert len([entry for entry in printed if "grant" in entry]) == sum(
        isinstance(step, Grant) for step in wanted(settings)
    )
    assert TOKEN not in answer.stdout
    assert all(is_missing(session, step) for step in wanted(settings))


def test_a_dry_run_prints_the_build_and_the_templates_too(cloud: Connection, project: str) -> None:
    printed = json.loads(bootstrap_all(project, "--dry-run", "--no-hf-token").stdout)
    image = next(entry for entry in printed if "image" in entry)
    digest = read_sources(ROOT).digest
    assert image["upload"] == f"gs://{sources_bucket(project, REGION)}/sources/{digest}.tar.gz"
    assert image["create_build"]["parent"] == f"projects/{project}/locations/{REGION}"
    assert image["create_build"]["build"]["images"] == [image["image"]]
    assert [entry["template"] for entry in printed if "template" in entry] == list(PIPELINES)
    missing = bootstrap_all(project, "--check", "--no-hf-token")
    assert missing.returncode == 1
    assert {f"missing  image {image['image']}", "missing  template deploy"} <= set(missing.stdout.splitlines())


@pytest.mark.slow
def test_the_commands_of_the_page_work(cloud: Connection, project: str, tmp_path: Path) -> None:
    (tmp_path / "hf-token.txt").write_text(f"{TOKEN}\n")
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "bootstrap.md").read_text(), re.DOTALL)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for block in blocks:
        answer = subprocess.run(
            [
                "bash",
                "-ec",
                block.replace("PROJECT", project).replace("REPOSITORY_ID", "4711").replace("OWNER_ID", "42"),
            ],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PATH": path},
            cwd=tmp_path,
        )
        assert answer.returncode == 0, answer.stderr
    assert bootstrap(project, "--check").returncode == 1


def test_the_page_names_every_api() -> None:
    (row,) = re.findall(r"^\| APIs \| (.+?) \|", (ROOT / "docs" / "bootstrap.md").read_text(), re.MULTILINE)
    assert len(re.split(", |; with GitHub also | and ", row)) == len((*APIS, *FEDERATION_APIS))


def test_the_page_names_every_template() -> None:
    (row,) = re.findall(r"^\| templates \| (.+?) \|", (ROOT / "docs" / "bootstrap.md").read_text(), re.MULTILINE)
    assert row == ", ".join(f"`{pipeline}`" for pipeline in PIPELINES)
