"""`vertex-vllm catalog`: the tables of the catalogue, for people and programs."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from vertex_vllm.catalog import load_catalog
from vertex_vllm.cli import vertex_vllm
from vertex_vllm.cli.catalog_command import TABLES
from vertex_vllm.errors import InputError


def run(*arguments: str) -> str:
    answer = CliRunner().invoke(vertex_vllm, ["catalog", *arguments], catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.output


def shown(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("show", name, "--json"))
    return found


@pytest.mark.parametrize("table", TABLES)
def test_a_list_has_a_line_for_each_row_and_json_its_sources(table: str) -> None:
    rows = getattr(load_catalog(), table)
    assert len(run("list", table).splitlines()) == len(rows) + 1
    parsed = json.loads(run("list", table, "--json"))
    assert [row[TABLES[table][0]] for row in parsed] == list(rows)
    assert all(row["source"][0]["date"] and row["source"][0]["title"] for row in parsed)


def test_a_price_without_a_source_is_unknown() -> None:
    lines = {line.split()[0]: line.split() for line in run("list", "machines").splitlines()}
    assert lines["g2-standard-12"][-2:] == ["1.0004", "0.5624"]
    assert lines["a4-highgpu-8g"][-2:] == ["unknown", "unknown"]


def test_machines_of_a_region() -> None:
    assert [line.split()[0] for line in run("list", "machines", "--region", "us-west2").splitlines()[1:]] == [
        "a4-highgpu-8g",
        "n1-standard-8",
    ]


def test_a_machine_is_shown_with_its_accelerators_and_both_quotas() -> None:
    machine = shown("a3-megagpu-8g")
    assert {name: machine[name] for name in ("table", "accelerator", "visible_gib", "compute_capability")} == {
        "table": "machines",
        "accelerator": "NVIDIA_H100_MEGA_80GB",
        "visible_gib": 79.14,
        "compute_capability": "9.0",
    }
    assert machine["quota_id"] == "CustomModelServingH100MEGAGPUsPerProjectPerRegion"
    assert machine["spot_quota_id"] == "CustomModelServingPreemptibleH100MEGAGPUsPerProjectPerRegion"
    assert machine["quota_metric"] == "custom_model_serving_nvidia_h100_mega_gpus"


def test_an_image_is_found_by_its_tag_and_says_what_it_lacks() -> None:
    image = shown("20260320_0916_RC01")
    assert image["vllm"] == ["0.18.0", "0.19.0"]
    assert "--swap-space" in image["lacks_flags"]
    assert "MllamaForConditionalGeneration" in image["removed_architectures"]


def test_a_model_is_shown_with_its_facts_what_nobody_has_verified_and_its_family() -> None:
    model = shown("meta-llama/Llama-3.2-11B-Vision-Instruct")
    assert model["family"]["image_placeholder"] == "<|image|>"
    assert model["family"]["lora"] is False
    assert "weight_bytes" in model["unverified"]
    # A name that the Hub forwards.
    assert shown("meta-llama/Meta-Llama-3.1-8B")["model"] == "meta-llama/Llama-3.1-8B"


def test_for_people_a_row_is_a_line_a_field() -> None:
    lines = run("show", "--", "--swap-space").splitlines()
    assert [line.split(maxsplit=1) for line in lines if line.startswith(("flag", "last"))] == [
        ["flag", "--swap-space"],
        ["last", "0.17.1"],
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("show", "g2-standrad-12"),
            "NAME: the catalogue has no row with the name g2-standrad-12. Did you mean g2-standard-12 or "
            "g2-standard-32 or g2-standard-24?",
        ),
        (
            ("show", "nvidia_l4"),
            "NAME: the catalogue has no row with the name nvidia_l4. Did you mean NVIDIA_L4 or NVIDIA_TESLA_T4 or "
            "NVIDIA_B200?",
        ),
        (
            ("show", "zzzz"),
            "NAME: the catalogue has no row with the name zzzz. `vertex-vllm catalog list` shows what there is",
        ),
        (
            ("list", "machines", "--region", "us-centrall"),
            "--region: no machine with accelerators in us-centrall. Did you mean us-central1 or me-central2 or "
            "europe-central2?",
        ),
        (("list", "flags", "--region", "us-east4"), "--region: flags are the same in every region. Leave it out"),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_the_nearest(arguments: tuple[str, ...], message: str) -> None:
    answer = CliRunner().invoke(vertex_vllm, ["catalog", *arguments])
    assert isinstance(answer.exception, InputError)
    assert str(answer.exception) == message
