"""Code that a model or an argument would run, and advisories about the image: shown, refused, or consented to."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.vertex_vllm.model_repository import decoder, read, repository, small, weights
from tests.vertex_vllm.planning.planned import LLAMA_VISION, NEWEST, OTHER, SERVE, plan
from tests.vertex_vllm.planning.reported_models import LLAMA_1B, Files
from vertex_vllm.catalog import load_catalog
from vertex_vllm.errors import PlanError
from vertex_vllm.planning.command_line import effective_values, parse_arguments

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


CONSENT: dict[str, Any] = {"trust_remote_code": True, "revision": "c" * 40}
# Each is a list of arguments, in one spelling that vLLM takes.
NEEDING_CONSENT = [
    *(["--tokenizer=other/repo"], ["--tokenizer", "other/repo"], ["--code_revision=main"]),
    *(["--middleware=evil.module"], ["--worker-cls=evil.Worker"], ["--worker_cls", "evil.Worker"]),
    *(["--logits-processors=evil.Processor"], ["--logits_processors", "a.B", "c.D"], ["--config=/x.yaml"]),
    *(["--allowed-local-media-path=/"], ["--allowed_local_media_path", "/"], ["--hf-config-path=other/repo"]),
    *(["--generation-config=other/repo"], ["--generation_config", "/mnt/x"], ["--tool-parser-plugin=/x.py"]),
    *(['--kv-transfer-config={"kv_connector": "x"}'], ["--kv-transfer-config.kv_connector_module_path=evil"]),
    *(["--kv_transfer_config.kv_connector_module_path", "evil"],),
    *(['--speculative-config={"model": "other/draft"}'], ["--speculative_config.model", "other/draft"]),
    *(["--speculative-config.model=other/draft"], ["--speculative-config={not JSON"]),
    *(['--hf-overrides={"auto_map": {"AutoModel": "modeling.Evil"}}'],),
    *(['--hf_overrides={"vision_config": {"auto_map": {"AutoModel": "modeling.Evil"}}}'],),
    *(['--hf-overrides={"auto\\u005fmap": {"AutoModel": "modeling.Evil"}}'],),
    *(["--hf-overrides.auto_map.AutoModel=modeling.Evil"], ["--hf_overrides.auto_map.AutoModel", "modeling.Evil"]),
    *(["--hf-overrides.text_config.auto_map={}"], ["--hf-overrides.x+=a,other/repo--m.C"]),
    *(['--hf-overrides={"mm_vision_tower": "other/tower"}'], ["--hf-overrides._attn_implementation=other/kernel"]),
    *(['--mm-processor-kwargs={"auto_map": "x.Y"}'], ['--compilation-config={"backend": "evil.compile"}']),
    *(["-O.backend=evil.compile"], ["--distributed-executor-backend=evil.Executor"]),
    *(["--structured-outputs-config.reasoning_parser_plugin=/x.py"],),
]
# Arguments that only newer versions have are planned with an image of such a version.
NEW = {"image": f"{SERVE}:{NEWEST}"}


@pytest.mark.parametrize("arguments", NEEDING_CONSENT, ids=" ".join)
def test_an_argument_that_runs_code_or_takes_another_repository_needs_consent(arguments: list[str]) -> None:
    with pytest.raises(PlanError) as refused:
        plan(OTHER, **NEW, extra_args=arguments)
    assert "serving.trust_remote_code to true" in (refused.value.fix or "") or "not JSON" in arguments[0]


OF_OBJECTS = [each for each in NEEDING_CONSENT if not each[0].endswith(("--m.C", "not JSON"))]


@pytest.mark.parametrize("arguments", OF_OBJECTS, ids=" ".join)
def test_with_consent_the_plan_tells_what_the_argument_does(arguments: list[str]) -> None:
    decided = plan(OTHER, **NEW, **CONSENT, extra_args=arguments)
    assert set(arguments) <= set(decided.args)
    assert decided.reasons["code"].startswith(("--", "-O"))


HARMLESS = [
    ['--hf-overrides={"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}'],
    ["--hf-overrides.rope_scaling.rope_type=yarn", "--hf-overrides.rope_scaling.factor=4.0"],
    ['--speculative-config={"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 4}'],
    ["--speculative-config.method=ngram", "--speculative-config.num_speculative_tokens=3"],
    *(["--generation-config=vllm"], ["--generation_config", "auto"], ["--worker-cls=auto"]),
    *(["--distributed-executor-backend=mp"], ["-O3"], ['--compilation-config={"mode": 3}']),
    ['--mm-processor-kwargs={"max_pixels": 1003520}'],
]


@pytest.mark.parametrize("arguments", HARMLESS, ids=" ".join)
def test_the_same_options_with_harmless_values_need_none(arguments: list[str]) -> None:
    assert "code" not in plan(OTHER, **NEW, extra_args=arguments).reasons


@pytest.mark.parametrize(
    "arguments",
    [
        ['--hf-overrides={"auto_map": {"AutoModel": "other/repo--modeling.Model"}}'],
        ["--hf-overrides.auto_map.AutoModel=other/repo--modeling.Model"],
        ["--hf_overrides.vision_config.auto_map.AutoModel", "other/repo--modeling.Model"],
    ],
    ids=" ".join,
)
def test_an_override_that_names_code_of_another_repository_is_refused_even_with_consent(arguments: list[str]) -> None:
    with pytest.raises(PlanError, match="names Python code of another repository, other/repo"):
        plan(OTHER, **NEW, **CONSENT, extra_args=arguments)


@pytest.mark.parametrize("argument", ['--hf-over={"auto_map": {}}', "--specul={}", "--allowed-local=/", "--tokenize=x"])
def test_an_abbreviation_that_argparse_would_complete_is_refused(argument: str) -> None:
    """argparse accepts any unambiguous beginning of an option; the plan accepts whole names alone."""
    with pytest.raises(PlanError, match="vLLM has no option"):
        plan(OTHER, extra_args=[argument])


def test_dotted_parts_of_an_option_are_one_object() -> None:
    arguments = ["--hf-overrides.a.b=1", "--hf_overrides.a.c", "x", "--hf-overrides.d+=y,z", "--hf-overrides={}"]
    values = effective_values(parse_arguments(arguments, load_catalog()))
    assert {flag: json.loads(value) for flag, value in values.items()} == {
        "--hf-overrides": {"a": {"b": 1, "c": "x"}, "d": ["y", "z"]}
    }


def test_advisories_that_touch_the_model_are_named_and_refused_on_request() -> None:
    vision = replace(LLAMA_VISION, model_id="someone/something").reshaped(
        architecture="Idefics3ForConditionalGeneration"
    )
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
    pickled = plan(replace(OTHER, pickled=True), pickled_weights="scanned", **old).reasons["image"]
    assert "GHSA-ggpf-24jw-3fcw (pickled weights run code in spite of the fix" in pickled


def test_pickled_weights_alone_are_refused_unless_the_config_takes_them() -> None:
    with pytest.raises(PlanError, match="has pickled weights alone") as refused:
        plan(replace(OTHER, pickled=True))
    assert refused.value.where == "mirror.pickled_weights"
    assert "pickled" in plan(replace(OTHER, pickled=True), pickled_weights="scanned").reasons["code"]


def test_a_licence_that_the_config_does_not_list_is_refused_with_its_place() -> None:
    facts = replace(OTHER, license="other", license_name="some-terms", license_link="LICENSE")
    with pytest.raises(PlanError, match=r"licence is some-terms \(LICENSE\), and licences.allow lists mit") as refused:
        plan(facts, allowed_licences=["mit"])
    assert refused.value.where == f"{facts.model_id}@{facts.commit}: README.md: license_name"
    assert plan(facts, allowed_licences=["Some-Terms"]).model_id == facts.model_id


def test_a_named_image_with_an_advisory_is_refused_on_request() -> None:
    parameters: dict[str, Any] = {"image": f"{SERVE}:20250710_0916_RC01", "forbid_advisories": True}
    with pytest.raises(PlanError, match=r"CVE-2025-6242 .* fixed in 0\.11\.0"):
        plan(LLAMA_VISION, **parameters)


def test_the_bypass_of_an_earlier_fix_is_named_where_the_image_may_have_it() -> None:
    vision = replace(LLAMA_VISION, model_id="someone/something").reshaped(
        architecture="Idefics3ForConditionalGeneration"
    )
    told = plan(vision, image=f"{SERVE}:20260226_0916_RC01").reasons["image"]
    assert "CVE-2026-25960" in told
    assert "CVE-2026-25960" not in plan(vision, image=f"{SERVE}:{NEWEST}").reasons["image"]


def test_hosts_of_pictures_are_restricted_where_the_version_can() -> None:
    args = plan(OTHER, media_domains=["example.com", "example.org"]).args
    at = args.index("--allowed-media-domains")
    assert args[at : at + 3] == ("--allowed-media-domains", "example.com", "example.org")
    with pytest.raises(PlanError, match="would fetch pictures from anywhere"):
        plan(LLAMA_VISION, media_domains=["example.com"])
