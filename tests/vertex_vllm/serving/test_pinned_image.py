"""Plans, and the Models that are uploaded from them, name their image by digest."""

from dataclasses import replace
from typing import Any

import pytest
from google.cloud import aiplatform_v1beta1 as vertex

from localcloud.daemon import Connection
from tests.vertex_vllm.plans import serving_plan
from tests.vertex_vllm.served_models import Vertex, teach
from vertex_vllm.errors import InputError
from vertex_vllm.google.image_registry import by_digest
from vertex_vllm.labels import IMAGE_TAG_LABEL
from vertex_vllm.serving.pinned_image import moved_tag, with_digest

NAME = "us-docker.pkg.dev/tests/images/pinned-test"
OLD, NEW = f"sha256:{'01' * 32}", f"sha256:{'02' * 32}"


def test_a_plan_and_its_fallbacks_name_what_the_tag_points_at(cloud: Connection) -> None:
    teach(cloud, f"{NAME}:*")
    first, second = by_digest(f"{NAME}:1"), by_digest(f"{NAME}:2")
    fallbacks = tuple(serving_plan(image=f"{NAME}{tag}") for tag in (":1", ":2", f"@{OLD}"))
    plan = serving_plan(image=f"{NAME}:1", reasons={"image": "the newest"}, fallbacks=fallbacks)
    assert with_digest(plan) == replace(
        plan,
        image=first,
        image_tag="1",
        reasons={"image": "the newest; tag 1 by its digest of now"},
        fallbacks=(
            replace(fallbacks[0], image=first, image_tag="1", reasons={"image": "tag 1 by its digest of now"}),
            replace(fallbacks[1], image=second, image_tag="2", reasons={"image": "tag 2 by its digest of now"}),
            fallbacks[2],
        ),
    )
    assert with_digest(with_digest(plan)) == with_digest(plan)


def test_the_digest_decides_what_is_served_and_the_tag_does_not() -> None:
    plan = serving_plan(image=f"{NAME}@{OLD}")
    assert replace(plan, image_tag="1").served_id == plan.served_id
    assert replace(plan, image=f"{NAME}@{NEW}").served_id != plan.served_id


@pytest.mark.parametrize("image", [f"{NAME}:1", NAME])
def test_a_model_is_not_uploaded_with_a_tag(in_vertex: Vertex, image: str) -> None:
    with pytest.raises(InputError, match="names its image by a tag"):
        in_vertex.upload(serving_plan(image=image))
    assert in_vertex.versions() == []


def test_a_version_says_which_tag_its_digest_was(in_vertex: Vertex, caplog: pytest.LogCaptureFixture) -> None:
    plan = serving_plan(image=f"{NAME}@{OLD}", image_tag="20251205_0916_RC01")
    in_vertex.upload(plan)
    in_vertex.upload(plan)
    assert "has moved" not in caplog.text
    in_vertex.upload(replace(plan, image=f"{NAME}@{NEW}"))
    assert f"tag 20251205_0916_RC01 of {NAME} has moved: {OLD} in version 1, {NEW} now" in caplog.text
    images = {version.container_spec.image_uri: version.labels[IMAGE_TAG_LABEL] for version in in_vertex.versions()}
    assert images == {f"{NAME}@{OLD}": "20251205_0916_rc01", f"{NAME}@{NEW}": "20251205_0916_rc01"}


def version(image: str, tag: str) -> vertex.Model:
    fields: dict[str, Any] = {"container_spec": {"image_uri": image}, "labels": {IMAGE_TAG_LABEL: tag}}
    return vertex.Model(version_id="4", **fields)


@pytest.mark.parametrize(
    ("image", "tag", "moved"),
    [
        (f"{NAME}@{OLD}", "1", True),
        (f"{NAME}@{NEW}", "1", False),
        (f"{NAME}@{OLD}", "2", False),
        (f"{NAME}@{OLD}", "", False),
        (f"other@{OLD}", "1", False),
    ],
)
def test_a_tag_has_moved_where_its_digest_is_another(image: str, tag: str, moved: bool) -> None:
    plan = serving_plan(image=f"{NAME}@{NEW}", image_tag="1")
    assert bool(moved_tag(plan, [version(image, tag)])) is moved
    assert moved_tag(replace(plan, image_tag=""), [version(image, tag)]) == ""
