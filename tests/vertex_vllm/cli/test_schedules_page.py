"""docs/schedules.md, command by command, and the examples that it is about."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud import daemon
from vertex_vllm.config import load_deployment
from vertex_vllm.config.deployment import Deployment
from vertex_vllm.runs.schedule_calls import delete, list_schedules

ROOT = Path(__file__).resolve().parents[3]
_PYTHON_PATH = f"{ROOT}{os.pathsep}{ROOT / 'localcloud'}"
PAGE = (ROOT / "docs" / "schedules.md").read_text()
EXAMPLES = sorted((ROOT / "configs" / "examples").glob("*.yaml"))
*BLOCKS, ON_THE_LOCAL_CLOUD = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
(DIFFERENCE,) = re.findall(r"```\n(change .*?)```", PAGE, re.DOTALL)


def shell(script: str, cwd: Path, environment: dict[str, str]) -> str:
    """Output of `script`, which its first failing command ends."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    answer = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=cwd,
        env={**environment, "PATH": path, "PYTHONPATH": _PYTHON_PATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_named_like_its_file(path: Path) -> None:
    assert load_deployment(path).name == path.stem


def test_the_pages_config_is_one(tmp_path: Path) -> None:
    (entries,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "x.yaml"
    path.write_text(f"name: x\nmodel:\n  id: HuggingFaceTB/SmolLM2-135M-Instruct\n{entries}")
    said = load_deployment(path).schedules[0].model_fields_set
    assert said == set(Deployment.model_fields["schedules"].annotation.__args__[0].model_fields)


@pytest.mark.slow
def test_the_commands_do_what_the_page_says(ready_project: str, project: str) -> None:
    environment = {**os.environ, "GOOGLE_CLOUD_PROJECT": project}
    dry_run, apply_and_list, by_hand = BLOCKS
    try:
        assert shell(dry_run, ROOT, environment) == DIFFERENCE
        created, listed = shell(apply_and_list, ROOT, environment).split("schedule  ", 1)
        assert created.splitlines() == [f"created: {line.split()[1]}" for line in DIFFERENCE.splitlines()[1:]]
        assert listed.count("ACTIVE") == 3
        shell(by_hand, ROOT, environment)
        left = {schedule.display_name: schedule.state for schedule in list_schedules(project, "us-central1")}
        assert left == {"office-hours/morning-up": "ACTIVE", "office-hours/evening-down": "ACTIVE"}
    finally:
        for schedule in list_schedules(project, "us-central1"):
            delete(schedule.resource_name)


@pytest.mark.slow
def test_on_a_local_cloud_of_its_own_every_schedule_runs(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    environment = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    try:
        printed = shell(ON_THE_LOCAL_CLOUD, tmp_path, environment)
    finally:
        daemon.down(tmp_path / ".local-cloud")
    rows = [line.rsplit(maxsplit=2)[1:] for line in printed.splitlines() if "ACTIVE" in line]
    assert [answer for _, answer in rows] == ["OK"] * 3
    # One run at a time; the next starts when it ends, so the second may have started already.
    assert all(int(started) >= 1 for started, _ in rows)
