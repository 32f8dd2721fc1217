"""A deployment that real vLLM refuses to start: the run says why, and the proposed change of its config deploys."""

from pathlib import Path

import pytest
import yaml

from tests.demo_project import ROOT, TEXT_CONFIG, DemoProject
from vertex_vllm.catalog import load_catalog
from vertex_vllm.config import load_deployment
from vertex_vllm.diagnosis.deployed import diagnose_run
from vertex_vllm.diagnosis.patch import case_of, propose
from vertex_vllm.model.facts import ModelFacts


@pytest.mark.slow
@pytest.mark.vllm
@pytest.mark.parity("local cloud only")
@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--chat-template=/no/such/template.jinja"], "chat_template_file"),
        (["--reasoning-parser=deepseek_r1"], "reasoning_tokens_missing"),
        (["--enable-lora", "--lora-modules=a=/adapters/none"], "adapter_missing"),
    ],
)
def test_the_change_that_a_failed_run_calls_for_deploys(
    demo_project: DemoProject, tmp_path: Path, arguments: list[str], rule: str
) -> None:
    values = yaml.safe_load((ROOT / "configs" / f"{TEXT_CONFIG}.yaml").read_text())
    values["name"] = demo_project.own_deployment("diagnosed").name
    values["serving"]["extra_args"] = [*values["serving"]["extra_args"], *arguments]
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(values))
    run = demo_project.run("deploy", load_deployment(config))
    assert run.state == "FAILED"
    (error,) = [step.error for step in run.steps if step.error]
    found = diagnose_run(run.name)
    assert [cause.rule for cause in found.causes][:1] == [rule]
    assert found.summary in error
    catalog = load_catalog()
    facts = catalog.facts(values["model"]["id"])
    assert isinstance(facts, ModelFacts)
    case = case_of(config.read_text(), str(config), facts, catalog)
    patch = propose(found.causes[0], case, config.read_text(), str(config))
    assert patch is not None
    config.write_text(patch.text)
    assert demo_project.run("deploy", load_deployment(config)).state == "SUCCEEDED"
