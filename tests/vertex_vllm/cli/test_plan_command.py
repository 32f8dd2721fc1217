"""`plan --against deployed` on the local cloud, and facts as files."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from localcloud.daemon import Connection
from tests.vertex_vllm.served_models import IMAGE, REGION, TAGGED_IMAGE, MakePlan, Vertex, teach
from vertex_vllm.catalog import load_catalog
from vertex_vllm.cli import vertex_vllm
from vertex_vllm.config import load_deployment
from vertex_vllm.errors import InputError
from vertex_vllm.google.image_registry import by_digest
from vertex_vllm.labels import Owner
from vertex_vllm.lifecycle.promotion import promote_endpoint
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.planner import plan_serving
from vertex_vllm.serving.pinned_image import with_digest

CONFIG = """\
name: {name}
model:
  id: meta-llama/Llama-3.1-8B-Instruct
hf_token_secret: hf-token
serving: {serving}
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(vertex_vllm, ["plan", *map(str, arguments)])


@pytest.fixture
def config(tmp_path: Path, make_plan: MakePlan) -> Path:
    path = tmp_path / "served.yaml"
    path.write_text(CONFIG.format(name=make_plan().deployment, serving="{}"), encoding="utf-8")
    return path


def deployed(config: Path, in_vertex: Vertex, make_plan: MakePlan) -> str:
    """Deploys the config's plan, with an image that the local cloud has; the endpoint's name."""
    deployment, catalog = load_deployment(config), load_catalog()
    facts = catalog.facts(deployment.model.id)
    assert isinstance(facts, ModelFacts)
    planned = plan_serving(facts, deployment, catalog)
    stand_in = make_plan()
    plan = replace(planned, image=stand_in.image, args=stand_in.args, predict_route=stand_in.predict_route)
    name = in_vertex.deploy(plan)
    (version,) = in_vertex.versions()
    promote_endpoint(in_vertex.project, REGION, name, version.name, Owner(deployment.name, "run-1"))
    return name


def test_what_would_change_on_the_endpoint_that_serves(config: Path, in_vertex: Vertex, make_plan: MakePlan) -> None:
    nothing = run(config, "--against", "deployed", "--project", in_vertex.project)
    assert nothing.exit_code == 1
    assert nothing.output.endswith("would be new\n")
    assert "serves nothing now" in nothing.output
    name = deployed(config, in_vertex, make_plan)
    assert load_deployment(config).config_hash in name
    config.write_text(
        CONFIG.format(name=load_deployment(config).name, serving="{machine_type: g2-standard-24}"), encoding="utf-8"
    )
    told = run(config, "--against", "deployed", "--project", in_vertex.project)
    assert told.exit_code == 1
    assert told.output.startswith(f"{name} (live, config ")
    machine = next(line for line in told.output.splitlines() if line.startswith("machine"))
    assert [cell.strip() for cell in machine.split("   ") if cell.strip()][1:] == [
        "g2-standard-12, 1 × NVIDIA_L4",
        "g2-standard-24, 2 × NVIDIA_L4",
    ]
    parsed = json.loads(run(config, "--against", "deployed", "--json", "--project", in_vertex.project).output)
    assert parsed["serving"]["endpoint"] == name
    found = {change["what"]: (change["now"], change["planned"]) for change in parsed["changes"]}
    assert found["USD/h"] == ("1.00", "2.00")
    assert set(found) == {"config", "machine", "image", "arguments", "USD/h"}


@pytest.mark.parametrize("image", [IMAGE, TAGGED_IMAGE], ids=["by digest", "by tag"])
def test_nothing_would_change_right_after_the_deployment(
    cloud: Connection, config: Path, in_vertex: Vertex, make_plan: MakePlan, image: str
) -> None:
    stand_in = make_plan()
    teach(cloud, image)
    config.write_text(
        CONFIG.format(name=load_deployment(config).name, serving=f"{{image: '{image}'}}"), encoding="utf-8"
    )
    facts = load_catalog().facts(load_deployment(config).model.id)
    assert isinstance(facts, ModelFacts)
    planned = plan_serving(replace(facts, commit="a" * 40), load_deployment(config), load_catalog())
    in_vertex.deploy(replace(with_digest(planned), predict_route=stand_in.predict_route))
    told = run(config, "--against", "deployed", "--project", in_vertex.project)
    assert (told.exit_code, told.output.splitlines()[1]) == (
        0,
        "nothing would change (the model's commit was not compared: --hub reads it)",
    )


def test_a_plan_shows_the_digest_that_a_run_would_take(cloud: Connection, config: Path) -> None:
    teach(cloud, TAGGED_IMAGE)
    name = load_deployment(config).name
    config.write_text(CONFIG.format(name=name, serving=f"{{image: '{TAGGED_IMAGE}'}}"), encoding="utf-8")
    tagged, resolved = (
        json.loads(run(config, "--json", *options, "--project", "some-project").stdout)
        for options in ((), ("--resolve",))
    )
    assert (tagged["image"], tagged["image_tag"]) == (TAGGED_IMAGE, "")
    assert (resolved["image"], resolved["image_tag"]) == (by_digest(TAGGED_IMAGE), "1")


def test_facts_are_written_once_and_planned_from_offline(
    tmp_path: Path, config: Path, local: Any, llama: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    sized = {**json.loads(llama["config.json"]), "vocab_size": 49152, "intermediate_size": 1536}
    model_id = local.repo({**llama, "config.json": json.dumps(sized).encode()})
    written = tmp_path / "facts.json"
    answer = CliRunner().invoke(vertex_vllm, ["facts", model_id, "--output", str(written)])
    assert answer.exit_code == 0
    config.write_text(f"name: other\nmodel:\n  id: {model_id}\n", encoding="utf-8")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    offline = run(config, "--facts", written, "--json")
    assert json.loads(offline.output)["model_id"] == model_id


@pytest.mark.parametrize(
    "name", ["Screenshot 10.12.51\u202fAM.png", "assets/a\tb.png", "a\nb.txt", "x\u202ey.md", "a\\b.txt"]
)
def test_facts_and_plan_leave_out_files_whose_names_cannot_be_copied(
    local: Any, llama: dict[str, bytes], tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    sized = {**json.loads(llama["config.json"]), "vocab_size": 49152, "intermediate_size": 1536}
    model_id = local.repo({**llama, "config.json": json.dumps(sized).encode(), name: b"x"})
    config = tmp_path / "odd.yaml"
    config.write_text(f"name: odd\nmodel:\n  id: {model_id}\n", encoding="utf-8")
    assert json.loads(CliRunner().invoke(vertex_vllm, ["facts", model_id]).stdout)["model_id"] == model_id
    assert "1 files have names that cannot be copied" in caplog.text
    assert json.loads(run(config, "--json").stdout)["model_id"] == model_id


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a file of facts"),
        ("[]", "is not a file of facts"),
        ('{"model_id": "a/b"}', "is not a file of facts"),
    ],
)
def test_a_file_that_holds_no_facts_says_how_to_make_one(
    tmp_path: Path, config: Path, content: str, message: str
) -> None:
    written = tmp_path / "facts.json"
    written.write_text(content, encoding="utf-8")
    answer = run(config, "--facts", written)
    assert isinstance(answer.exception, InputError)
    assert message in str(answer.exception)
    assert "vertex-vllm facts MODEL --output FILE" in str(answer.exception)


@pytest.mark.parametrize("option", ["--facts", "--throughput"])
def test_a_file_that_windows_wrote_is_read_or_its_encoding_named(tmp_path: Path, config: Path, option: str) -> None:
    facts = load_catalog().facts("meta-llama/Llama-3.1-8B-Instruct")
    assert isinstance(facts, ModelFacts)
    written = tmp_path / "written.json"
    written.write_text(facts.to_json(), encoding="utf-16")
    answer = run(config, option, written)
    assert "is in UTF-16, not in UTF-8. Save it as UTF-8" in str(answer.exception)
    written.write_text(facts.to_json(), encoding="utf-8-sig")
    answer = run(config, option, written)
    assert "BOM" not in str(answer.exception)
    assert option == "--throughput" or answer.exit_code == 0


def test_facts_of_another_model_are_refused(tmp_path: Path, config: Path) -> None:
    facts = load_catalog().facts("meta-llama/Llama-3.1-70B")
    assert isinstance(facts, ModelFacts)
    written = tmp_path / "facts.json"
    written.write_text(facts.to_json(), encoding="utf-8")
    answer = run(config, "--facts", written)
    assert "holds facts of meta-llama/Llama-3.1-70B, the config is for meta-llama/Llama-3.1-8B" in str(answer.exception)


@pytest.mark.parametrize("content", ["{", "[3]", '{"format": 1, "model_id": "a/b"}'])
def test_a_file_that_holds_no_throughput_says_where_to_find_one(tmp_path: Path, config: Path, content: str) -> None:
    written = tmp_path / "throughput.json"
    written.write_text(content, encoding="utf-8")
    answer = run(config, "--throughput", written)
    assert isinstance(answer.exception, InputError)
    assert str(answer.exception).startswith(f"{written}: is not a measured throughput: ")
    assert "gs://BUCKET/measurements/MODEL" in str(answer.exception)


def test_a_plan_is_written_as_a_page(tmp_path: Path, config: Path) -> None:
    page = tmp_path / "plan.html"
    assert run(config, "--html", page).exit_code == 0
    assert page.read_text(encoding="utf-8").count("<details") > 5


def test_a_warning_fails_a_strict_plan(tmp_path: Path) -> None:
    path = tmp_path / "gated.yaml"
    path.write_text("name: x\nmodel: {id: meta-llama/Llama-3.2-1B-Instruct}\n", encoding="utf-8")
    lax, strict = run(path), run(path, "--strict")
    assert (lax.exit_code, strict.exit_code) == (0, 1)
    assert lax.output.splitlines()[0].startswith("Verdict           fits, with ")
    assert "is gated and the config names no hf_token_secret" in " ".join(lax.output.split())


def test_without_a_project_adapters_in_storage_are_planned_and_not_compared(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    arguments = "{extra_args: [--enable-lora, --lora-modules, 'sql=gs://some-bucket/adapter']}"
    config.write_text(CONFIG.format(name=load_deployment(config).name, serving=arguments), encoding="utf-8")
    answer = run(config)
    assert (answer.exit_code, "Verdict" in answer.stdout) == (0, True)
    assert (
        "adapters in Cloud Storage were not compared with the model: google_cloud.project: no project" in answer.stderr
    )
