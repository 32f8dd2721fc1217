"""The picture that ships."""

import base64
import io
from importlib import resources

from PIL import Image

from vertex_vllm.inference.data.draw_car import draw_car
from vertex_vllm.inference.smoke import picture_uri


def test_the_picture_is_what_its_script_draws() -> None:
    with resources.files("vertex_vllm.inference").joinpath("data", "car.png").open("rb") as file:
        assert Image.open(file).convert("RGB").tobytes() == draw_car().tobytes()


def test_the_picture_travels_inside_the_request() -> None:
    head, _, encoded = picture_uri().partition(",")
    assert head == "data:image/png;base64"
    assert len(encoded) <= 20 * 1024
    assert Image.open(io.BytesIO(base64.b64decode(encoded))).size == (256, 192)
