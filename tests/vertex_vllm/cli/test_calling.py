"""An endpoint is shown with calls that work, `ask` asks it, and each call of the page is run as the page prints it."""

import contextlib
import io
import json
import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import google.auth
import google.auth.transport.requests
import pytest
import requests

from tests.vertex_vllm.cli.documented_commands import ROOT, commands_in, vertex_vllm
from tests.vertex_vllm.served_models import REGION, MakePlan, Vertex
from vertex_vllm.cli.run_outcome import tell_end
from vertex_vllm.labels import Owner
from vertex_vllm.lifecycle.promotion import promote_endpoint
from vertex_vllm.runs.engine import Artifact, Run, Step

pytestmark = pytest.mark.usefixtures("working")

PICTURE = ROOT / "vertex_vllm" / "inference" / "data" / "car.png"
PARIS = "Paris."


@dataclass(frozen=True)
class Live:
    project: str
    deployment: str
    endpoint: str
    superseded: str

    def show(self, *options: str) -> Any:
        place = ("--project", self.project, "--region", REGION)
        return vertex_vllm("endpoints", "show", self.deployment, *place, *options)


@pytest.fixture
def live(in_vertex: Vertex, make_plan: MakePlan) -> Live:
    first = make_plan(
        machine_type="g2-standard-12",
        accelerator_type="NVIDIA_L4",
        accelerator_count=1,
        args=(f"--model=gs://weights/models/org/name/{'a' * 40}",),
    )
    second = replace(first, max_model_len=2048)
    names = [in_vertex.deploy(plan) for plan in (first, second)]
    for name in names:
        model = in_vertex.endpoint(name).deployed_models[0]
        version = f"{model.model.partition('@')[0]}@{model.model_version_id}"
        promote_endpoint(in_vertex.project, REGION, name, version, Owner(first.deployment, "run-1"))
    return Live(in_vertex.project, first.deployment, names[1], names[0])


def run_python(text: str, names: dict[str, Any]) -> str:
    """Output of the text, run in this process, whose environment is a shell's after `local env`."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(text, "snippet", "exec"), names)
    return printed.getvalue()


def run_shell(text: str) -> Any:
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_endpoint_is_shown_with_calls_that_work(live: Live) -> None:
    shown = json.loads(live.show("--json").stdout)
    assert (shown["stage"], shown["endpoint"], shown["superseded"]) == ("live", live.endpoint, [live.superseded])
    assert (shown["model_id"], shown["commit"], shown["expires"]) == ("org/name", "a" * 40, None)
    assert shown["usd_per_hour"] == {"least": 1.0004, "most": 1.0004}
    calls = shown["snippets"]
    assert run_python(calls["openai"], {}) == f"{PARIS}\n"
    assert run_python(calls["sdk"], {}) == f"{PARIS}\n"
    assert run_shell(calls["curl"])["choices"][0]["message"]["content"] == PARIS
    assert run_shell(calls["gcloud"])["predictions"] == [PARIS]
    text = live.show()
    assert "\nPrice       1.00 USD/h, 730 USD a month of 730 hours (" in text.stdout
    assert "\nMachine     g2-standard-12, 1 × NVIDIA_L4, 1 replica, in us-central1\n" in text.stdout
    assert all(call.rstrip() in text.stdout for call in calls.values())
    assert f"vertex-vllm teardown {live.deployment} --superseded" in text.stderr


def test_a_run_that_succeeded_ends_with_its_endpoint_and_the_next_commands(
    live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = f"gs://{live.project}-runs/report"
    deployed = {"endpoint": (Artifact("", {"resourceName": live.endpoint}),)}
    steps = (
        Step("deploy-model", "SUCCEEDED", None, None, "", deployed),
        Step("evaluate-endpoint", "SUCCEEDED", None, None, "", {"report": (Artifact(uri, {}),)}),
        Step("promote-endpoint", "SUCCEEDED", None, None, "", {}),
    )
    name = f"projects/{live.project}/locations/{REGION}/pipelineJobs/run-1"
    tell_end(Run(name, "SUCCEEDED", "", steps), live.deployment, "deploy", live.project)
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert lines[0] == f"Endpoint    {live.endpoint}"
    assert [line.split()[0] for line in lines[1:5]] == ["URL", "Price", "Report", "Superseded"]
    assert live.superseded in lines[4]
    commands = [line.split()[1] for line in lines if line.startswith("  vertex-vllm ")]
    assert commands == ["ask", "endpoints", "runs", "teardown", "teardown"]


def test_the_page_s_calls_work_as_printed(live: Live, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "call-the-endpoint.md").read_text()
    values = {"PROJECT": live.project, "REGION": REGION, "DEPLOYMENT": live.deployment, "PICTURE": str(PICTURE)}
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    filled = [re.sub(r"\b(PROJECT|REGION|DEPLOYMENT|PICTURE)\b", lambda word: values[word[0]], text) for text in blocks]
    address, *answers = [run_python(block, names) for block in filled]
    assert address.endswith(f"/v1beta1/{live.endpoint}\n")
    assert answers == [f"{PARIS}\n", "A red car.\n"]
    commands = commands_in("call-the-endpoint.md", **values)
    assert [words[1] for words in commands] == ["endpoints", "ask", "ask"]
    assert [vertex_vllm(*words[1:]).stdout for words in commands[1:]] == [f"{PARIS}\n", "A red car.\n"]


def test_openai_s_other_routes_are_not_found(live: Live) -> None:
    base_url = json.loads(live.show("--json").stdout)["base_url"]
    credentials, _ = google.auth.default()
    credentials.refresh(google.auth.transport.requests.Request())
    headers = {"Authorization": f"Bearer {credentials.token}"}
    answers = [
        requests.request(verb, f"{base_url}{path}", headers=headers, json={}, timeout=60).status_code
        for verb, path in (("GET", "/models"), ("POST", "/completions"), ("POST", "/embeddings"))
    ]
    assert answers == [404, 404, 404]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("picture.txt", b"x", "is not a picture"), ("none.png", None, "cannot be read"), ("big.png", b"x", "7000000")],
)
def test_a_file_that_cannot_be_sent_is_refused_before_anything_is_asked(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    picture = tmp_path / name
    if content is not None:
        picture.write_bytes(content * (8_000_000 if name == "big.png" else 1))
    answer = vertex_vllm("ask", "any", "?", "--image", picture, "--project", "some-project")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert words in answer.stderr


def test_a_deployment_without_an_endpoint_says_where_it_was_looked_for(project: str) -> None:
    for command in (("endpoints", "show", "no-such"), ("ask", "no-such", "?")):
        answer = vertex_vllm(*command, "--project", project, "--region", REGION)
        assert (answer.returncode, answer.stdout) == (2, "")
        assert f"no endpoint that serves a model in project {project} ({REGION})" in answer.stderr
