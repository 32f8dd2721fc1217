"""The recipes of CONTRIBUTING.md, each executed on a copy of the tree: its changes made, its commands run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from vertex_vllm.catalog import load_catalog
from vertex_vllm.config.pipeline_parameters import deployment_from_parameters
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.planner import plan_serving

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
VERTEX_VLLM = (sys.executable, "-m", "vertex_vllm")
FOLDERS = ("components", "compiled", "configs", "docs", "localcloud", "pipelines", "tools", "vertex_vllm")
_BLOCK = re.compile(r"`([^`\n]+)`:?\n\n([ ]*)```(diff|python|yaml)\n(.*?)\n[ ]*```", re.DOTALL)
_COMMANDS = re.compile(r"^ *```sh\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


@dataclass
class Recipe:
    """A section of the page, in a copy of the tree."""

    text: str
    tree: Path

    def change(self) -> None:
        """Makes every change of the section."""
        blocks = _BLOCK.findall(self.text)
        assert len(blocks) == len(re.findall("^ *```(?:diff|python|yaml)$", self.text, re.MULTILINE)), (
            "a block names no file"
        )
        for name, indent, kind, block in blocks:
            path, lines = self.tree / name, [line[len(indent) :] for line in block.split("\n")]
            path.parent.mkdir(exist_ok=True)
            text = "\n".join((*lines, "")) if kind != "diff" else with_change(path.read_text(encoding="utf-8"), lines)
            path.write_text(text, encoding="utf-8")

    def run(self) -> str:
        """Runs every command of the section; returns what they print."""
        commands = "\n".join(_COMMANDS.findall(self.text)).splitlines()
        return "".join(self._run(shlex.split(command)) for command in commands)

    def _run(self, command: list[str]) -> str:
        programs = {
            # The environment of this test, which `make` must not create again.
            "make": ("make", "--silent", f"VENV={sys.prefix}", f"--assume-old={sys.prefix}/.ready"),
            "vertex-vllm": VERTEX_VLLM,
        }
        return self.printed(*programs[command[0]], *command[1:])

    def printed(self, *command: str) -> str:
        """Output of a command with the copy's modules; it must succeed."""
        environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(self.tree), str(self.tree / "localcloud")))}
        answer = subprocess.run(command, cwd=self.tree, env=environment, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    def execute(self, program: str) -> Any:
        """The JSON that a program prints, with the copy's modules."""
        return json.loads(self.printed(sys.executable, "-c", textwrap.dedent(program)))


def with_change(text: str, block: list[str]) -> str:
    """The text with one block of a diff applied where its lines are. Raises AssertionError unless that is one place."""
    old = "".join(f"{line[1:]}\n" for line in block if line[:1] != "+")
    new = "".join(f"{line[1:]}\n" for line in block if line[:1] != "-")
    assert text.count(old) == 1, f"{text.count(old)} places with these lines:\n{old}"
    return text.replace(old, new)


def recipe(heading: str, folder: Path) -> Recipe:
    """The section, in a copy of the tree that its changes have been made in."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    made = Recipe(section, folder)
    made.change()
    return made


def test_a_serving_field_reaches_form_step_plan_and_request(tmp_path: Path) -> None:
    done = recipe("Add a serving field", tmp_path)
    edited = [name for name, _, kind, _ in _BLOCK.findall(done.text) if kind == "diff"]
    assert len(edited) <= 5
    done.run()
    spec = yaml.load((tmp_path / "compiled" / "deploy.yaml").read_text(), yaml.CSafeLoader)
    assert spec["root"]["inputDefinitions"]["parameters"]["access_logging"] == {
        "defaultValue": False,
        "description": "Log time and latency of each request in Cloud Logging, which is billed.",
        "isOptional": True,
        "parameterType": "BOOLEAN",
    }
    assert spec["components"]["comp-plan-serving"]["inputDefinitions"]["parameters"]["access_logging"]
    assert "| `access_logging` | `false`. Log time" in (tmp_path / "docs" / "console.md").read_text()
    assert "| `access_logging` | true or false | `false` |" in (tmp_path / "docs" / "fields.md").read_text()
    assert '"access_logging"' in (tmp_path / "configs" / "deployment.schema.json").read_text()
    (default, *unset), (logged, *set_) = done.execute(
        """
        import json
        from vertex_vllm.catalog import load_catalog
        from vertex_vllm.config.pipeline_parameters import deployment_from_parameters
        from vertex_vllm.planning.planner import plan_serving
        from vertex_vllm.planning.render import render_plan
        from vertex_vllm.vertex_ai.resource_names import ResourceName
        from vertex_vllm.serving.requests import deploy_request

        def sent(**values):
            deployment = deployment_from_parameters(deployment="d", model_id="meta-llama/Llama-3.1-8B", **values)
            plan = plan_serving(load_catalog().facts("meta-llama/Llama-3.1-8B"), deployment, load_catalog())
            model = ResourceName.parse("projects/p/locations/us-central1/models/m@1", "models")
            request = deploy_request(plan, "projects/p/locations/us-central1/endpoints/1", model, "account")
            logged = request.deployed_model.enable_access_logging
            return plan.config_hash, logged, "each request logged" in render_plan(plan)

        print(json.dumps([sent(), sent(access_logging=True)]))
        """
    )
    assert (unset, set_) == ([False, False], [True, True])
    assert default == _hash_of_the_tree() != logged


def _hash_of_the_tree() -> str:
    facts = load_catalog().facts("meta-llama/Llama-3.1-8B")
    assert isinstance(facts, ModelFacts)
    deployment = deployment_from_parameters(deployment="d", model_id="meta-llama/Llama-3.1-8B")
    return plan_serving(facts, deployment, load_catalog()).config_hash


@pytest.mark.slow
def test_a_step_is_compiled_and_runs(tmp_path: Path) -> None:
    done = recipe("Add a step", tmp_path)
    done.run()
    spec = yaml.load((tmp_path / "compiled" / "deploy.yaml").read_text(), yaml.CSafeLoader)
    tasks = next(
        part["dag"]["tasks"]
        for part in spec["components"].values()
        if "plan-serving" in part.get("dag", {}).get("tasks", {})
    )
    assert tasks["report-price"]["dependentTasks"] == ["plan-serving"]
    (tmp_path / "plan.json").write_text(done.printed(*VERTEX_VLLM, "plan", "configs/llama-3.1-8b.yaml", "--json"))
    written = done.execute(
        """
        import json
        from kfp import dsl
        from components.report_price import report_price

        metrics = dsl.Metrics()
        report_price.python_func(plan=dsl.Artifact(uri="plan.json"), metrics=metrics)
        print(json.dumps(metrics.metadata))
        """
    )
    assert written == {
        "usd_per_hour_least": pytest.approx(1.0, abs=0.01),
        "usd_per_hour_most": pytest.approx(1.0, abs=0.01),
    }


def test_a_machine_is_looked_up_planned_and_served_by_the_local_cloud(tmp_path: Path) -> None:
    done = recipe("Add a machine", tmp_path)
    assert "NVIDIA_L4" in done.run()
    config = tmp_path / "configs" / "new-machine.yaml"
    config.write_text("name: d\nmodel: {id: meta-llama/Llama-3.1-8B}\nserving: {machine_type: g2-standard-64}\n")
    assert "g2-standard-64, 2 × NVIDIA_L4" in done.printed(*VERTEX_VLLM, "plan", "configs/new-machine.yaml")
    held = done.execute(
        """
        import json
        from localcloud.services.vertex.machines import load_machines

        print(json.dumps(load_machines().accelerator_need("g2-standard-64", "NVIDIA_L4", 2, "us-central1").count))
        """
    )
    assert held == 2


def test_an_image_is_looked_up(tmp_path: Path) -> None:
    done = recipe("Add an image and its vLLM", tmp_path)
    assert "20260810_0916_RC01" in done.run()


def test_a_local_service_answers_google_s_client(tmp_path: Path) -> None:
    done = recipe("Add a service to the local cloud", tmp_path)
    found = done.execute(
        """
        import json, os
        from pathlib import Path
        from localcloud import daemon

        connection = daemon.up(Path("state"), lifeline=True)
        os.environ.update(connection.environment)
        from google.cloud.resourcemanager_v3 import OrganizationsClient

        print(json.dumps([organization.name for organization in OrganizationsClient().search_organizations()]))
        daemon.down(Path("state"))
        """
    )
    assert found == []
