"""Serving images by digest, where the catalogue has one."""

import datetime
from dataclasses import replace

import pytest
import yaml

from tests.vertex_vllm.planning.planned import LLAMA_8B, SERVE, deployment
from tools.read_digests import IMAGES, compared, is_fixed, with_digests
from vertex_vllm.catalog import Catalog, load_catalog
from vertex_vllm.catalog.rows import Image
from vertex_vllm.planning.image_choice import choose_image
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.planning.planner import plan_serving

TAG = "20251205_0916_RC01"
READ = datetime.date(2026, 12, 1)
DIGEST, OTHER_DIGEST = f"sha256:{'a1' * 32}", f"sha256:{'b2' * 32}"


def catalog_with(tag: str, digest: str) -> Catalog:
    loaded = load_catalog()
    uri = f"{SERVE}:{tag}"
    return replace(loaded, images={**loaded.images, uri: loaded.images[uri].model_copy(update={"digest": digest})})


def planned(image: str = "") -> ServingPlan:
    return plan_serving(LLAMA_8B, deployment(LLAMA_8B, image=image), catalog_with(TAG, DIGEST))


def test_an_image_whose_digest_is_known_is_served_by_it() -> None:
    decided = planned()
    assert decided.image == f"{SERVE}@{DIGEST}"
    assert decided.vllm_version == "0.11.0 to 0.13.0"
    assert f"tag {TAG} by its digest" in decided.reasons["image"]


@pytest.mark.parametrize(
    ("wanted", "taken", "version"),
    [
        (f"{SERVE}:{TAG}", f"{SERVE}@{DIGEST}", "0.11.0 to 0.13.0"),
        (f"{SERVE}@{DIGEST}", f"{SERVE}@{DIGEST}", "0.11.0 to 0.13.0"),
        (f"{SERVE}:{TAG}@{DIGEST}", f"{SERVE}:{TAG}@{DIGEST}", "0.11.0 to 0.13.0"),
        # The content of another digest is unknown, even with a known tag beside it.
        (f"{SERVE}:{TAG}@{OTHER_DIGEST}", f"{SERVE}:{TAG}@{OTHER_DIGEST}", "unknown"),
        (f"{SERVE}@{OTHER_DIGEST}", f"{SERVE}@{OTHER_DIGEST}", "unknown"),
        # If the catalogue has no digest of a tag, the tag beside a digest gives the version.
        (f"{SERVE}:20250710_0916_RC01@{OTHER_DIGEST}", f"{SERVE}:20250710_0916_RC01@{OTHER_DIGEST}", "0.9.2"),
    ],
)
def test_a_named_image_is_found_by_tag_or_digest(wanted: str, taken: str, version: str) -> None:
    decided = planned(wanted)
    assert (decided.image, decided.vllm_version) == (taken, version)


def test_a_tag_that_floats_is_not_pinned() -> None:
    chosen = choose_image(LLAMA_8B, f"{SERVE}:latest", catalog_with("latest", DIGEST))
    assert chosen.uri == f"{SERVE}:latest"


def test_digests_are_noted_in_the_rows_of_their_tags() -> None:
    text = IMAGES.read_text(encoding="utf-8")
    noted = with_digests(text, {TAG: DIGEST}, READ)
    before, after = (yaml.safe_load(each)["images"] for each in (text, noted))
    assert [row for row in after if row not in before] == [
        {**row, "digest": DIGEST, "digest_date": READ} for row in before if row["tag"] == TAG
    ]
    later = READ + datetime.timedelta(days=7)
    assert yaml.safe_load(with_digests(noted, {TAG: OTHER_DIGEST}, later))["images"] == [
        {**row, "digest": OTHER_DIGEST, "digest_date": later} if row["tag"] == TAG else row for row in before
    ]
    assert with_digests(noted, {TAG: DIGEST}, later) == noted


def test_a_digest_that_differs_from_the_noted_one_is_told() -> None:
    known: Image = catalog_with(TAG, DIGEST).images[f"{SERVE}:{TAG}"]
    image = known.model_copy(update={"digest_date": READ})
    assert compared(image, DIGEST) == DIGEST
    assert compared(image, OTHER_DIGEST) == f"moved: {OTHER_DIGEST}, where the catalogue has {DIGEST} of 2026-12-01"
    assert compared(image, "") == "gone: the registry has no such tag"
    asked = [each for each in load_catalog().images.values() if is_fixed(each)]
    assert len(asked) > 25
    assert not any(each.floating for each in asked)
