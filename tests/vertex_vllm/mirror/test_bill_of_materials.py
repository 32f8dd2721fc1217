"""The bill of materials of a mirror: valid CycloneDX, the same for the same files, with licence and digests."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.vertex_vllm.conftest import LocalCloud
from tests.vertex_vllm.mirror.test_wholeness import Place
from vertex_vllm.mirror.bill_of_materials import bill_of_materials
from vertex_vllm.mirror.manifest import MirroredFile
from vertex_vllm.mirror.own_objects import BILL_OF_MATERIALS_NAME
from vertex_vllm.model.card_licence import NO_LICENCE, CardLicence

COMMIT = "c" * 40
FILE = MirroredFile("model.safetensors", 3, "a" * 64, "AAAAAA==", 7)


@pytest.mark.parametrize(
    ("licence", "written", "links"),
    [
        (CardLicence(("apache-2.0",)), [{"license": {"id": "Apache-2.0"}}], []),
        (
            CardLicence(("other",), "some-terms", "LICENSE"),
            [{"license": {"name": "some-terms"}}],
            [f"https://huggingface.co/org/model/blob/{COMMIT}/LICENSE"],
        ),
        (
            CardLicence(("other",), "some-terms", "https://example.com/terms"),
            [{"license": {"name": "some-terms"}}],
            ["https://example.com/terms"],
        ),
        (CardLicence(("llama3.1",)), [{"license": {"name": "llama3.1"}}], []),
        (NO_LICENCE, None, []),
    ],
)
def test_it_is_valid_and_names_model_licence_and_files(
    licence: CardLicence, written: list[dict[str, Any]] | None, links: list[str]
) -> None:
    text = bill_of_materials("org/model", COMMIT, [FILE], licence)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    model = bill["metadata"]["component"]
    assert (model["type"], model["group"], model["name"], model["version"]) == (
        "machine-learning-model",
        "org",
        "model",
        COMMIT,
    )
    assert model["purl"] == f"pkg:huggingface/org/model@{COMMIT}"
    assert model.get("licenses") == written
    references = {each["type"]: each["url"] for each in model["externalReferences"]}
    assert references.pop("distribution") == f"https://huggingface.co/org/model/tree/{COMMIT}"
    assert references.pop("model-card") == f"https://huggingface.co/org/model/blob/{COMMIT}/README.md"
    assert list(references.values()) == links
    assert [(each["name"], each["hashes"]) for each in bill["components"]] == [
        ("model.safetensors", [{"alg": "SHA-256", "content": "a" * 64}])
    ]


def test_it_does_not_change_with_time_or_generation() -> None:
    first = bill_of_materials("org/model", COMMIT, [FILE], NO_LICENCE)
    assert bill_of_materials("org/model", COMMIT, [replace(FILE, generation=8)], NO_LICENCE) == first


def test_it_and_the_licence_s_text_travel_beside_the_weights(
    cloud: Any, project: str, local: LocalCloud, safetensors: Callable[..., bytes]
) -> None:
    files = {
        "README.md": b"---\nlicense: other\nlicense_name: some-terms\nlicense_link: LICENSE\n---\n",
        "LICENSE": b"Terms\n",
        "config.json": b'{"model_type": "llama"}',
        "model.safetensors": safetensors(weight=64),
    }
    place = Place(project, local, files)
    manifest = place.mirror()
    assert place.blob("LICENSE").download_as_bytes() == b"Terms\n"
    written = place.blob(BILL_OF_MATERIALS_NAME).download_as_text()
    licence = CardLicence(("other",), "some-terms", "LICENSE")
    assert written == bill_of_materials(place.model_id, place.commit, manifest.files, licence)
