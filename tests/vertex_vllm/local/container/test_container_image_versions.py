import pytest

from vertex_vllm.local.container.image_versions import vllm_version

SERVE = "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/pytorch-vllm-serve"


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (f"{SERVE}:20250710_0916_RC01", "0.9.2"),
        (f"{SERVE}:20250717_0916_arm_RC01", "0.9.2"),
        (f"{SERVE}:20250709_0916_RC01", "0.9.0"),
        (f"{SERVE}:20260320_0916_RC01", "0.18.0"),
        (f"{SERVE}:20240101_0916_RC01", "0.6.2"),
        (f"{SERVE}:latest", "0.18.0"),
        ("", "0.18.0"),
    ],
)
def test_the_date_in_the_tag_tells_the_version(image, version):
    assert vllm_version(image) == version
