"""The steps' image that bootstrap built, as `submit` finds it; and a wheel that finds it without any sources."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from localcloud.pip import variables_for_pip
from tests.prepared import REGION, prepared
from vertex_vllm.errors import InputError
from vertex_vllm.publishing.building import LATEST, sources_tag, steps_image
from vertex_vllm.publishing.built import find_built
from vertex_vllm.publishing.image_digest import find_digest, point_tag
from vertex_vllm.publishing.image_sources import read_sources
from vertex_vllm.runs.watching import pipeline_client

ROOT = Path(__file__).resolve().parents[3]


def test_the_image_of_these_sources_is_found_by_digest(ready_project: str) -> None:
    sources = read_sources(ROOT).digest
    found = find_built(ready_project, REGION, sources)
    image = steps_image(ready_project, REGION)
    assert (found.name, found.warning) == (f"{image}@{find_digest(f'{image}:{sources_tag(sources)}')}", "")
    assert find_built(ready_project, REGION) == found


def test_the_image_of_other_sources_is_taken_with_a_word(ready_project: str) -> None:
    found = find_built(ready_project, REGION, "of-other-sources")
    assert found.name == find_built(ready_project, REGION).name
    assert "was built from other sources than these" in found.warning


def test_the_last_tag_moves_once(ready_project: str) -> None:
    latest = f"{steps_image(ready_project, REGION)}:{LATEST}"
    digest = find_digest(latest)
    assert digest is not None
    assert point_tag(latest, digest) is False
    prepared(ready_project)
    assert find_digest(latest) == digest


def test_where_nobody_has_built_one_the_command_is_told(cloud: object, project: str) -> None:
    with pytest.raises(InputError, match=f"vertex-vllm bootstrap --project {project} --region {REGION}"):
        find_built(project, REGION)


def test_submit_works_from_an_installed_wheel(ready_project: str, tmp_path: Path) -> None:
    sources = tmp_path / "sources"  # setuptools writes beside what it builds
    shutil.copytree(ROOT, sources, ignore=shutil.ignore_patterns(".*", "tests", "build", "*.egg-info", "__pycache__"))
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(sources)]
    subprocess.run(build, check=True, env=variables_for_pip(os.environ))
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    config = tmp_path / "small.yaml"
    config.write_text("name: small\nmodel:\n  id: team/small\n")
    command = ["submit", str(config), "--pipeline", "teardown", "--project", ready_project]
    answer = subprocess.run(
        [sys.executable, "-m", "vertex_vllm", *command],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(site)},
        cwd=tmp_path,
    )
    assert answer.returncode == 0, answer.stderr
    job = pipeline_client(REGION).get_pipeline_job(name=answer.stdout.strip())
    executors = job.pipeline_spec["deploymentSpec"]["executors"].values()
    assert {each["container"]["image"] for each in executors} == {find_built(ready_project, REGION).name}
    assert job.service_account == f"vertex-vllm-pipeline@{ready_project}.iam.gserviceaccount.com"
