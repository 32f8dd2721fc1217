"""The commonest wrong values, each with the line that would be right."""

from pathlib import Path

import pytest

from vertex_vllm.config import load_deployment
from vertex_vllm.errors import ConfigError

GOOD = {"name": "llama", "model": "{id: org/name}"}


def faults(folder: Path, **lines: str) -> list[str]:
    path = folder / "x.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in {**GOOD, **lines}.items()))
    with pytest.raises(ConfigError) as raised:
        load_deployment(path)
    return [str(fault).partition(": ")[2] for fault in raised.value.faults]


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (
            {"model": "Qwen/Qwen2.5-7B-Instruct"},
            "model: must be a section with fields of its own. Write model: {id: Qwen/Qwen2.5-7B-Instruct}",
        ),
        (
            {"serving": "{accelerator_type: L4}"},
            "serving.accelerator_type: L4 is not in the catalogue of accelerators. Did you mean NVIDIA_L4?",
        ),
        (
            {"google_cloud": "{region: us-central1-a}"},
            "google_cloud.region: must be a Google Cloud region, for example us-central1. "
            "That is a zone; its region is us-central1",
        ),
        ({"serving": "{max_model_len: 32k}"}, "serving.max_model_len: must be a whole number. Write 32768"),
        (
            {"serving": '{max_model_len: "4096"}'},
            "serving.max_model_len: must be a whole number. Write 4096 without quotes",
        ),
        (
            {"serving": "{gpu_memory_utilization: 90}"},
            "serving.gpu_memory_utilization: must be at most 0.99. Did you mean 0.9?",
        ),
        (
            {"serving": "{extra_args: --enable-lora --max-loras=2}"},
            "serving.extra_args: must be a list, for example [one, two]. Write [--enable-lora, --max-loras=2]",
        ),
    ],
    ids=["model without id", "accelerator", "zone", "32k", "quoted", "per cent", "arguments as text"],
)
def test_a_wrong_value_is_told_with_the_right_one(tmp_path: Path, lines: dict[str, str], fault: str) -> None:
    assert faults(tmp_path, **lines) == [fault]


def test_no_hint_repeats_a_token(tmp_path: Path) -> None:
    token = f"hf_{'x' * 34}"
    for lines in ({"model": f"owner/{token}"}, {"serving": f"{{extra_args: --hf-token={token}}}"}):
        assert not [fault for fault in faults(tmp_path, **lines) if token in fault]


def test_faults_of_every_class_are_told_at_once(tmp_path: Path) -> None:
    serving = "{machine_type: g2-standard-9, max_model_len: 32k}"
    found = faults(tmp_path, google_cloud="{region: mars-north1}", serving=serving)
    assert [str(fault).partition(":")[0] for fault in found] == [
        "google_cloud.region",
        "serving.machine_type",
        "serving.max_model_len",
    ]
