"""Other people's code in the image, in CI and in set-up: by hash, by commit, and from no address in the tree."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tools.hashes import names

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints"
HASHED = sorted(CONSTRAINTS.glob("*.hashes"))
# Installs this project alone: no dependency, no build environment, no index.
OURS = ("--no-deps", "--no-build-isolation", "--no-index")
# The workflow of `vertex-vllm init`, for repositories of configs.
STARTER = ROOT / "vertex_vllm" / "cli" / "starter" / "configs_workflow.yaml"


def pip_commands() -> Iterator[tuple[str, str]]:
    """Each `pip install` of a file that a machine follows."""
    makefile = subprocess.run(["make", "-n", "-B", "audit", "hashes"], cwd=ROOT, capture_output=True, text=True).stdout
    texts = {"Makefile": makefile, **{name: (ROOT / name).read_text() for name in ("Dockerfile", "cloudbuild.yaml")}}
    for workflow in (*(ROOT / ".github" / "workflows").glob("*.yaml"), STARTER):
        texts[workflow.name] = workflow.read_text()
    for name, text in texts.items():
        for command in re.findall(r"pip install .*", text.replace("\\\n", " ")):
            yield name, command


def test_pip_installs_what_has_a_listed_hash_and_this_project_alone() -> None:
    commands = list(pip_commands())
    assert {name for name, _ in commands} == {
        *("Makefile", "Dockerfile", "cloudbuild.yaml", "deployments.yaml", "digests.yaml", STARTER.name)
    }
    for name, command in commands:
        if name == STARTER.name:
            continue  # The starter's workflow has a wheel and no checkout: test_starter_workflow.py
        listed = re.search(r"--no-deps --require-hashes --requirement (constraints/\w+\.hashes)", command)
        if listed:
            assert (ROOT / listed[1]) in HASHED, (name, command)
        else:
            assert all(option in command for option in OURS), (name, command)


@pytest.mark.parametrize("path", HASHED, ids=lambda path: path.name)
def test_every_package_has_hashes_and_no_list_names_an_index(path: Path) -> None:
    text = path.read_text()
    packages = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert packages
    for package in packages:
        assert re.match(r"[A-Za-z0-9._-]+==\S+( ;.*?)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+$", package), (
            package
        )
    assert "://" not in text


def test_the_hashed_lists_are_of_the_pinned_versions() -> None:
    """`make hashes` after a change of constraints/*.txt."""
    project, serving = (names((CONSTRAINTS / name).read_text()) for name in ("project.txt", "serving.txt"))
    assert names((CONSTRAINTS / "project.hashes").read_text()) == project
    assert names((CONSTRAINTS / "image.hashes").read_text()) < project
    without_hash = serving - names((CONSTRAINTS / "serving.hashes").read_text())
    assert [name for name, _ in without_hash] == ["torch"]
    assert names((CONSTRAINTS / "harness.hashes").read_text()) == names((CONSTRAINTS / "harness.txt").read_text())
    assert names((CONSTRAINTS / "tools.hashes").read_text()) >= names((CONSTRAINTS / "tools.in").read_text())


def test_the_image_holds_nothing_that_only_tests_need() -> None:
    packages = {name for name, _ in names((CONSTRAINTS / "image.hashes").read_text())}
    assert packages & {"pytest", "mypy", "uvicorn", "starlette", "hypothesis"} == set()
    assert {"kfp", "google-cloud-aiplatform", "setuptools"} <= packages


def test_the_build_backend_is_the_listed_one() -> None:
    wanted = re.search(r'requires = \["setuptools>=(\d+)"\]', (ROOT / "pyproject.toml").read_text())
    listed = dict(names((CONSTRAINTS / "image.hashes").read_text()))["setuptools"]
    assert wanted is not None
    assert int(listed.partition(".")[0]) >= int(wanted[1])


@pytest.mark.parametrize("folder", [ROOT, ROOT / "localcloud"], ids=lambda folder: folder.name)
def test_every_requirement_of_a_wheel_is_a_listed_package(folder: Path) -> None:
    """pip asks an index for each requirement, and anybody can register an unregistered name there."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {})
    wanted = {
        re.split(r"[\[<>=~! ;]", line)[0] for lines in (project["dependencies"], *extras.values()) for line in lines
    }
    listed = {name for name, _ in names((CONSTRAINTS / "project.hashes").read_text())}
    # An extra may name the wheel that it belongs to: pip has that one in hand.
    assert {name.lower().replace("_", "-") for name in wanted} - listed <= {project["name"]}


def test_every_action_is_a_commit_and_no_checkout_keeps_its_token() -> None:
    for path in (*(ROOT / ".github" / "workflows").glob("*.yaml"), STARTER):
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            for step in job["steps"]:
                if "uses" not in step:
                    continue
                assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]), (path.name, step["uses"])
                if step["uses"].startswith("actions/checkout@"):
                    assert step["with"]["persist-credentials"] is False, path.name
