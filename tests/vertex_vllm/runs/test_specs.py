"""The images of compiled specs: found, put in, and refused where nothing pins them."""

from pathlib import Path

import pytest
import yaml

from tests.prepared import PINNED_IMAGE, RUNNER
from vertex_vllm.errors import InputError
from vertex_vllm.runs.specs import COMPILED, images_of, is_unresolvable, require_pinned, with_image
from vertex_vllm.runs.submission import Submission
from vertex_vllm.runs.vertex_engine import pipeline_job

SPECS = sorted(COMPILED.glob("*.yaml"))
STRANGER = "us-central1-docker.pkg.dev/vertex-vllm/components/python-steps:0.1.0"


def submission(spec: Path, image: str) -> Submission:
    return Submission("some-project", "us-central1", spec, "x", {}, "gs://some-runs", {}, RUNNER, image)


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_a_committed_spec_names_an_image_that_no_registry_can_have(spec: Path) -> None:
    images = images_of(spec.read_text())
    assert len(images) == 1
    assert is_unresolvable(images[0])


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_what_is_sent_differs_from_the_committed_spec_in_the_image_alone(spec: Path) -> None:
    committed = spec.read_text()
    (image,) = images_of(committed)
    sent = submission(spec, PINNED_IMAGE).spec_text()
    assert yaml.safe_load(sent) == yaml.safe_load(committed.replace(image, PINNED_IMAGE))
    assert spec.read_text() == committed


@pytest.mark.parametrize(
    "image",
    ["", STRANGER, "python-steps", f"us-docker.pkg.dev/p/r/python@sha256:{'0' * 63}", f"x.invalid/p@sha256:{'0' * 64}"],
)
def test_a_spec_whose_image_nothing_pins_is_not_sent(image: str) -> None:
    with pytest.raises(InputError, match="is not pinned by digest") as caught:
        pipeline_job(submission(COMPILED / "teardown.yaml", image))
    assert "vertex-vllm bootstrap --project some-project --region us-central1" in str(caught.value)


def test_one_step_s_own_image_is_looked_at_too() -> None:
    spec = yaml.safe_load(with_image((COMPILED / "deploy.yaml").read_text(), PINNED_IMAGE))
    list(spec["deploymentSpec"]["executors"].values())[-1]["container"]["image"] = STRANGER
    with pytest.raises(InputError, match=STRANGER):
        require_pinned(yaml.safe_dump(spec), "some-project", "us-central1")


def test_another_image_replaces_one_that_is_pinned_already() -> None:
    other = PINNED_IMAGE.replace("0" * 64, "1" * 64)
    pinned = with_image((COMPILED / "mirror.yaml").read_text(), PINNED_IMAGE)
    assert images_of(with_image(pinned, other)) == (other,)
    assert images_of(with_image(yaml.safe_dump(yaml.safe_load(pinned)), other)) == (other,)


@pytest.mark.parametrize(
    "text", ["", "a: [", "root: {}", "- 1", "a: 1\n---\nb: 2", "root: " + "[" * 100_000], ids=lambda text: text[:9]
)
def test_a_text_that_is_not_a_spec_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a compiled pipeline"):
        images_of(text)
