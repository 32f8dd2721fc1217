from pathlib import Path

import pytest

from localcloud.errors import ApiError
from localcloud.vertex.images import Image, find_image

MODEL_GARDEN = "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/pytorch-vllm-serve:20250710_0916_RC01"
OWN = """
images:
  - image: "example.com/own/*"
    command: [python3, server.py, "{port}"]
"""


def test_model_garden_images_run_vllm(tmp_path: Path) -> None:
    command = find_image(MODEL_GARDEN, tmp_path).command
    assert command[:3] == ("{python}", "-m", "localcloud.container")


def test_own_images_run_own_programs(tmp_path: Path) -> None:
    (tmp_path / "images.yaml").write_text(OWN)
    assert find_image("example.com/own/server:1", tmp_path) == Image(
        "example.com/own/*", ("python3", "server.py", "{port}")
    )
    assert find_image(MODEL_GARDEN, tmp_path).command[2] == "localcloud.container"


def test_own_rows_come_first(tmp_path: Path) -> None:
    (tmp_path / "images.yaml").write_text(OWN.replace("example.com/own/*", "*/pytorch-vllm-serve:*"))
    assert find_image(MODEL_GARDEN, tmp_path).command[0] == "python3"


def test_any_other_image_is_refused_with_what_can_run(tmp_path: Path) -> None:
    with pytest.raises(ApiError) as refusal:
        find_image("us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest", tmp_path)
    assert refusal.value.code == "INVALID_ARGUMENT"
    assert refusal.value.message.startswith(
        'Invalid image "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest" for deployment. '
        "Please use a Model with a valid image. This machine can run: */pytorch-vllm-serve:*, "
    )
    assert str(tmp_path / "images.yaml") in refusal.value.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "images",
        "images: {}",
        "images: [x]",
        "images: [{image: a}]",
        "images: [{image: a, command: []}]",
        "a: [",
        "[]",
    ],
)
def test_a_malformed_file_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "images.yaml").write_text(text)
    with pytest.raises(ApiError) as refusal:
        find_image(MODEL_GARDEN, tmp_path)
    assert refusal.value.code == "FAILED_PRECONDITION"
    assert refusal.value.message.startswith(f"{tmp_path / 'images.yaml'} is malformed")
