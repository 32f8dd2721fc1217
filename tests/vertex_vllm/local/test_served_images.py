"""The images that vertex-vllm adds to a local cloud."""

from pathlib import Path

import pytest

from localcloud.containers.programs import find_image
from vertex_vllm.local import ADDITIONS

MODEL_GARDEN = "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/pytorch-vllm-serve:20250710_0916_RC01"
OTHERS = ("us-docker.pkg.dev/vertex-ai/pytorch-vllm-optimized-serve:x", "europe-docker.pkg.dev/p/r/vllm-serve-custom:1")


@pytest.mark.parametrize("image", [MODEL_GARDEN, *OTHERS])
def test_images_of_vllm_run_as_this_packages_container(image: str, tmp_path: Path) -> None:
    found = find_image(image, [tmp_path / "images.yaml", *ADDITIONS.images])
    assert found.command[:3] == ("{python}", "-m", "vertex_vllm.local.container")
    assert found.variables == ("PYTHONPATH", "VERTEX_VLLM_RUNTIME", "VERTEX_VLLM_CACHE")
