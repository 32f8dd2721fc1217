"""Code that a model or an argument would run, and advisories about the image: told, refused, or consented to."""

from dataclasses import replace
from typing import Any

import pytest

from tests.vertex_vllm.model_repository import decoder, read, repository, small, weights
from tests.vertex_vllm.planning.planned import LLAMA_VISION, OTHER, SERVE, plan
from tests.vertex_vllm.planning.reported_models import LLAMA_1B, Files
from vertex_vllm.errors import PlanError

WEIGHTS = weights(decoder(LLAMA_1B))
OWN = {"auto_map": {"AutoModel": "modeling.Model"}}


@pytest.mark.parametrize(
    "files",
    [
        repository({**LLAMA_1B, **OWN}, WEIGHTS),
        repository({**LLAMA_1B, "vision_config": {"inner": [OWN]}}, WEIGHTS),
        repository(LLAMA_1B, WEIGHTS, small("tokenizer_config.json", {"auto_map": ["tok.Slow", None]})),
        repository(LLAMA_1B, WEIGHTS, small("processor_config.json", OWN)),
        repository(LLAMA_1B, WEIGHTS, small("generation_config.json", {"deep": {"deeper": OWN}})),
    ],
    ids=["config", "nested", "tokenizer", "processor", "generation"],
)
def test_an_auto_map_anywhere_is_code_of_the_repository(files: Files) -> None:
    with pytest.raises(PlanError, match="brings Python code of its own"):
        plan(read(files))
    assert "--trust-remote-code" in plan(read(files), trust_remote_code=True, revision="c" * 40).args


def test_code_of_another_repository_is_refused_even_with_consent() -> None:
    config = {**LLAMA_1B, "auto_map": {"AutoModel": "other/repo--modeling.Model"}}
    with pytest.raises(PlanError, match="code of another repository, other/repo"):
        plan(read(repository(config, WEIGHTS)), trust_remote_code=True, revision="c" * 40)


@pytest.mark.parametrize(
    "argument",
    [
        *("--tokenizer=other/repo", "--code-revision=main", "--middleware=evil.module", "--worker-cls=evil.Worker"),
        *("--logits-processors=evil.Processor", "--allowed-local-media-path=/", "--hf-config-path=other/repo"),
        *('--kv-transfer-config={"kv_connector": "x"}', "--tool-parser-plugin=/x.py", "--config=/x.yaml"),
    ],
)
def test_an_argument_that_runs_code_needs_consent(argument: str) -> None:
    with pytest.raises(PlanError, match=r"serving\.trust_remote_code to true"):
        plan(OTHER, extra_args=[argument])
    assert argument in plan(OTHER, extra_args=[argument], trust_remote_code=True, revision="c" * 40).args


def test_advisories_that_touch_the_model_are_named_and_refused_on_request() -> None:
    vision = replace(LLAMA_VISION, model_id="someone/something", architecture="Idefics3ForConditionalGeneration")
    told = plan(vision).reasons["image"]
    assert "CVE-2026-24779 (a backslash in an image URL passes the list of allowed hosts" in told
    assert "has none of these" in told
    clean = plan(vision, forbid_advisories=True)
    assert clean.reasons["image"].startswith("newest image without a known advisory that touches this model")


def test_an_advisory_of_every_model_is_told_and_chooses_no_older_image() -> None:
    told = plan(OTHER)
    assert "advisories: CVE-2025-62164" in told.reasons["image"]
    assert told.image == f"{SERVE}:20251205_0916_RC01"
    assert "advisories" not in plan(OTHER, forbid_advisories=True).reasons["image"]


def test_pickled_weights_are_touched_by_advisories_of_their_own() -> None:
    old = {"image": f"{SERVE}:20250304_0916_RC01"}
    assert "pickled" not in plan(OTHER, **old).reasons["image"]
    pickled = plan(replace(OTHER, pickled=True), **old).reasons["image"]
    assert "GHSA-ggpf-24jw-3fcw (pickled weights run code in spite of the fix" in pickled


def test_a_named_image_with_an_advisory_is_refused_on_request() -> None:
    parameters: dict[str, Any] = {"image": f"{SERVE}:20250710_0916_RC01", "forbid_advisories": True}
    with pytest.raises(PlanError, match=r"CVE-2025-6242 .* fixed in 0\.11\.0"):
        plan(LLAMA_VISION, **parameters)


def test_hosts_of_pictures_are_restricted_where_the_version_can() -> None:
    args = plan(OTHER, media_domains=["example.com", "example.org"]).args
    at = args.index("--allowed-media-domains")
    assert args[at : at + 3] == ("--allowed-media-domains", "example.com", "example.org")
    with pytest.raises(PlanError, match="would fetch pictures from anywhere"):
        plan(LLAMA_VISION, media_domains=["example.com"])
