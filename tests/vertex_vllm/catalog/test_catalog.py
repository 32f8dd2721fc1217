"""The catalogue: every row sourced, lookups that help, and versions compared as versions."""

import datetime

import pytest
from google.cloud.aiplatform.constants.base import SUPPORTED_REGIONS

from vertex_vllm.catalog import Catalog, Missing, load_catalog
from vertex_vllm.catalog.rows import SourcedRow
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.model.transformer import Transformer
from vertex_vllm.vllm_versions import Presence, Span, VersionRange, version_key

SERVE = "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/pytorch-vllm-serve"
CHECKED = ("0.8.5", "0.9.2", "0.10.2", "0.12.0")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def test_every_row_says_where_it_was_read_and_when(catalog: Catalog) -> None:
    rows: list[SourcedRow] = list(catalog.rows())
    assert len(rows) > 800
    today = datetime.datetime.now(datetime.UTC).date()
    for row in rows:
        for source in row.source:
            assert len(source.title) > 10
            assert datetime.date(2024, 1, 1) <= source.date <= today


def test_a_price_comes_with_the_source_of_prices(catalog: Catalog) -> None:
    for machine in catalog.machines.values():
        sourced = any("pricing.yml" in source.title for source in machine.source)
        assert sourced == (machine.usd_per_hour is not None) == (machine.spot_usd_per_hour is not None)


def test_machines_of_a_series_have_the_accelerators_that_their_name_says(catalog: Catalog) -> None:
    named = {name: machine.count for name, machine in catalog.machines.items() if name.endswith("g")}
    assert named == {name: int(name.rpartition("-")[2].removesuffix("g")) for name in named}


def test_every_region_of_the_tutorial_has_its_machine(catalog: Catalog) -> None:
    for machine in catalog.machines.values():
        assert set(machine.recommended_regions) <= set(machine.regions)
    recommended = {"us-central1", "us-west1", "europe-west4", "asia-southeast1"}
    assert set(catalog.machines["a3-highgpu-8g"].recommended_regions) == recommended


@pytest.mark.parametrize(
    ("accelerator", "spot", "quota"),
    [
        ("NVIDIA_L4", False, "CustomModelServingL4GPUsPerProjectPerRegion"),
        ("NVIDIA_L4", True, "CustomModelServingPreemptibleL4GPUsPerProjectPerRegion"),
        ("NVIDIA_A100_80GB", False, "CustomModelServingA10080GBGPUsPerProjectPerRegion"),
        ("NVIDIA_H100_MEGA_80GB", True, "CustomModelServingPreemptibleH100MEGAGPUsPerProjectPerRegion"),
        ("NVIDIA_RTX_PRO_6000", False, "CustomModelServingRTXPRO6000GPUsPerProjectPerRegion"),
    ],
)
def test_the_quota_of_an_accelerator(catalog: Catalog, accelerator: str, spot: bool, quota: str) -> None:
    assert catalog.accelerators[accelerator].quota_id(spot) == quota


def test_a_name_that_is_not_there_answers_with_what_is_spelt_alike(catalog: Catalog) -> None:
    assert catalog.find_machine("a2-highgpu-1gg") == Missing(
        "a2-highgpu-1gg", ("a2-highgpu-1g", "a3-highgpu-1g", "a2-highgpu-8g")
    )
    assert catalog.find_accelerator("NVIDIA_L5") == Missing("NVIDIA_L5", ("NVIDIA_L4",))
    assert catalog.find_image("20250710_0916_RC01") == Missing("20250710_0916_RC01", (f"{SERVE}:20250710_0916_RC01",))
    assert catalog.find_model("Meta-Llama/llama-3.1-8b") == Missing(
        "Meta-Llama/llama-3.1-8b", ("meta-llama/Llama-3.1-8B",)
    )
    assert catalog.find_flag("--qwertz") == Missing("--qwertz", ())
    assert Missing("x", ("a", "b")).hint == "Did you mean a or b?"
    assert Missing("x", ()).hint == ""


def test_lookups_know_other_names_of_the_same_thing(catalog: Catalog) -> None:
    assert catalog.find_model("meta-llama/Meta-Llama-3.1-8B") is catalog.models["meta-llama/Llama-3.1-8B"]
    assert catalog.find_flag("--no-enable-prefix-caching") is catalog.flags["--enable-prefix-caching"]
    assert isinstance(catalog.find_flag("--no-max-model-len"), Missing)


def test_recorded_facts_are_facts_that_tell_what_in_them_is_unverified(catalog: Catalog) -> None:
    assert catalog.facts("meta-llama/Llama-3.1-8B-Instruct") == ModelFacts(
        model_id="meta-llama/Llama-3.1-8B-Instruct",
        commit="",
        dtype="bfloat16",
        quantization="",
        parameters=8_030_261_248,
        weight_bytes=16_060_522_496,
        chat_template=True,
        custom_code=False,
        gated=True,
        source="the catalogue",
        shape=Transformer(
            architecture="LlamaForCausalLM",
            vocabulary=128_256,
            hidden_size=4096,
            intermediate_size=14_336,
            layers=32,
            attention_heads=32,
            key_value_heads=8,
            head_size=128,
            context_length=131_072,
            tied_embeddings=False,
        ),
    )
    vision = catalog.facts("meta-llama/Llama-3.2-90B-Vision")
    assert isinstance(vision, ModelFacts)
    assert vision.source.startswith("the catalogue, unverified: layers, ")


@pytest.mark.parametrize(
    ("model", "gib_on_each", "accelerators"),
    [
        # Weights that vLLM logged publicly: GiB on each accelerator.
        ("meta-llama/Llama-3.1-8B", 14.9595, 1),
        ("meta-llama/Llama-3.1-405B-FP8", 57.752, 8),
        ("meta-llama/Llama-3.2-11B-Vision", 19.9073, 1),
    ],
)
def test_recorded_weights_are_what_vllm_was_seen_to_load(
    catalog: Catalog, model: str, gib_on_each: float, accelerators: int
) -> None:
    facts = catalog.facts(model)
    assert isinstance(facts, ModelFacts)
    assert facts.weight_bytes / accelerators / 2**30 == pytest.approx(gib_on_each, rel=0.002)


@pytest.mark.parametrize(
    ("span", "version", "presence"),
    [
        (Span("0.9.2", "0.10.2"), "0.9.2", "present"),
        (Span("0.9.2", "0.10.2"), "0.10.1", "present"),
        (Span("0.9.2", "0.10.2"), "0.8.5", "absent"),
        (Span("0.9.2", "0.10.2"), "0.8.4", "absent"),
        (Span("0.9.2", "0.10.2"), "0.9.0", "unknown"),
        (Span("0.9.2", "0.10.2"), "0.11.0", "unknown"),
        (Span("0.9.2", "0.10.2"), "0.12.0", "absent"),
        (Span("0.9.2", "0.10.2", ended=True), "0.11.0", "absent"),
        (Span("0.8.5", "0.12.0"), "0.8.4", "unknown"),
        (Span("0.8.5", "0.12.0"), "0.13.0", "unknown"),
    ],
)
def test_a_release_that_nobody_checked_is_unknown(span: Span, version: str, presence: Presence) -> None:
    assert span.presence(version, CHECKED) == presence


@pytest.mark.parametrize(
    ("earliest", "latest", "presence"),
    [
        ("0.9.2", "0.10.2", "present"),
        ("0.8.5", "0.9.2", "unknown"),
        ("0.10.2", "0.12.0", "unknown"),
        ("0.12.0", "0.13.0", "absent"),
        ("0.8.4", "0.8.5", "absent"),
        # Both ends of the range lack the flag; a version between them, which the image may have, does not.
        ("0.8.5", "0.12.0", "unknown"),
    ],
)
def test_an_image_of_uncertain_version_surely_has_what_all_of_them_have(
    earliest: str, latest: str, presence: Presence
) -> None:
    assert Span("0.9.2", "0.10.2").presence_in(VersionRange(earliest, latest), CHECKED) == presence


def test_versions_are_ordered_by_number() -> None:
    ordered = ["0.6.4", "0.6.4.post1", "0.8.5", "0.8.5.post1", "0.9.2", "0.10.0", "0.10.2", "0.11.0"]
    assert ordered != sorted(ordered)
    assert ordered == sorted(ordered, key=version_key)


@pytest.mark.parametrize(
    ("tag", "mllama", "swap_space"),
    [
        ("20250710_0916_RC01", "present", "present"),
        ("20250905_0916_RC01", "present", "present"),
        ("20250930_0916_RC01", "unknown", "present"),
        ("20251003_0916_RC01", "absent", "present"),
        ("20251205_0916_RC01", "absent", "present"),
        ("20260320_0916_RC01", "absent", "absent"),
        ("latest", "unknown", "unknown"),
    ],
)
def test_which_images_have_llama_vision_and_swap_space(
    catalog: Catalog, tag: str, mllama: Presence, swap_space: Presence
) -> None:
    versions = catalog.images[f"{SERVE}:{tag}"].versions
    architecture = catalog.architectures["MllamaForConditionalGeneration"]
    assert catalog.architecture_presence(architecture, versions) == mllama
    assert catalog.flag_presence(catalog.flags["--swap-space"], versions) == swap_space


def test_every_region_is_one_of_vertex_ai(catalog: Catalog) -> None:
    """Other regions have no service: a command that looked there would wait, and fail."""
    assert set(catalog.regions) <= set(SUPPORTED_REGIONS)
