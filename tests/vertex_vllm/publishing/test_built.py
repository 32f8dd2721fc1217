"""The steps' image that bootstrap built, as `submit` finds it."""

from pathlib import Path

import pytest

from tests.prepared import REGION, prepared
from vertex_vllm.errors import InputError
from vertex_vllm.publishing.building import LATEST, sources_tag, steps_image
from vertex_vllm.publishing.built import find_built
from vertex_vllm.publishing.image_digest import find_digest, point_tag
from vertex_vllm.publishing.image_sources import read_sources

ROOT = Path(__file__).resolve().parents[3]


def test_the_image_of_these_sources_is_found_by_digest(ready_project: str) -> None:
    sources = read_sources(ROOT).digest
    found = find_built(ready_project, REGION, sources)
    image = steps_image(ready_project, REGION)
    assert (found.name, found.warning) == (f"{image}@{find_digest(f'{image}:{sources_tag(sources)}')}", "")
    assert find_built(ready_project, REGION) == found


def test_the_image_of_other_sources_is_taken_with_a_word(ready_project: str) -> None:
    found = find_built(ready_project, REGION, "of-other-sources")
    assert found.name == find_built(ready_project, REGION).name
    assert "was built from other sources than these" in found.warning


def test_the_last_tag_moves_once(ready_project: str) -> None:
    latest = f"{steps_image(ready_project, REGION)}:{LATEST}"
    digest = find_digest(latest)
    assert digest is not None
    assert point_tag(latest, digest) is False
    prepared(ready_project)
    assert find_digest(latest) == digest


def test_where_nobody_has_built_one_the_command_is_told(cloud: object, project: str) -> None:
    with pytest.raises(InputError, match=f"vertex-vllm bootstrap --project {project} --region {REGION}"):
        find_built(project, REGION)
